"""By which turn an attack knocks out: hits take turns, miss, and may be hindered."""

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.attack import TURNS, uses_by_turn
from api_pokemon.battle.tables import MAX_USES, RHYTHMS, DuelTables
from api_pokemon.model.attack_columns import ACCURACY_STEPS, AttackRows, Indices, Rows
from api_pokemon.model.race import Sides, hindered

_AT_ONCE = 8192
"""So many attacks are followed at a time: each takes 0.6 kB."""
_SHELTERED = np.array([RHYTHMS.index("recharge"), RHYTHMS.index("charge")])
"""The first misses while the second is away in its second turn; the second misses in the first's first."""


class KnockOuts:
    """Chances of a knock-out by each turn.

    Parameters
    ----------
    tables
        The dex as arrays.
    """

    def __init__(self, tables: DuelTables) -> None:
        self._rhythm = tables.moves.rhythm
        self._hits_by_turn = _binomial().astype(np.float32)[:, uses_by_turn()].reshape(-1, (TURNS + 1) * (MAX_USES + 1))

    def by_turn(self, curve: Rows, accuracy_step: Rows, move: Indices) -> Rows:
        """Of attacks that nobody hinders, shape (n, TURNS + 1).

        Parameters
        ----------
        curve : (n, MAX_USES + 1)
            Chance of a knock-out after so many hits.
        accuracy_step, move : (n,)
            Chance that a use hits, in hundredths; row of the moves.
        """
        rhythm = self._rhythm.take(move)
        if len(move) <= _AT_ONCE:
            return self._follow(curve, accuracy_step, rhythm)
        parts = [slice(start, start + _AT_ONCE) for start in range(0, len(move), _AT_ONCE)]
        return np.concatenate([self._follow(curve[part], accuracy_step[part], rhythm[part]) for part in parts])

    def hindered(self, attack_rows: AttackRows, index: Indices, sides: Sides, away: NDArray[np.bool_] | None) -> Rows:
        """The same of both sides of n duels, shape (2, n, TURNS + 1); few are hindered, and those are followed anew.

        Parameters
        ----------
        attack_rows, index : (2, n), sides
            Attacks, and which of them the first and the second use.
        away : (2, n)
            Whether the target is away while it charges; None where none is.
        """
        by_turn = attack_rows.by_turn.take(index, axis=0)
        steps = np.rint(hindered(sides) * ACCURACY_STEPS)
        is_hindered = steps != sides["accuracy_step"]
        if away is not None:
            is_hindered |= away
        place = np.flatnonzero(is_hindered)
        if not len(place):
            return by_turn
        attack = index.ravel().take(place)
        rhythm = self._rhythm.take(attack_rows.move.take(attack))
        if away is not None:
            sheltered = _SHELTERED.take(place >= index.shape[1])
            rhythm = np.where(away.ravel().take(place), sheltered, rhythm)
        curves = attack_rows.curve.take(attack, axis=0)
        by_turn.reshape(-1, TURNS + 1)[place] = self._follow(curves, steps.ravel().take(place), rhythm)
        return by_turn

    def _follow(self, curve: Rows, accuracy_step: Rows, rhythm: NDArray[np.int64]) -> Rows:
        at = accuracy_step.astype(np.intp) * len(RHYTHMS) + rhythm
        hits = self._hits_by_turn.take(at, axis=0).reshape(-1, TURNS + 1, MAX_USES + 1)
        return np.asarray(np.matvec(hits, curve))


def _binomial() -> NDArray[np.float64]:
    """Chance of j hits in n uses at an accuracy: shape (ACCURACY_STEPS + 1, MAX_USES + 1, MAX_USES + 1)."""
    accuracy = np.linspace(0, 1, ACCURACY_STEPS + 1)
    table = np.zeros((ACCURACY_STEPS + 1, MAX_USES + 1, MAX_USES + 1))
    table[:, 0, 0] = 1
    for uses in range(1, MAX_USES + 1):
        table[:, uses] = table[:, uses - 1] * (1 - accuracy)[:, None]
        table[:, uses, 1:] += table[:, uses - 1, :-1] * accuracy[:, None]
    return table
