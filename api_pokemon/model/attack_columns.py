"""What the features and the formulas need of one attack, by name, and what of it follows from the move alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.attack import Attacks
from api_pokemon.battle.tables import RHYTHMS, STAT_NAMES, STATUS_IMMUNE, DuelTables

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
PREVENTING = ("par", "frz", "confusion")
PREVENTS = (0.25, 0.8, 0.25)
"""Share of its turns that each of ``PREVENTING`` takes while it lasts."""
PER_TURN = np.array([1, 0.5, 0.5, 1 / 3, 0.0], dtype=np.float32)
"""Uses a turn, per rhythm, in the long run."""
HIDDEN = (
    *(f"never_{status}_hit" for status in PREVENTING),
    *(f"never_{status}" for status in STATUSES),
    "own_stages", "target_stages",
    "if_physical_attack", "if_physical_defense", "if_special_attack", "if_special_defense",
    "per_turn", "planned", "planned_share", "flinch_turn", "spread", "leech", "own_loss",
    "burn_weakens", "facade", "rage", "charges", "accuracy_step",
)  # fmt: skip
"""What the formulas need of an attack beside its features.

never_…_hit, never_… : logarithms of the chances that a status does not come of a use, hit or not, and of a hit
own_stages, target_stages : those of the user's attack and of the target's defense that count for this move
if_physical_…, if_special_… : what it does to the attack of the target, if that uses a physical or a special move; and
    to the defense of the user
per_turn, planned, planned_share : uses in a mean turn of a long duel, those that hit, and the damage they do
flinch_turn : chance that the target cannot move in a turn
spread : variance of the turns to a knock-out, by misses, rolls and critical hits, over their number
leech, own_loss : of a use that hits: HP that the target loses later, and that the user loses, or gains below 0
burn_weakens : a half where a burn halves the damage
facade, rage, charges : 0 or 1
accuracy_step : accuracy in hundredths
"""
COLUMN = {name: place for place, name in enumerate((*ATTACK_FEATURES, *HIDDEN))}
ACCURACY_STEPS = 100
TIE_BITS = 18
"""Lower bits of ``AttackRows.precedence``, which decide who is told first in a speed tie."""

Rows = NDArray[np.float32]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class AttackRows:
    """What the features need of n attacks.

    Attributes
    ----------
    numbers : the attacks themselves
    move : (n,) row of the moves
    columns : (n, len(COLUMN)) float32, the features, then what only the formulas need
    curve : (n, MAX_USES + 1) float32, chance of a knock-out after so many hits
    by_turn : (n, TURNS + 1) float32, the same by each turn, if nobody hinders
    precedence : (n,) the larger of two is told first; its bits above ``TIE_BITS`` are equal in a speed tie
    """

    numbers: Attacks
    move: Indices
    columns: Rows
    curve: Rows
    by_turn: Rows
    precedence: Indices


def block(first: str, last: str) -> slice:
    """Columns from one name to another."""
    return slice(COLUMN[first], COLUMN[last] + 1)


def special_case(showdown_id: str) -> int:
    """Place among ``SPECIAL_CASES``, from 1; 0 for other moves."""
    return SPECIAL_CASES.index(showdown_id) + 1 if showdown_id in SPECIAL_CASES else 0


class MoveColumns:
    """The columns that follow from the move, and from what the target is immune to; the others are 0.

    Parameters
    ----------
    tables
        The dex as arrays.

    Attributes
    ----------
    columns : (rows, len(COLUMN)) float32
    row : (moves x forms,)
        Row of ``columns`` of a move on a target, at ``move x forms + form``.
    """

    def __init__(self, tables: DuelTables) -> None:
        moves = tables.moves
        immunities, immunity = np.unique(tables.status_immune, axis=0, return_inverse=True)
        works = tables.effectiveness[moves.type] > 0
        variants = 2 * len(immunities)
        row = np.arange(len(moves.ids))[:, None] * variants + 2 * immunity.reshape(1, -1) + works
        self.row = row.astype(np.int32).ravel()
        move = np.repeat(np.arange(len(moves.ids)), variants)
        immune = np.tile(np.repeat(immunities, 2, axis=0), (len(moves.ids), 1))
        self.columns = _features(tables, move, immune, np.tile([False, True], len(move) // 2))
        _put_hidden(self.columns)


def _features(tables: DuelTables, move: Indices, immune: NDArray[np.bool_], works: NDArray[np.bool_]) -> Rows:
    """Columns of the features; effects on the target are none where it is immune to the move, or to the status."""
    moves = tables.moves
    columns = np.zeros((len(move), len(COLUMN)), dtype=np.float32)
    for name in ("critical_chance", "priority", "rhythm", "hits", "physical", "one_hit", "crash",
                 "self_destruct", "lock", "trap", "flinch", "confusion", "pp"):  # fmt: skip
        columns[:, COLUMN[name]] = getattr(moves, name)[move]
    columns[:, COLUMN["fixed"]] = moves.is_fixed[move]
    columns[:, COLUMN["special_case"]] = np.array([special_case(name) for name in moves.showdown_ids])[move]
    columns[:, block("par", f"own_{STAT_NAMES[-1]}")] = np.concatenate(
        [moves.status, moves.target_stages, moves.own_stages], axis=1
    )[move]
    columns[:, COLUMN["accuracy"]] = moves.accuracy[move] * works
    columns[:, block("flinch", f"target_{STAT_NAMES[-1]}")] *= works[:, None]
    columns[:, block("par", "frz")] *= ~immune
    return columns


def _put_hidden(columns: Rows) -> None:
    """Fill the columns of ``HIDDEN`` that follow from features of the move."""

    def get(name: str) -> Rows:
        return columns[:, COLUMN[name]]

    def put(name: str, values: NDArray[np.generic]) -> None:
        columns[:, COLUMN[name]] = values

    accuracy, rhythm, case = get("accuracy"), get("rhythm").astype(np.intp), get("special_case")
    statuses = {name: np.minimum(get(name), 1 - 1e-6) for name in STATUSES}
    for name in STATUSES:
        put(f"never_{name}", np.log1p(-statuses[name]))
    for name in PREVENTING:
        put(f"never_{name}_hit", np.log1p(-statuses[name] * accuracy))
    physical = get("physical") > 0
    put("own_stages", np.where(physical, get("own_attack"), get("own_special_attack")))
    put("target_stages", np.where(physical, get("target_defense"), get("target_special_defense")))
    for kind, of_kind in (("physical", ""), ("special", "special_")):
        put(f"if_{kind}_attack", get(f"target_{of_kind}attack"))
        put(f"if_{kind}_defense", get(f"own_{of_kind}defense"))
    put("per_turn", PER_TURN[rhythm])
    put("planned", accuracy * PER_TURN[rhythm])
    put("flinch_turn", get("flinch") * accuracy * (rhythm == 0))
    at_least = np.maximum(accuracy, 0.05)
    put("spread", (1 - at_least) / at_least + 0.03)
    seeds = (case == special_case("sappyseed")) / 8
    put("leech", (get("trap") > 0) / 8 + seeds)
    put("own_loss", -seeds)
    facade = case == special_case("facade")
    put("facade", facade)
    put("rage", case == special_case("rage"))
    put("burn_weakens", 0.5 * (physical & ~facade))
    put("charges", rhythm == RHYTHMS.index("charge"))
    put("accuracy_step", np.rint(accuracy * ACCURACY_STEPS))
