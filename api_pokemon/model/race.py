"""What two committed attacks come to, turn by turn and in the long run: the physics behind the features.

Everything takes *sides*: shape (2, n, len(ATTACK_FEATURES)), the first to move, then the second, so that both are
counted in one go. What one side does to the other stands in its own row; ``values[::-1]`` is the other side's.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.tables import RHYTHMS, STAT_NAMES, STATUS_IMMUNE

SPECIAL_CASES = (
    "bide", "counter", "mirrorcoat", "suckerpunch", "fakeout", "rage", "superfang", "psywave", "dreameater",
    "sappyseed", "freezyfrost", "sparklyswirl", "baddybad", "glitzyglow", "dig", "fly", "triattack",
    "brickbreak", "clearsmog", "facade", "uturn", "skullbash", "earthquake", "thunder", "gust", "twister",
)  # fmt: skip
"""Moves whose effect is code in the simulator, not data; the feature is the place in this list, from 1."""
ATTACK_FEATURES = (
    "damage_share", "lowest_share", "highest_share", "knock_out_1", "knock_out_2", "knock_out_3",
    "uses_to_knock_out", "accuracy", "critical_chance", "priority", "rhythm", "hits", "physical", "fixed", "one_hit",
    "recoil_share", "drain_share", "crash", "self_destruct", "lock", "trap", "flinch", "confusion",
    *STATUS_IMMUNE,
    *(f"target_{stat}" for stat in STAT_NAMES),
    *(f"own_{stat}" for stat in STAT_NAMES),
    "special_case", "pp", "hit_points", "speed", "struggle_share",
)  # fmt: skip
STATUSES = ("par", "brn", "psn", "frz", "confusion")
HIDDEN = (
    *(f"never_{status}_hit" for status in STATUSES),
    *(f"never_{status}" for status in STATUSES),
    "own_stages", "target_stages",
)  # fmt: skip
"""What the formulas need of an attack beside its features: logarithms of the chances that a status does not come of a
use, hit or not, and of a hit; and the stages that count for a physical, or a special, move."""
COLUMN = {name: place for place, name in enumerate((*ATTACK_FEATURES, *HIDDEN))}

REACHES = {"dig": ("earthquake",), "fly": ("thunder", "gust", "twister")}
"""What hits a target that is away while it charges."""
PREVENTS = np.array([0.25, 0, 0, 0.8, 0.25], dtype=np.float32)
"""Share of its turns that each of ``STATUSES`` takes while it lasts."""
PER_TURN = np.array([1, 0.5, 0.5, 1 / 3, 0.0], dtype=np.float32)
"""Uses a turn, per rhythm, in the long run."""
CHARGE, RECHARGE = RHYTHMS.index("charge"), RHYTHMS.index("recharge")
MIN_LOST = 0.01

Rows = NDArray[np.float32]
Ints = NDArray[np.int64]

_STATUS_COLUMNS = [COLUMN[name] for name in STATUSES]
_NEVER_OF_USE = slice(COLUMN["never_par_hit"], COLUMN["never_confusion_hit"] + 1)
_NEVER_OF_HIT = slice(COLUMN["never_par"], COLUMN["never_confusion"] + 1)


def special_case(showdown_id: str) -> int:
    """Place among ``SPECIAL_CASES``, from 1; 0 for other moves."""
    return SPECIAL_CASES.index(showdown_id) + 1 if showdown_id in SPECIAL_CASES else 0


def _away_table() -> NDArray[np.bool_]:
    """Whether the user of a move (row) is out of reach of an attack (column) while it charges."""
    away = np.zeros((len(SPECIAL_CASES) + 1,) * 2, dtype=np.bool_)
    for move, reached_by in REACHES.items():
        away[special_case(move)] = True
        away[special_case(move), [special_case(attack) for attack in reached_by]] = False
    return away


AWAY = _away_table()
_FACADE, _RAGE, _BRICK_BREAK, _SAPPY_SEED = map(special_case, ("facade", "rage", "brickbreak", "sappyseed"))
_BIDE, _COUNTER, _MIRROR_COAT = map(special_case, ("bide", "counter", "mirrorcoat"))
_REFLECT, _LIGHT_SCREEN = map(special_case, ("baddybad", "glitzyglow"))


class Sides:
    """Columns of both sides, by name, with what several of the formulas below need."""

    def __init__(self, columns: Rows) -> None:
        self._columns = columns
        self.accuracy = self["accuracy"]
        self.rhythm = self["rhythm"].astype(np.intp)
        self.case = self["special_case"].astype(np.intp)
        self.physical = self["physical"] > 0
        self.never_of_use = columns[..., _NEVER_OF_USE]
        self.never_of_hit = columns[..., _NEVER_OF_HIT]
        self.fewest_uses = self["uses_to_knock_out"].min(0)
        flinched = self["flinch"][0] * self.accuracy[0] * (self.rhythm[0] == 0)
        # A flinch takes the turn of the second only: the first has moved.
        self.not_flinched = np.ones_like(self.accuracy)
        self.not_flinched[1] -= flinched

    def __getitem__(self, name: str) -> Rows:
        return self._columns[..., COLUMN[name]]


def hindered(sides: Sides) -> tuple[Rows, Ints]:
    """Accuracy and rhythm of both sides, as the other's move leaves them; each of shape (2, n).

    Paralysis takes a quarter of the turns, confusion some, freezing most; each counts for half of the turns that the
    duel is likely to last. A target that is underground or in the air is missed.
    """
    turns = _between((sides.fewest_uses - 1) / 2, 0, 5)
    struck = 1 - np.exp(sides.never_of_use * turns[:, None])
    left = np.prod(1 - PREVENTS * struck, axis=-1)[::-1] * sides.not_flinched
    accuracy = sides.accuracy * _uninterrupted(left, sides.rhythm)
    away = AWAY[sides.case[::-1], sides.case] & (sides.rhythm == 0)
    # The first misses while the second is away in its second turn; the second misses in the first's first.
    sheltered = np.array([[RECHARGE], [CHARGE]])
    return accuracy, np.where(away, sheltered, sides.rhythm)


def race(by_turn: Rows, tie: NDArray[np.bool_]) -> Rows:
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
    wins = np.stack([(now[0] * standing[1, :, :-1]).sum(-1), (now[1] * standing[0, :, 1:]).sum(-1)])
    if tie.any():
        same_turn = 0.5 * tie * (now[0] * now[1]).sum(-1)
        wins[0] -= same_turn
        wins[1] += same_turn
    return np.asarray(wins)


class LongRun(NamedTuple):
    """Turns that each side needs when all is spread evenly, shape (2, n), and the chance that the first needs fewer."""

    turns: Rows
    first_ahead: Rows


def long_run(sides: Sides, tie: NDArray[np.bool_]) -> LongRun:
    """What a long duel comes to.

    Effects that grow with time (statuses, stages, screens) count with their mean over half of the shorter side's turns.
    """
    turns = np.reciprocal(np.maximum(_lost_per_turn(sides), MIN_LOST))
    accuracy = np.maximum(sides.accuracy, 0.05)
    # Variance of misses, and of rolls and critical hits.
    variance = turns * ((1 - accuracy) / accuracy + 0.03)
    ahead = (turns[1] - turns[0] + 0.5 * ~tie) / np.sqrt(variance.sum(0) + 0.3)
    return LongRun(turns, np.asarray(1 / (1 + np.exp(-1.7 * _between(ahead, -9, 9))), dtype=np.float32))


def returned(sides: Sides) -> Rows:
    """Damage that Counter, Mirror Coat or Bide gives back, as a share of the other's HP; 0 for other moves."""
    taken_physical = sides.physical[::-1]
    answers = ((sides.case == _COUNTER) & taken_physical) | ((sides.case == _MIRROR_COAT) & ~taken_physical)
    times = 2 * answers + 4 * (sides.case == _BIDE)  # Bide stores the damage of two turns
    hit_points = sides["hit_points"]
    return np.asarray(times * sides["damage_share"][::-1] * hit_points / hit_points[::-1], dtype=np.float32)


