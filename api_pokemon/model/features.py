"""The model's features: one implementation, for training, for the tablebase and for a request.

A duel is told from the side that moves first (higher priority, then higher speed, then a fixed order), so that each
matchup has one row only, and P(A wins) = 1 − P(B wins) by construction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.attack import MAX_USES, Attacks, attacks, uses_by_turn
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
ROW_FEATURES = (
    "speed_ratio", "speed_tie", "priority_difference", "race", "race_first", "race_second", "race_plain",
    "uses_ratio", "return_share_first", "return_share_second", "turns", "turns_first", "turns_second", "long_run",
    "pp_need_first", "pp_need_second",
)  # fmt: skip
COLUMN = {name: place for place, name in enumerate(ATTACK_FEATURES)}
FEATURES = (
    *(f"first_{name}" for name in ATTACK_FEATURES),
    *(f"second_{name}" for name in ATTACK_FEATURES),
    *ROW_FEATURES,
)

ACCURACY_STEPS = 100
PER_TURN = np.array([1, 0.5, 0.5, 1 / 3, 0.0])
"""Uses a turn, per rhythm, in the long run."""
MIN_LOST = 0.01
STRUGGLE_POWER = 50
CHARGE, RECHARGE = RHYTHMS.index("charge"), RHYTHMS.index("recharge")
REACHES = {"dig": ("earthquake",), "fly": ("thunder", "gust", "twister")}
"""What hits a target that is away while it charges."""
HINDRANCES = (("par", 0.25), ("frz", 0.8), ("confusion", 0.25))
"""Share of turns that a status takes while it lasts."""

Indices = NDArray[np.intp]
Rows = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AttackRows:
    """What the features need of n attacks.

    Attributes
    ----------
    numbers : the attacks themselves
    columns : (n, len(ATTACK_FEATURES)) float32
    curve : (n, MAX_USES + 1) float32, chance of a knock-out after so many hits
    curve_by_turn : (n, TURNS + 1) float32, chance of a knock-out by each turn at the attack's own accuracy
    order : (n,) larger moves first; equal is a speed tie
    tie_break : (n,) decides who is told first in a speed tie
    """

    numbers: Attacks
    columns: Rows
    curve: Rows
    curve_by_turn: Rows
    order: NDArray[np.int64]
    tie_break: NDArray[np.int64]


class FeatureTables:
    """Turns attacks and duels into feature rows.

    Parameters
    ----------
    tables
        The dex as arrays.
    """

    def __init__(self, tables: DuelTables) -> None:
        self.tables = tables
        self._hits_by_uses = _binomial().astype(np.float32)
        self._uses = uses_by_turn()
        moves = tables.moves
        self._special_case = np.array([_special_case(move) for move in moves.showdown_ids], dtype=np.float32)

    def attacks(self, attacker: Indices, move: Indices, target: Indices) -> AttackRows:
        """Count n attacks, given as rows of the tables."""
        numbers = attacks(self.tables, attacker, move, target)
        moves = self.tables.moves
        own_hit_points = self.tables.hit_points[attacker]
        damage_of_own = numbers.damage_share * self.tables.hit_points[target] / own_hit_points
        works = numbers.type_multiplier > 0
        statuses = moves.status[move] * ~self.tables.status_immune[target] * works[:, None]
        stages = np.concatenate([moves.target_stages[move] * works[:, None], moves.own_stages[move]], axis=1)
        flinch_and_confusion = np.column_stack([moves.flinch[move], moves.confusion[move]]) * works[:, None]
        curve = numbers.knock_out_in_uses
        columns = np.column_stack(
            [
                numbers.damage_share, numbers.lowest_share, numbers.highest_share, curve[:, 1:4],
                numbers.uses_to_knock_out, numbers.accuracy, moves.critical_chance[move], moves.priority[move],
                moves.rhythm[move], moves.hits[move], moves.physical[move], moves.is_fixed[move], moves.one_hit[move],
                moves.recoil[move] * damage_of_own, moves.drain[move] * damage_of_own, moves.crash[move],
                moves.self_destruct[move], moves.lock[move], moves.trap[move], flinch_and_confusion, statuses, stages,
                self._special_case[move], moves.pp[move], own_hit_points, self.tables.speed[attacker],
                _struggle(self.tables, attacker, target),
            ]
        ).astype(np.float32)  # fmt: skip
        small_curve = curve.astype(np.float32)
        return AttackRows(
            numbers=numbers,
            columns=columns,
            curve=small_curve,
            curve_by_turn=self._by_turn(small_curve, numbers.accuracy, moves.rhythm[move]),
            order=moves.priority[move] * 1024 + self.tables.speed[attacker],
            tie_break=attacker * 1024 + move,
        )

    def duels(
        self, form_a: Indices, move_a: Indices, form_b: Indices, move_b: Indices
    ) -> tuple[Rows, NDArray[np.bool_]]:
        """Feature rows of n duels, given as rows of the tables; returns what `rows` returns."""
        each = np.arange(len(form_a))
        return self.rows(self.attacks(form_a, move_a, form_b), each, self.attacks(form_b, move_b, form_a), each)

    def _by_turn(self, curve: Rows, accuracy: NDArray[np.floating], rhythm: NDArray[np.int64]) -> Rows:
        step = np.rint(accuracy * ACCURACY_STEPS).astype(np.intp)
        hits = self._hits_by_uses[step[:, None], self._uses[rhythm]]  # (n, TURNS + 1, MAX_USES + 1)
        return np.asarray(np.matmul(hits, curve[:, :, None])[:, :, 0])

    def rows(self, a: AttackRows, a_row: Indices, b: AttackRows, b_row: Indices) -> tuple[Rows, NDArray[np.bool_]]:
        """Feature rows of n duels.

        Parameters
        ----------
        a, a_row
            Attacks of the A sides on the B sides, and which of them each duel takes; shape (n,).
        b, b_row
            The same for the B sides.

        Returns
        -------
        rows : (n, len(FEATURES)) float32
        a_first : (n,)
            Whether a row tells A's chance; else it tells B's.
        """
        order_a, order_b = a.order[a_row], b.order[b_row]
        tie = order_a == order_b
        a_first = np.where(tie, a.tie_break[a_row] <= b.tie_break[b_row], order_a > order_b)
        rows = np.empty((len(a_row), len(FEATURES)), dtype=np.float32)
        width = len(ATTACK_FEATURES)
        for attacks_, index, first in ((a, a_row, a_first), (b, b_row, ~a_first)):
            rows[first, :width] = attacks_.columns[index[first]]
            rows[~first, width : 2 * width] = attacks_.columns[index[~first]]
        first, second = rows[:, :width], rows[:, width : 2 * width]
        choose = a_first[:, None]
        by_turn_a, by_turn_b = a.curve_by_turn[a_row], b.curve_by_turn[b_row]
        plain = np.where(choose, by_turn_a, by_turn_b), np.where(choose, by_turn_b, by_turn_a)
        curve_a, curve_b = a.curve[a_row], b.curve[b_row]
        curves = np.where(choose, curve_a, curve_b), np.where(choose, curve_b, curve_a)
        hindered_first, hindered_second = _hindered(first, second)
        by_turn_first = self._by_turn(curves[0], *hindered_first)
        by_turn_second = self._by_turn(curves[1], *hindered_second)
        race_first, race_second = _race(by_turn_first, by_turn_second, tie)
        plain_first, plain_second = _race(*plain, tie)
        for loser, first_wins in ((first, 0.0), (second, 1.0)):
            gone = loser[:, COLUMN["self_destruct"]] > 0
            race_first[gone], race_second[gone] = first_wins, 1 - first_wins
        uses_first, uses_second = first[:, COLUMN["uses_to_knock_out"]], second[:, COLUMN["uses_to_knock_out"]]
        out = rows[:, 2 * width :]
        out[:, 0] = first[:, COLUMN["speed"]] / second[:, COLUMN["speed"]]
        out[:, 1] = tie
        out[:, 2] = first[:, COLUMN["priority"]] - second[:, COLUMN["priority"]]
        turns_first, turns_second, long_run = _long_run(first, second, tie)
        out[:, 3] = race_first + long_run * np.maximum(1 - race_first - race_second, 0)
        out[:, 4] = race_first
        out[:, 5] = race_second
        out[:, 6] = plain_first - plain_second
        out[:, 7] = uses_first / (uses_first + uses_second)
        out[:, 8] = _returned(first, second)
        out[:, 9] = _returned(second, first)
        out[:, 10] = np.minimum(uses_first, uses_second)
        out[:, 11] = turns_first
        out[:, 12] = turns_second
        out[:, 13] = long_run
        out[:, 14] = _pp_need(first, turns_first)
        out[:, 15] = _pp_need(second, turns_second)
        return rows, a_first


def _struggle(tables: DuelTables, attacker: Indices, target: Indices) -> NDArray[np.float64]:
    """Mean damage of Struggle (power 50, no type) as a share of the target's HP."""
    damage = 22 * STRUGGLE_POWER * tables.attack[attacker] / tables.defense[target] / 50 + 2
    return np.asarray(0.925 * damage / tables.hit_points[target])


