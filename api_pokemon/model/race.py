"""What two committed attacks come to, turn by turn and in the long run: the physics behind the features.

Everything takes both *sides* at once, the first to move, then the second: shape (2, n). What one side does to the other
stands in its own row; ``values[::-1]`` is the other side's. Rows are independent of each other, to the bit: whatever is
added up is added in an order that the number of rows cannot change, so not by BLAS.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api_pokemon.model.attack_columns import COLUMN, PREVENTING, PREVENTS, STATUSES, Rows, block

MIN_LOST = 0.01

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

_NEVER_OF_USE = block(f"never_{PREVENTING[0]}_hit", f"never_{PREVENTING[-1]}_hit")
_NEVER_OF_HIT = block(f"never_{STATUSES[0]}", f"never_{STATUSES[-1]}")
_OWN_STAGES = block("own_stages", "target_stages")
_IF_PHYSICAL = block("if_physical_attack", "if_physical_defense")
_IF_SPECIAL = block("if_special_attack", "if_special_defense")


class Struck(NamedTuple):
    """Chances, shape (2, n), that what a side's hits leave behind has come about by half of the turns of the duel."""

    par: Rows
    brn: Rows
    psn: Rows
    frz: Rows
    confusion: Rows


class Sides:
    """Columns of both sides, by name, with what several of the formulas below need.

    Attributes
    ----------
    fewest_uses : (n,) mean uses that the quicker side needs
    half_turns : (n,) half of the turns that the duel lasts
    moved : (n,) chance that the second can move when it comes to it: the first may make it flinch
    charges : (2, n) whether a move is charged for a turn before it strikes
    hits : (2, n) uses that hit in a mean turn of a long duel
    """

    def __init__(self, columns: Rows) -> None:
        self.columns = columns
        uses = self["uses_to_knock_out"]
        self.fewest_uses = np.minimum(uses[0], uses[1])
        self.half_turns = _between(self.fewest_uses / 2, 0.5, 6)
        self.moved = 1 - self["flinch_turn"][0]
        self.charges = self["charges"] > 0
        self.hits = self["planned"].copy()
        self.hits[1] *= _uninterrupted(self.moved, self.charges[1])

    def __getitem__(self, name: str) -> Rows:
        return self.columns[..., COLUMN[name]]


def hindered(sides: Sides) -> Rows:
    """Accuracy of both sides as the other's move leaves it.

    Paralysis takes a quarter of the turns, confusion some, freezing most; each counts for half of the turns that the
    duel is likely to last.
    """
    turns = _between((sides.fewest_uses - 1) / 2, 0, 5)
    struck = _come_about(sides.columns[..., _NEVER_OF_USE], turns)
    paralysed, frozen, confused = (1 - share * struck[..., place] for place, share in enumerate(PREVENTS))
    left = _on_the_other(paralysed * frozen * confused, sides)
    return np.asarray(sides["accuracy"] * _uninterrupted(left, sides.charges))


def race(by_turn: Rows, tie: Bools) -> Rows:
    """Chances that the first, and the second, knocks out before the other, when hits were all there is.

    Parameters
    ----------
    by_turn : (2, n, turns + 1)
        Chance of a knock-out by each turn.
    tie : (n,)
        Whether a coin decides who strikes first in a turn.

    Returns
    -------
    Shape (2, n).
    """
    now = by_turn[..., 1:] - by_turn[..., :-1]
    standing = 1 - by_turn
    strikes = np.empty_like(now)
    np.multiply(now[0], standing[1, :, :-1], out=strikes[0])
    np.multiply(now[1], standing[0, :, 1:], out=strikes[1])
    wins = strikes.sum(-1)
    if tie.any():
        same_turn = 0.5 * tie * (now[0] * now[1]).sum(-1)
        wins[0] -= same_turn
        wins[1] += same_turn
    return np.asarray(wins)


class LongRun(NamedTuple):
    """Turns that each side needs when all is spread evenly, shape (2, n), and the chance that the first needs fewer."""

    turns: Rows
    first_ahead: Rows