def pp_need(sides: Sides, turns: Rows) -> Rows:
    """Uses needed in the long run, as a share of those that PP allows; Struggle follows."""
    return np.asarray(turns * PER_TURN[sides.rhythm] / sides["pp"])


def put_hidden(columns: Rows) -> None:
    """Fill the columns of ``HIDDEN`` from the others, which are given; shape (n, len(COLUMN))."""
    statuses = np.minimum(columns[:, _STATUS_COLUMNS], 1 - 1e-6)
    columns[:, _NEVER_OF_USE] = np.log1p(-statuses * columns[:, COLUMN["accuracy"], None])
    columns[:, _NEVER_OF_HIT] = np.log1p(-statuses)
    physical = columns[:, COLUMN["physical"]] > 0
    for hidden, stat in (("own_stages", "own_attack"), ("target_stages", "target_defense")):
        special = columns[:, COLUMN[_special(stat)]]
        columns[:, COLUMN[hidden]] = np.where(physical, columns[:, COLUMN[stat]], special)


def _special(stat: str) -> str:
    """The special counterpart of a column: ``own_special_attack`` of ``own_attack``."""
    return stat.replace("_", "_special_", 1)


def _uninterrupted(left: Rows, rhythm: Ints) -> Rows:
    """A charged move needs two turns in a row: left² / (1 + left) uses a turn, not left / 2."""
    return np.where(rhythm == CHARGE, 2 * left * left / (1 + left), left)


