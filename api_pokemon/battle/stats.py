"""Stats under the duel rules, and the damage formula, over whole arrays."""

import numpy as np
from numpy.typing import NDArray

LEVEL = 50
INDIVIDUAL_VALUE = 31
FRIENDSHIP = 70
LEVEL_FACTOR = 2 * LEVEL // 5 + 2
ROLLS = 16
"""Damage is scaled by one of sixteen equally likely factors, 0.85 to 1.00."""

_ROLL_PERCENT = np.arange(101 - ROLLS, 101)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def hit_points(base: Ints) -> Ints:
    """Maximum HP from base HP (no Awakening Values).

    Formula: Showdown, ``gen7letsgo`` ``statModify``.

    >>> hit_points(np.array([45, 250]))
    array([120, 325])
    """
    return (2 * base + INDIVIDUAL_VALUE + 100) * LEVEL // 100 + 10


def other_stat(base: Ints) -> Ints:
    """Any stat but HP; friendship adds up to a tenth, two hundredths at the default of 70.

    >>> other_stat(np.array([49, 130]))
    array([ 70, 153])
    """
    friendship_percent = int((FRIENDSHIP / 255 / 10 + 1) * 100)
    return ((2 * base + INDIVIDUAL_VALUE) * LEVEL // 100 + 5) * friendship_percent // 100


def damage_rolls(power: Ints, attack: Ints, defense: Ints, stab: NDArray[np.bool_], multiplier: Floats) -> Ints:
    """Damage of one hit, for each of the sixteen rolls.

    Formula and its order of rounding: Showdown, ``battle-actions`` ``getDamage`` and ``modifyDamage`` (generation 7).

    Parameters
    ----------
    power, attack, defense, stab, multiplier : shape (n,)
        Base power, the stats that count, same-type bonus, type multiplier (0, 1/4, 1/2, 1, 2 or 4).

    Returns
    -------
    Shape (2, n, 16), in HP: normal hits, then critical ones; the lowest roll first; 0 where the target is immune.

    Examples
    --------
    Pikachu's Thunderbolt on Squirtle:

    >>> one = np.array([1])
    >>> damage_rolls(90 * one, 71 * one, 85 * one, one > 0, 2.0 * one)[:, 0, [0, -1]]
    array([[ 86, 104],
           [132, 156]])
    """
    base = base_damage(power, attack, defense)
    return rolled(np.stack([base, critical_damage(base)]), stab, multiplier)


def base_damage(power: Ints, attack: Ints, defense: Ints) -> Ints:
    """Damage of a hit before its roll, which is never less than 2."""
    return LEVEL_FACTOR * power * attack // np.maximum(defense, 1) // 50 + 2


def critical_damage(base: Ints) -> Ints:
    """The same of a critical hit: half as much again, rounded down."""
    return base + base // 2


def rolled(base: Ints, stab: NDArray[np.bool_], multiplier: Floats) -> Ints:
    """Damage of each roll, shape (..., n, 16), from that before it, shape (..., n)."""
    rolls = base[..., None] * _ROLL_PERCENT // 100
    rolls = np.where(stab[:, None], (rolls * (4096 + 2048) + 2047) // 4096, rolls)
    # Halving rounds down at each step; for one or two halvings that equals one division.
    rolls = (rolls * multiplier[:, None]).astype(np.int64)
    return np.where(multiplier[:, None] > 0, np.maximum(rolls, 1), 0)