def _special_case(showdown_id: str) -> int:
    return SPECIAL_CASES.index(showdown_id) + 1 if showdown_id in SPECIAL_CASES else 0


def _binomial() -> NDArray[np.float64]:
    """Chance of j hits in n uses at an accuracy: shape (ACCURACY_STEPS + 1, MAX_USES + 1, MAX_USES + 1)."""
    accuracy = np.linspace(0, 1, ACCURACY_STEPS + 1)
    table = np.zeros((ACCURACY_STEPS + 1, MAX_USES + 1, MAX_USES + 1))
    table[:, 0, 0] = 1
    for uses in range(1, MAX_USES + 1):
        table[:, uses] = table[:, uses - 1] * (1 - accuracy)[:, None]
        table[:, uses, 1:] += table[:, uses - 1, :-1] * accuracy[:, None]
    return table


def _hindered(first: Rows, second: Rows) -> tuple[tuple[Rows, Ints], tuple[Rows, Ints]]:
    """Accuracy and rhythm of both sides, as the other's move leaves them.

    A flinch takes the turn of the second only. Paralysis takes a quarter of the turns, confusion about a third of
    some, freezing most; each counts for half of the turns that the duel is likely to last. A target that is
    underground or in the air is missed.
    """
    uses, accuracy = COLUMN["uses_to_knock_out"], COLUMN["accuracy"]
    turns = np.clip((np.minimum(first[:, uses], second[:, uses]) - 1) / 2, 0, 5)
    results = []
    for own, other, flinches, sheltered in ((first, second, False, RECHARGE), (second, first, True, CHARGE)):
        hit = other[:, accuracy]
        left = np.ones(len(own), dtype=np.float32)
        for effect, cost in HINDRANCES:
            left *= 1 - cost * (1 - (1 - other[:, COLUMN[effect]] * hit) ** turns)
        every_turn = other[:, COLUMN["rhythm"]] == 0
        if flinches:
            left *= 1 - other[:, COLUMN["flinch"]] * hit * every_turn
        rhythm = own[:, COLUMN["rhythm"]].astype(np.int64)
        away = _away(other[:, COLUMN["special_case"]], own[:, COLUMN["special_case"]]) & (rhythm == 0)
        results.append((own[:, accuracy] * _uninterrupted(left, rhythm), np.where(away, sheltered, rhythm)))
    return results[0], results[1]


