"""The damage of each roll of a hit, looked up: there are few thousand different ones."""

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.stats import LEVEL_FACTOR, ROLLS, rolled
from api_pokemon.battle.tables import DuelTables

Indices = NDArray[np.intp]
Floats = NDArray[np.float64]

_LEAST = 2
"""Damage before the roll of a hit without power."""


class RollTable:
    """What a hit may do, by rows.

    Parameters
    ----------
    tables
        The dex as arrays.

    Attributes
    ----------
    damage : (rows, ROLLS) int16
        In HP, the lowest roll first; 0 where the target is immune.
    mean, variance : (rows,)
        Over the rolls.
    """

    def __init__(self, tables: DuelTables) -> None:
        moves = tables.moves
        physical, by_target = moves.physical[:, None], moves.target_attack[:, None]
        attack = np.where(physical, tables.attack, tables.special_attack)
        defense = 50 * np.maximum(np.where(physical, tables.defense, tables.special_defense), 1)
        power = LEVEL_FACTOR * np.where(moves.weight_power[:, None], tables.weight_power, moves.power[:, None])
        power = np.where(moves.is_fixed[:, None], 0, power * np.where(by_target, attack, 1))
        attack = np.where(by_target, 1, attack)
        most = int((power.max(1) * attack.max(1) // defense.min(1)).max()) + _LEAST
        # By (move, form): of the target's form, of the attacker's, and of the target's.
        self._power, self._attack, self._defense = (_by_pair(each) for each in (power, attack, defense))
        width = most + most // 2 + 1  # up to the highest critical hit
        multipliers, kind = np.unique(tables.effectiveness[moves.type], return_inverse=True)
        by_formula = np.concatenate(
            [_rolls(width, has_stab, multiplier) for multiplier in multipliers for has_stab in (False, True)]
        )
        first, stab = 2 * width * kind.reshape(power.shape), width * tables.has_type.T[moves.type]
        fixed, row = _fixed(tables)
        # A row for a normal hit, and the same for a critical one, where the formula finds them without power.
        first[moves.is_fixed], stab[moves.is_fixed] = len(by_formula) + 2 * row - _LEAST, 0
        self._first, self._stab = _by_pair(first), _by_pair(stab)
        self.damage = np.concatenate([by_formula, np.repeat(fixed, 2, axis=0).astype(np.int16)])
        self.mean: Floats = self.damage.sum(-1) / ROLLS
        self.variance: Floats = np.square(self.damage, dtype=np.int64).sum(-1) / ROLLS - self.mean * self.mean

    def find(self, of_attacker: Indices, of_target: Indices) -> Indices:
        """Rows of n attacks, shape (2, n): of a normal hit, and of a critical one.

        Parameters
        ----------
        of_attacker, of_target : (n,)
            ``move x forms + form`` of the attacker's form, and of the target's.
        """
        base = self._power.take(of_target) * self._attack.take(of_attacker) // self._defense.take(of_target) + _LEAST
        rows = np.empty((2, len(base)), dtype=np.intp)
        np.add(self._first.take(of_target) + self._stab.take(of_attacker), base, out=rows[0])
        np.add(rows[0], base // 2, out=rows[1])
        return rows


def _by_pair(values: NDArray[np.int64]) -> NDArray[np.int32]:
    return values.astype(np.int32).ravel()


def _rolls(width: int, has_stab: bool, multiplier: float) -> NDArray[np.int16]:
    base = np.arange(width)
    return rolled(base, np.full(width, has_stab), np.full(width, multiplier)).astype(np.int16)


def _fixed(tables: DuelTables) -> tuple[NDArray[np.int64], Indices]:
    """Damage that stats do not change: each that there is, and which it is of each such move and target.

    A constant, an even spread (Psywave), or all HP (a one-hit KO).
    """
    moves = tables.moves
    fixed = moves.is_fixed
    low, high = (ends[fixed, None, None] for ends in (moves.fixed_low, moves.fixed_high))
    spread = low + (high - low) * np.arange(ROLLS) // (ROLLS - 1)
    damage = np.where(moves.one_hit[fixed, None, None], tables.hit_points[:, None], spread)
    damage = damage * (tables.effectiveness[moves.type[fixed]] > 0)[..., None]
    different, row = np.unique(damage.reshape(-1, ROLLS), axis=0, return_inverse=True)
    return different, row.reshape(damage.shape[:2])
