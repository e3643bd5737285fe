"""What one attack does: its damage, and how soon it knocks the target out.

An attack is (attacker form, damaging move, target form). Everything here is vectorised over attacks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.stats import ROLLS, damage_rolls
from api_pokemon.battle.tables import DuelTables

MAX_USES = 10
"""A knock-out that takes more successful uses than this is told as this many."""
TURNS = 12
"""Knock-outs are followed over this many turns."""

Indices = NDArray[np.intp]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Attacks:
    """Numbers of n attacks; every array has n rows.

    Attributes
    ----------
    attacker, move, target : (n,) rows of the tables
    accuracy : (n,) chance that a use hits, in [0, 1]
    damage_share : (n,) mean damage of a use that hits, as a share of the target's HP (above 1: overkill)
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
    normal = damage_rolls(power, offense, defense, stab, multiplier, critical=False)
    critical = damage_rolls(power, offense, defense, stab, multiplier, critical=True)
    fixed = moves.is_fixed[move]
    if fixed.any():
        amount = _fixed_damage(tables, move[fixed], target[fixed]) * (multiplier[fixed] > 0)[:, None]
        normal[fixed] = amount
        critical[fixed] = amount
    critical_chance = moves.critical_chance[move]
    hits, hits_variance = moves.hits[move], moves.hits_variance[move]

    mean_normal, mean_critical = normal.mean(1), critical.mean(1)
    mean_hit = mean_normal + critical_chance * (mean_critical - mean_normal)
    accuracy = moves.accuracy[move] * (multiplier > 0)
    by_uses = _knock_out_by_uses(normal, critical, critical_chance, hits, hits_variance, hit_points)
    halving = moves.halves[move]
    if halving.any():
        by_uses[halving] = _knock_out_by_halving(hit_points[halving])
    with np.errstate(divide="ignore"):
        uses = (1 + (1 - by_uses[:, 1:-1]).sum(1)) / np.where(accuracy > 0, accuracy, 1e-3)
    far = np.maximum(hit_points / np.maximum(mean_hit * hits, 1e-3) / np.maximum(accuracy, 1e-3), uses)
    return Attacks(
        attacker=attacker,
        move=move,
        target=target,
        accuracy=accuracy,
        damage_share=mean_hit * hits / hit_points,
        lowest_share=normal[:, 0] * moves.fewest_hits[move] / hit_points,
        highest_share=normal[:, -1] * moves.most_hits[move] / hit_points,
        knock_out_in_uses=by_uses,
        uses_to_knock_out=np.where(by_uses[:, -1] > 0.5, uses, np.minimum(far, 99.0)),
        type_multiplier=multiplier,
        stab=stab,
    )


def _fixed_damage(tables: DuelTables, move: Indices, target: Indices) -> NDArray[np.int64]:
    """Damage that stats do not change, per roll: a constant, an even spread (Psywave), or all HP (a one-hit KO)."""
    low, high = tables.moves.fixed_low[move], tables.moves.fixed_high[move]
    spread = low[:, None] + (high - low)[:, None] * np.arange(ROLLS) // (ROLLS - 1)
    return np.where(tables.moves.one_hit[move][:, None], tables.hit_points[target][:, None], spread)


def _knock_out_by_uses(
    normal: NDArray[np.int64],
    critical: NDArray[np.int64],
    critical_chance: Floats,
    hits: Floats,
    hits_variance: Floats,
    hit_points: NDArray[np.int64],
) -> Floats:
    """Chance that the target is down after 0 … MAX_USES uses that hit.

    One use of a single-hit move is exact. Sums of rolls are taken as normal, given the number of critical hits
    (0, 1 or 2 and more), which is good to about 0.01.
    """
    n = len(normal)
    result = np.zeros((n, MAX_USES + 1))
    uses = np.arange(1, MAX_USES + 1)
    total_hits = uses * hits[:, None]
    mean_normal, mean_critical = normal.mean(1)[:, None], critical.mean(1)[:, None]
    spread_normal, spread_critical = normal.var(1)[:, None], critical.var(1)[:, None]
    chance = critical_chance[:, None]
    none = (1 - chance) ** total_hits
    one = total_hits * chance * (1 - chance) ** (total_hits - 1)
    # Two and more critical hits are taken as their mean number.
    more = np.maximum(1 - none - one, 1e-12)
    mean_more = np.clip((total_hits * chance - one) / more, 2, None)
    need = hit_points[:, None] - 0.5
    for weight, criticals in ((none, 0.0), (one, 1.0), (more, np.minimum(mean_more, total_hits))):
        mean = (total_hits - criticals) * mean_normal + criticals * mean_critical
        variance = (total_hits - criticals) * spread_normal + criticals * spread_critical
        variance = variance + uses * hits_variance[:, None] * mean_normal**2
        result[:, 1:] += weight * _normal_cdf((mean - need) / np.sqrt(variance + 0.08))
    once = (1 - critical_chance) * (normal >= hit_points[:, None]).mean(1)
    once += critical_chance * (critical >= hit_points[:, None]).mean(1)
    single = hits == 1
    result[single, 1] = once[single]
    return np.clip(result, 0, 1)


def _knock_out_by_halving(hit_points: NDArray[np.int64]) -> Floats:
    """Super Fang takes half of what is left, rounded down, and at least 1."""
    uses = np.ceil(np.log2(hit_points + 1)).astype(np.int64)
    return (np.arange(MAX_USES + 1) >= uses[:, None]).astype(np.float64)


def _normal_cdf(x: Floats) -> Floats:
    """Within 1.5e-4 of the normal distribution function (numpy has none): logistic in x and its cube."""
    x = np.clip(x, -6, 6)
    return np.asarray(1 / (1 + np.exp(-x * (1.5976 + 0.07056 * x * x))))


def uses_by_turn() -> NDArray[np.int64]:
    """How many uses have struck by each turn, per rhythm: every turn, charged (2, 4, …), recharged (1, 3, …), Bide,
    only in the first turn.

    Returns
    -------
    Shape (5, TURNS + 1), turn 0 first.
    """
    turn = np.arange(TURNS + 1)
    rhythms = [turn, turn // 2, (turn + 1) // 2, turn // 3, np.minimum(turn, 1)]
    return np.asarray(np.minimum(np.stack(rhythms), MAX_USES), dtype=np.int64)