def _uninterrupted(left: Rows, rhythm: Ints) -> Rows:
    """A charged move needs two turns in a row: left² / (1 + left) uses a turn, not left / 2."""
    return np.where(rhythm == CHARGE, 2 * left * left / (1 + left), left)


def _long_run(first: Rows, second: Rows, tie: NDArray[np.bool_]) -> tuple[Rows, Rows, Rows]:
    """Turns that each side needs when everything is spread evenly, and the chance that the first needs fewer.

    Effects that grow with time (statuses, stages, screens) count with their mean over half of the shorter side's turns.
    """
    uses = COLUMN["uses_to_knock_out"]
    half = np.clip(np.minimum(first[:, uses], second[:, uses]) / 2, 0.5, 6).astype(np.float32)
    flinch = first[:, COLUMN["flinch"]] * first[:, COLUMN["accuracy"]] * (first[:, COLUMN["rhythm"]] == 0)
    lost_second = _lost_per_turn(first, second, half, np.ones_like(flinch), 1 - flinch)
    lost_first = _lost_per_turn(second, first, half, 1 - flinch, np.ones_like(flinch))
    turns_first = np.reciprocal(np.maximum(lost_second, MIN_LOST))
    turns_second = np.reciprocal(np.maximum(lost_first, MIN_LOST))
    spread = _spread(first, turns_first) + _spread(second, turns_second) + 0.3
    ahead = (turns_second - turns_first + 0.5 * ~tie) / np.sqrt(spread)
    return turns_first, turns_second, np.asarray(1 / (1 + np.exp(-1.7 * np.clip(ahead, -9, 9))), dtype=np.float32)


