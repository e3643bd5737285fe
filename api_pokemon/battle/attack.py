"""What one attack does: its damage, and how soon it knocks the target out.

An attack is (attacker form, damaging move, target form). Everything here is vectorised over attacks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.rolls import RollTable
from api_pokemon.battle.stats import ROLLS
from api_pokemon.battle.tables import MAX_USES, DuelTables

TURNS = 12
"""Knock-outs are followed over this many turns."""

MOST_TELLING_USES = 99.0
"""An attack that takes as many uses or more knocks nobody out, or its damage depends on what the target does."""

_USES = np.arange(1, MAX_USES + 1)

Indices = NDArray[np.intp]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Attacks:
    """Numbers of n attacks; every array has n rows.

    Attributes
    ----------
    accuracy : (n,) chance that a use hits, in [0, 1]
    damage_share : (n,) mean damage of a use that hits, as a share of the target's HP (above 1: overkill)
    expected_damage : (n,) the same of any use, misses included; 0 where it depends on what the target does (Counter)
    lowest_share, highest_share : (n,) the least and the most that a use that hits does without a critical hit
    knock_out_in_uses : (n, MAX_USES + 1) chance that the target is down after so many hits, from 0 on
    uses_to_knock_out : (n,) mean uses, misses included, in [1, ...)
    """

    accuracy: Floats
    damage_share: Floats
    expected_damage: Floats
    lowest_share: Floats
    highest_share: Floats
    knock_out_in_uses: Floats
    uses_to_knock_out: Floats


class AttackTables:
    """Counts attacks. What is known of a move and a form beforehand is looked up: a request has some twenty attacks, of
    which each call of numpy takes longer than what it computes.

    Parameters
    ----------
    tables
        The dex as arrays.
    """

    def __init__(self, tables: DuelTables) -> None:
        moves = tables.moves
        self._forms = len(tables.form_ids)
        self._hit_points = tables.hit_points
        self._rolls = RollTable(tables)
        self._moves = np.stack([moves.critical_chance, moves.hits, moves.fewest_hits, moves.most_hits], axis=1)
        self._hits_by_use = _USES * moves.hits[:, None]
        self._variance_by_use = _USES * moves.hits_variance[:, None]
        self._hits_once = moves.hits == 1
        self._critical_weights, self._criticals = moves.critical_weights, moves.criticals
        self._halves, self._by_halving = moves.halves, _knock_out_by_halving(tables.hit_points)
        self._accuracy = moves.accuracy
        self._is_told = moves.halves | moves.is_fixed | moves.weight_power | (moves.power > 0)

    def attacks(self, attacker: Indices, move: Indices, target: Indices) -> Attacks:
        """Count n attacks.

        Parameters
        ----------
        attacker, move, target : (n,)
            Rows of the tables: forms, damaging moves, forms.
        """
        first_of_move = move * self._forms
        rows = self._rolls.find(first_of_move + attacker, first_of_move + target)
        damage, means = self._rolls.damage.take(rows, axis=0), self._rolls.mean.take(rows)
        critical_chance, hits, fewest_hits, most_hits = self._moves.take(move, axis=0).T
        hit_points = self._hit_points.take(target)
        share = (means[0] + critical_chance * (means[1] - means[0])) * hits
        accuracy = self._accuracy.take(move) * (means[0] > 0)  # there is no damage where the target is immune
        by_uses = self._knock_out_by_uses(move, means, self._rolls.variance.take(rows), hit_points)
        once, once_critical = np.count_nonzero(damage >= hit_points[:, None], axis=-1) / ROLLS
        exact = once + critical_chance * (once_critical - once)
        np.copyto(by_uses[:, 1], exact, where=self._hits_once.take(move))
        halving = self._halves.take(move)
        if halving.any():
            by_uses[halving] = self._by_halving[target[halving]]
        at_least = np.maximum(accuracy, 1e-3)
        uses = (1 + (1 - by_uses[:, 1:-1]).sum(1)) / at_least
        far = np.maximum(hit_points / np.maximum(share, 1e-3) / at_least, uses)
        share /= hit_points
        return Attacks(
            accuracy=accuracy,
            damage_share=share,
            expected_damage=np.where(halving, 0.5, share) * accuracy * self._is_told.take(move),
            lowest_share=damage[0, :, 0] * fewest_hits / hit_points,
            highest_share=damage[0, :, -1] * most_hits / hit_points,
            knock_out_in_uses=by_uses,
            uses_to_knock_out=np.where(by_uses[:, -1] > 0.5, uses, np.minimum(far, MOST_TELLING_USES)),
        )

    def _knock_out_by_uses(self, move: Indices, means: Floats, variances: Floats, hit_points: Ints) -> Floats:
        """Chance that the target is down after 0 … MAX_USES uses that hit; shape (n, MAX_USES + 1).

        Sums of rolls are taken as normal, given the number of critical hits, which is good to about 0.01.
        """
        mean, variance = means[0, :, None, None], variances[0, :, None, None]
        hits = self._hits_by_use.take(move, axis=0)[:, None]
        criticals = self._criticals.take(move, axis=0)
        total = criticals * (means[1] - means[0])[:, None, None]
        total += hits * mean
        total -= (hit_points - 0.5)[:, None, None]
        spread = criticals
        spread *= (variances[1] - variances[0])[:, None, None]
        spread += hits * variance
        spread += self._variance_by_use.take(move, axis=0)[:, None] * mean**2 + 0.08
        total /= np.sqrt(spread, out=spread)
        down = _normal_cdf(total)
        down *= self._critical_weights.take(move, axis=0)
        result = np.zeros((len(move), MAX_USES + 1))
        np.minimum(down.sum(1), 1, out=result[:, 1:])
        return result


def _knock_out_by_halving(hit_points: Ints) -> Floats:
    """Super Fang takes half of what is left, rounded down, and at least 1."""
    uses = np.ceil(np.log2(hit_points)) + 1
    return (np.arange(MAX_USES + 1) >= uses[:, None]).astype(np.float64)


def _normal_cdf(x: Floats) -> Floats:
    """Within 1.5e-4 of the normal distribution function (numpy has none): logistic in x and its cube.

    Writes over what it is given.
    """
    np.minimum(np.maximum(x, -6, out=x), 6, out=x)  # faster than clip on small arrays
    cubic = 0.07056 * x
    cubic *= x
    cubic += 1.5976
    cubic *= np.negative(x, out=x)
    np.exp(cubic, out=cubic)
    cubic += 1
    return np.asarray(np.divide(1, cubic, out=cubic))


def uses_by_turn() -> Ints:
    """How many uses have struck by each turn, per rhythm: every turn, charged (2, 4, …), recharged (1, 3, …), Bide,
    only in the first turn.

    Returns
    -------
    Shape (5, TURNS + 1), turn 0 first.
    """
    turn = np.arange(TURNS + 1)
    rhythms = [turn, turn // 2, (turn + 1) // 2, turn // 3, np.minimum(turn, 1)]
    return np.asarray(np.minimum(np.stack(rhythms), MAX_USES), dtype=np.int64)
