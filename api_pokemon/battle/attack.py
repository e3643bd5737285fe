"""What one attack does: its damage, and how soon it knocks the target out.

An attack is (attacker form, damaging move, target form). Everything here is vectorised over attacks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.stats import ROLLS, damage_rolls
from api_pokemon.battle.tables import MAX_USES, DuelTables, MoveTable

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
    attacker, move, target : (n,) rows of the tables
    accuracy : (n,) chance that a use hits, in [0, 1]
    damage_share : (n,) mean damage of a use that hits, as a share of the target's HP (above 1: overkill)
    expected_damage : (n,) the same of any use, misses included; 0 where it depends on what the target does (Counter)
    lowest_share, highest_share : (n,) the least and the most that a use that hits does without a critical hit
    knock_out_in_uses : (n, MAX_USES + 1) chance that the target is down after so many hits, from 0 on
    uses_to_knock_out : (n,) mean uses, misses included, in [1, ...)
    type_multiplier, stab : (n,)
    """

    attacker: Indices
    move: Indices
    target: Indices
    accuracy: Floats
    damage_share: Floats
    expected_damage: Floats
    lowest_share: Floats
    highest_share: Floats
    knock_out_in_uses: Floats
    uses_to_knock_out: Floats
    type_multiplier: Floats
    stab: NDArray[np.bool_]


def attacks(tables: DuelTables, attacker: Indices, move: Indices, target: Indices) -> Attacks:
    """Count n attacks.

    Parameters
    ----------
    attacker, move, target : (n,)
        Rows of ``tables``: forms, damaging moves, forms.
    """
    moves = tables.moves
    physical = moves.physical[move]
    multiplier = tables.effectiveness[moves.type[move], target]
    stab = tables.has_type[attacker, moves.type[move]]
    hit_points = tables.hit_points[target]
    power = np.where(moves.weight_power[move], tables.weight_power[target], moves.power[move])
    striker = np.where(moves.target_attack[move], target, attacker)
    offense = np.where(physical, tables.attack[striker], tables.special_attack[striker])
    defense = np.where(physical, tables.defense[target], tables.special_defense[target])
    damage = damage_rolls(power, offense, defense, stab, multiplier)
    fixed = moves.is_fixed[move]
    if fixed.any():
        damage[:, fixed] = _fixed_damage(tables, move[fixed], target[fixed]) * (multiplier[fixed] > 0)[:, None]
    means = damage.sum(-1) / ROLLS
    mean = (means[0] + moves.critical_chance[move] * (means[1] - means[0])) * moves.hits[move]
    accuracy = moves.accuracy[move] * (multiplier > 0)
    by_uses = _knock_out_by_uses(moves, move, damage, means, hit_points)
    halving = moves.halves[move]
    if halving.any():
        by_uses[halving] = _knock_out_by_halving(hit_points[halving])
    uses = (1 + (1 - by_uses[:, 1:-1]).sum(1)) / np.maximum(accuracy, 1e-3)
    far = np.maximum(hit_points / np.maximum(mean, 1e-3) / np.maximum(accuracy, 1e-3), uses)
    return Attacks(
        attacker=attacker,
        move=move,
        target=target,
        accuracy=accuracy,
        damage_share=mean / hit_points,
        expected_damage=np.where(halving, 0.5, mean / hit_points) * accuracy * (halving | fixed | (power > 0)),
        lowest_share=damage[0, :, 0] * moves.fewest_hits[move] / hit_points,
        highest_share=damage[0, :, -1] * moves.most_hits[move] / hit_points,
        knock_out_in_uses=by_uses,
        uses_to_knock_out=np.where(by_uses[:, -1] > 0.5, uses, np.minimum(far, MOST_TELLING_USES)),
        type_multiplier=multiplier,
        stab=stab,
    )


def _fixed_damage(tables: DuelTables, move: Indices, target: Indices) -> Ints:
    """Damage that stats do not change, per roll: a constant, an even spread (Psywave), or all HP (a one-hit KO)."""
    low, high = tables.moves.fixed_low[move], tables.moves.fixed_high[move]
    spread = low[:, None] + (high - low)[:, None] * np.arange(ROLLS) // (ROLLS - 1)
    return np.where(tables.moves.one_hit[move][:, None], tables.hit_points[target][:, None], spread)


def _knock_out_by_uses(moves: MoveTable, move: Indices, damage: Ints, means: Floats, hit_points: Ints) -> Floats:
    """Chance that the target is down after 0 … MAX_USES uses that hit; shape (n, MAX_USES + 1).

    One use of a single-hit move is exact. Sums of rolls are taken as normal, given the number of critical hits, which
    is good to about 0.01.
    """
    variances = (damage * damage).sum(-1) / ROLLS - means * means
    (mean, mean_critical), (variance, variance_critical) = means[:, :, None, None], variances[:, :, None, None]
    hits = (_USES * moves.hits[move][:, None])[:, None]
    criticals = moves.criticals[move]
    total = hits * mean + criticals * (mean_critical - mean)
    spread = hits * variance + criticals * (variance_critical - variance)
    spread += _USES * moves.hits_variance[move][:, None, None] * mean**2 + 0.08
    down = _normal_cdf((total - (hit_points[:, None, None] - 0.5)) / np.sqrt(spread))
    result = np.zeros((len(move), MAX_USES + 1))
    result[:, 1:] = np.minimum((moves.critical_weights[move] * down).sum(1), 1)
    once, once_critical = (damage >= hit_points[:, None]).sum(-1) / ROLLS
    exact = once + moves.critical_chance[move] * (once_critical - once)
    result[:, 1] = np.where(moves.hits[move] == 1, exact, result[:, 1])
    return result


def _knock_out_by_halving(hit_points: NDArray[np.int64]) -> Floats:
    """Super Fang takes half of what is left, rounded down, and at least 1."""
    uses = np.ceil(np.log2(hit_points)) + 1
    return (np.arange(MAX_USES + 1) >= uses[:, None]).astype(np.float64)


def _normal_cdf(x: Floats) -> Floats:
    """Within 1.5e-4 of the normal distribution function (numpy has none): logistic in x and its cube."""
    x = np.minimum(np.maximum(x, -6), 6)  # faster than clip on small arrays
    return np.asarray(1 / (1 + np.exp(-x * (1.5976 + 0.07056 * x * x))))


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