def _lost_per_turn(sides: Sides) -> Rows:
    """Share of its HP that the other side loses in a mean turn: to the move, to what it leaves behind, to itself."""
    half = _between(sides.fewest_uses / 2, 0.5, 6)
    planned = sides.accuracy * PER_TURN[sides.rhythm]
    hits = planned * _uninterrupted(sides.not_flinched, sides.rhythm)
    struck = 1 - np.exp(sides.never_of_hit * (hits * half)[..., None])
    paralysed, burned, poisoned = struck[..., 0], struck[..., 1], struck[..., 2]
    # Not by `@`: in which order BLAS adds up depends on the number of rows, and no duel's row may depend on others.
    prevented = (struck * PREVENTS).sum(-1)
    acting = np.maximum(1 - prevented, 0.05)[::-1] * sides.not_flinched
    seeded = (sides.case == _SAPPY_SEED) * hits / 8
    lost = sides["damage_share"] * planned * _uninterrupted(acting, sides.rhythm)
    lost = lost * _strength(sides, hits, half, paralysed, burned, poisoned)
    lost += poisoned / 8 + burned / 16 + (sides["trap"] > 0) * hits / 8 + seeded
    lost += ((sides["recoil_share"] - sides["drain_share"]) * hits - seeded)[::-1]
    return np.asarray(lost, dtype=np.float32)


def _strength(sides: Sides, hits: Rows, half: Rows, paralysed: Rows, burned: Rows, poisoned: Rows) -> Rows:
    """Factor of each side's damage: stages, burns, screens, Facade; 1 for damage that no stat changes."""
    physical, other_hits = sides.physical, hits[::-1]

    def stages_by_other(name: str) -> Rows:
        return np.where(physical, sides[name][::-1], sides[_special(name)][::-1]) * other_hits

    attack = sides["own_stages"] * hits + stages_by_other("target_attack") + other_hits * (sides.case == _RAGE)
    defense = sides["target_stages"] * hits + stages_by_other("own_defense")
    facade = sides.case == _FACADE
    suffers = np.maximum(np.maximum(paralysed, burned), poisoned)[::-1]
    attack_factor, defense_factor = _stage_factor(np.stack([attack, defense]) * half)
    strength = attack_factor / defense_factor
    strength = strength * (1 - 0.5 * burned[::-1] * (physical & ~facade)) * (1 + facade * suffers)
    screened = sides.case[::-1] == np.where(physical, _REFLECT, _LIGHT_SCREEN)
    strength = np.where(screened & (sides.case != _BRICK_BREAK), 0.5 * strength, strength)
    return np.where(sides["fixed"] > 0, np.float32(1), strength)


def _stage_factor(stages: Rows) -> Rows:
    """Factor of a stat at a number of stages, fractions included: (2 + s) / 2 above 0, 2 / (2 − s) below."""
    stages = _between(stages, -6, 6)
    return np.asarray(np.maximum(2, 2 + stages) / np.maximum(2, 2 - stages))


def _between(values: Rows, low: float, high: float) -> Rows:
    """As ``numpy.clip``, which takes five times as long on what a request has."""
    return np.asarray(np.minimum(np.maximum(values, low), high))