def long_run(sides: Sides, tie: Bools, screens: Rows | None) -> LongRun:
    """What a long duel comes to.

    Effects that grow with time (statuses, stages, screens) count with their mean over half of the shorter side's turns.

    Parameters
    ----------
    screens : (2, n)
        What the other's screen leaves of a side's damage; None where nobody has one.
    """
    turns = np.reciprocal(np.maximum(_lost_per_turn(sides, screens), MIN_LOST))
    variance = turns * sides["spread"]
    ahead = (turns[1] - turns[0] + 0.5 * ~tie) / np.sqrt(variance[0] + variance[1] + 0.3)
    return LongRun(turns, np.asarray(1 / (1 + np.exp(-1.7 * _between(ahead, -9, 9))), dtype=np.float32))


def returned(sides: Sides, times: Floats) -> Floats:
    """Damage that Counter, Mirror Coat or Bide gives back, as a share of the other's HP.

    Parameters
    ----------
    times : (2, n)
        How often it gives back what it took; 0 of other moves.
    """
    hit_points = sides["hit_points"]
    return np.asarray(times * sides["damage_share"][::-1] * hit_points / hit_points[::-1])


def _lost_per_turn(sides: Sides, screens: Rows | None) -> Rows:
    """Share of its HP that the other side loses in a mean turn: to the move, to what it leaves behind, to itself."""
    hits = sides.hits
    chances = _come_about(sides.columns[..., _NEVER_OF_HIT], hits * sides.half_turns)
    struck = Struck(*(chances[..., place] for place in range(len(STATUSES))))
    prevented = PREVENTS[0] * struck.par + PREVENTS[1] * struck.frz + PREVENTS[2] * struck.confusion
    acting = _on_the_other(np.maximum(1 - prevented, 0.05), sides)
    lost = sides["planned_share"] * _uninterrupted(acting, sides.charges)
    lost *= _strength(sides, struck, screens)
    lost += struck.psn / 8 + struck.brn / 16 + sides["leech"] * hits
    lost += (sides["own_loss"] * hits)[::-1]
    return np.asarray(lost)


def _strength(sides: Sides, struck: Struck, screens: Rows | None) -> Rows:
    """Factor of each side's damage: stages, burns, screens, Facade; 1 for damage that no stat changes."""
    hits, columns = sides.hits[..., None], sides.columns
    physical = sides["physical"] > 0
    stages = columns[..., _OWN_STAGES] * hits  # of the attack, and of the target's defense
    by_other = np.where(physical[..., None], columns[::-1, :, _IF_PHYSICAL], columns[::-1, :, _IF_SPECIAL])
    stages += by_other * hits[::-1]
    stages[..., 0] += sides["rage"] * sides.hits[::-1]
    factors = _stage_factor(stages * sides.half_turns[:, None])
    strength = factors[..., 0] / factors[..., 1]
    strength *= 1 - sides["burn_weakens"] * struck.brn[::-1]
    facade = sides["facade"]
    if facade.any():
        strength *= 1 + facade * np.maximum(np.maximum(struck.par, struck.brn), struck.psn)[::-1]
    if screens is not None:
        strength *= screens
    np.copyto(strength, 1, where=sides["fixed"] > 0)
    return np.asarray(strength)


def _come_about(never: Rows, times: Rows) -> Rows:
    """Chances of what does not come about in one time with the chance exp(never)."""
    chances = never * times[..., None]
    np.exp(chances, out=chances)
    return np.asarray(np.subtract(1, chances, out=chances))


def _on_the_other(values: Rows, sides: Sides) -> Rows:
    """What each side's move leaves of the other's turns, flinching included."""
    left = values[::-1].copy()
    left[1] *= sides.moved
    return left


def _uninterrupted(left: Rows, charges: Bools) -> Rows:
    """A charged move needs two turns in a row: left² / (1 + left) uses a turn, not left / 2."""
    return np.where(charges, 2 * left * left / (1 + left), left)


def _stage_factor(stages: Rows) -> Rows:
    """Factor of a stat at a number of stages, fractions included: (2 + s) / 2 above 0, 2 / (2 − s) below."""
    stages = _between(stages, -6, 6)
    return np.asarray(np.maximum(2, 2 + stages) / np.maximum(2, 2 - stages))


def _between(values: Rows, low: float, high: float) -> Rows:
    """As ``numpy.clip``, which takes five times as long on what a request has."""
    return np.asarray(np.minimum(np.maximum(values, low), high))