def _lost_per_turn(own: Rows, other: Rows, half: Rows, left: Rows, left_other: Rows) -> Rows:
    """Share of its HP that the other side loses in a mean turn: to the move, to what it leaves behind, to itself.

    ``left`` is the share of its turns that flinching leaves to a side.
    """
    rhythm, rhythm_other = (rows[:, COLUMN["rhythm"]].astype(np.intp) for rows in (own, other))
    hits = own[:, COLUMN["accuracy"]] * PER_TURN[rhythm]
    hits_other = other[:, COLUMN["accuracy"]] * PER_TURN[rhythm_other] * _uninterrupted(left_other, rhythm_other)
    physical = own[:, COLUMN["physical"]] > 0
    case, case_other = own[:, COLUMN["special_case"]], other[:, COLUMN["special_case"]]

    def after(rows: Rows, name: str, rate: Rows) -> Rows:
        return np.asarray(1 - (1 - rows[:, COLUMN[name]]) ** (rate * half))

    attack = np.where(physical, own[:, COLUMN["own_attack"]], own[:, COLUMN["own_special_attack"]]) * hits
    attack += (
        np.where(physical, other[:, COLUMN["target_attack"]], other[:, COLUMN["target_special_attack"]]) * hits_other
    )
    defense = np.where(physical, own[:, COLUMN["target_defense"]], own[:, COLUMN["target_special_defense"]]) * hits
    defense += np.where(physical, other[:, COLUMN["own_defense"]], other[:, COLUMN["own_special_defense"]]) * hits_other
    attack += hits_other * (case == _special_case("rage"))
    burned = after(other, "brn", hits_other) * physical
    poisoned = after(other, "psn", hits_other)
    facade = case == _special_case("facade")
    strength = _stage(attack * half) / _stage(defense * half)
    strength *= 1 - 0.5 * burned * ~facade
    strength *= 1 + facade * np.maximum(np.maximum(burned, poisoned), after(other, "par", hits_other))
    screened = np.where(physical, case_other == _special_case("baddybad"), case_other == _special_case("glitzyglow"))
    strength *= np.where(screened & (case != _special_case("brickbreak")), 0.5, 1)
    strength *= 1 - own[:, COLUMN["fixed"]] + own[:, COLUMN["fixed"]] / np.maximum(strength, 1e-3)
    acting = 1 - 0.25 * after(other, "par", hits_other) - 0.2 * after(other, "confusion", hits_other)
    acting -= 0.8 * after(other, "frz", hits_other)
    hits = hits * _uninterrupted(np.maximum(acting, 0.05) * left, rhythm)
    lost = own[:, COLUMN["damage_share"]] * hits * strength
    lost += after(own, "psn", hits) / 8 + after(own, "brn", hits) / 16
    lost += (own[:, COLUMN["trap"]] > 0) * hits / 8 + (case == _special_case("sappyseed")) * hits / 8
    lost += (other[:, COLUMN["recoil_share"]] - other[:, COLUMN["drain_share"]]) * hits_other
    lost -= (case_other == _special_case("sappyseed")) * hits_other / 8
    return np.asarray(lost, dtype=np.float32)


def _pp_need(rows: Rows, turns: Rows) -> Rows:
    """Uses needed in the long run, as a share of those that PP allows; Struggle follows."""
    return np.asarray(turns * PER_TURN[rows[:, COLUMN["rhythm"]].astype(np.intp)] / rows[:, COLUMN["pp"]])


def _stage(stages: Rows) -> Rows:
    """Factor of a stat at a number of stages, fractions included."""
    stages = np.clip(stages, -6, 6)
    return np.asarray(np.maximum(2, 2 + stages) / np.maximum(2, 2 - stages))


def _spread(rows: Rows, turns: Rows) -> Rows:
    """Variance of the turns needed: of misses, and of rolls and critical hits."""
    accuracy = np.maximum(rows[:, COLUMN["accuracy"]], 0.05)
    return np.asarray(turns * ((1 - accuracy) / accuracy + 0.03), dtype=np.float32)


def _away(case: Rows, attack_case: Rows) -> NDArray[np.bool_]:
    """Whether the user of a move is out of reach of an attack while it charges."""
    away = np.zeros(len(case), dtype=np.bool_)
    for move, reached_by in REACHES.items():
        reached = np.isin(attack_case, [_special_case(attack) for attack in reached_by])
        away |= (case == _special_case(move)) & ~reached
    return away


def _race(first: Rows, second: Rows, tie: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Chances that first, or second, knocks out before the other, when hits were all there is.

    Parameters
    ----------
    first, second : (n, TURNS + 1)
        Chance of a knock-out by each turn.
    tie : (n,)
        Whether a coin decides who strikes first in a turn.
    """
    now_first, now_second = np.diff(first, axis=1), np.diff(second, axis=1)
    wins_first = (now_first * (1 - second[:, :-1])).sum(1)
    wins_second = (now_second * (1 - first[:, 1:])).sum(1)
    same_turn = 0.5 * tie * (now_first * now_second).sum(1)
    return wins_first - same_turn, wins_second + same_turn


def _returned(own: Rows, other: Rows) -> NDArray[np.float32]:
    """Damage that Counter, Mirror Coat or Bide gives back, as a share of the other's HP; 0 for other moves."""
    case = own[:, COLUMN["special_case"]]
    physical = other[:, COLUMN["physical"]] > 0
    bide = case == _special_case("bide")
    works = ((case == _special_case("counter")) & physical) | ((case == _special_case("mirrorcoat")) & ~physical)
    times = 2 * works + 4 * bide  # Bide stores the damage of two turns
    taken = other[:, COLUMN["damage_share"]] * own[:, COLUMN["hit_points"]]
    return np.asarray(times * taken / other[:, COLUMN["hit_points"]], dtype=np.float32)
