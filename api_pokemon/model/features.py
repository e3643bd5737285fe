"""The model's features: one implementation, for training, for the tablebase and for a request.

A duel is told from the side that moves first (higher priority, then higher speed, then a fixed order), so that each
matchup has one row only, and P(A wins) = 1 − P(B wins) by construction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.attack import Attacks, attacks, uses_by_turn
from api_pokemon.battle.tables import MAX_USES, DuelTables
from api_pokemon.model.race import (
    ATTACK_FEATURES,
    COLUMN,
    Ints,
    Rows,
    Sides,
    hindered,
    long_run,
    pp_need,
    put_hidden,
    race,
    returned,
    special_case,
)

DUEL_FEATURES = (
    "speed_ratio", "speed_tie", "priority_difference", "race", "race_first", "race_second",
    "uses_ratio", "return_share_first", "return_share_second", "turns", "turns_first", "turns_second", "long_run",
    "pp_need_first", "pp_need_second",
)  # fmt: skip
FEATURES = (
    *(f"first_{name}" for name in ATTACK_FEATURES),
    *(f"second_{name}" for name in ATTACK_FEATURES),
    *DUEL_FEATURES,
)
WIDTH = len(ATTACK_FEATURES)
ACCURACY_STEPS = 100
STRUGGLE_POWER = 50

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class AttackRows:
    """What the features need of n attacks.

    Attributes
    ----------
    numbers : the attacks themselves
    columns : (n, len(COLUMN)) float32, the features, then what only the formulas need
    curve : (n, MAX_USES + 1) float32, chance of a knock-out after so many hits
    order : (n,) larger moves first; equal is a speed tie
    tie_break : (n,) decides who is told first in a speed tie
    """

    numbers: Attacks
    columns: Rows
    curve: Rows
    order: Ints
    tie_break: Ints


class FeatureTables:
    """Turns attacks and duels into feature rows.

    Parameters
    ----------
    tables
        The dex as arrays.
    """

    def __init__(self, tables: DuelTables) -> None:
        self.tables = tables
        self._hits_by_turn = _binomial().astype(np.float32)[:, uses_by_turn()]
        self._move_columns = self._columns_of_moves()

    def attacks(self, attacker: Indices, move: Indices, target: Indices) -> AttackRows:
        """Count n attacks, given as rows of the tables."""
        tables, moves = self.tables, self.tables.moves
        numbers = attacks(tables, attacker, move, target)
        curve = numbers.knock_out_in_uses.astype(np.float32)
        columns = self._move_columns[move]

        def put(name: str, values: NDArray[np.generic]) -> None:
            columns[:, COLUMN[name]] = values

        put("damage_share", numbers.damage_share)
        put("lowest_share", numbers.lowest_share)
        put("highest_share", numbers.highest_share)
        columns[:, COLUMN["knock_out_1"] : COLUMN["knock_out_3"] + 1] = curve[:, 1:4]
        put("uses_to_knock_out", numbers.uses_to_knock_out)
        put("accuracy", numbers.accuracy)
        hit_points = tables.hit_points[attacker]
        damage_of_own = numbers.damage_share * tables.hit_points[target] / hit_points
        put("recoil_share", moves.recoil[move] * damage_of_own)
        put("drain_share", moves.drain[move] * damage_of_own)
        put("hit_points", hit_points)
        put("speed", tables.speed[attacker])
        put("struggle_share", self._struggle(attacker, target))
        # Effects on the target: none where it is immune to the move, or to the status.
        columns[:, COLUMN["flinch"] : COLUMN["own_attack"]] *= (numbers.type_multiplier > 0)[:, None]
        columns[:, COLUMN["par"] : COLUMN["frz"] + 1] *= ~tables.status_immune[target]
        put_hidden(columns)
        return AttackRows(
            numbers=numbers,
            columns=columns,
            curve=curve,
            order=moves.priority[move] * 1024 + tables.speed[attacker],
            tie_break=attacker * 1024 + move,
        )

    def rows(self, attack_rows: AttackRows, a: Indices, b: Indices) -> tuple[Rows, NDArray[np.bool_]]:
        """Feature rows of n duels.

        Parameters
        ----------
        attack_rows
            Attacks of all sides.
        a, b : (n,)
            Which of them is A's attack on B, and B's on A.

        Returns
        -------
        rows : (n, len(FEATURES)) float32
        a_first : (n,)
            Whether a row tells A's chance; else it tells B's.
        """
        order_a, order_b = attack_rows.order[a], attack_rows.order[b]
        tie = order_a == order_b
        breaks = attack_rows.tie_break
        a_first = np.where(tie, breaks[a] <= breaks[b], order_a > order_b)
        index = np.stack([np.where(a_first, a, b), np.where(a_first, b, a)])
        columns = attack_rows.columns[index]
        rows = np.empty((len(a), len(FEATURES)), dtype=np.float32)
        rows[:, :WIDTH], rows[:, WIDTH : 2 * WIDTH] = columns[..., :WIDTH]
        self._put_duels(rows[:, 2 * WIDTH :], Sides(columns), attack_rows, index, tie)
        return rows, a_first

    def duels(
        self, form_a: Indices, move_a: Indices, form_b: Indices, move_b: Indices
    ) -> tuple[Rows, NDArray[np.bool_]]:
        """Feature rows of n duels, given as rows of the tables; returns what `rows` returns."""
        a_on_b, b_on_a = (form_a, move_a, form_b), (form_b, move_b, form_a)
        both = self.attacks(*(np.concatenate(values) for values in zip(a_on_b, b_on_a, strict=True)))
        each = np.arange(len(form_a))
        return self.rows(both, each, each + len(form_a))

    def _put_duels(
        self, out: Rows, sides: Sides, attack_rows: AttackRows, index: Indices, tie: NDArray[np.bool_]
    ) -> None:
        """Fill the columns of ``DUEL_FEATURES``."""
        wins = race(self.by_turn(attack_rows.curve[index], *hindered(sides)), tie)
        doomed = sides["self_destruct"] > 0  # whoever uses it loses, the first one first
        wins[:, doomed[1]] = [[1], [0]]
        wins[:, doomed[0]] = [[0], [1]]
        turns, ahead = long_run(sides, tie)
        uses, speed, priority = sides["uses_to_knock_out"], sides["speed"], sides["priority"]
        needs = pp_need(sides, turns)
        answers = returned(sides)
        columns = {
            "speed_ratio": speed[0] / speed[1],
            "speed_tie": tie,
            "priority_difference": priority[0] - priority[1],
            "race": wins[0] + ahead * np.maximum(1 - wins.sum(0), 0),
            "race_first": wins[0],
            "race_second": wins[1],
            "uses_ratio": uses[0] / uses.sum(0),
            "return_share_first": answers[0],
            "return_share_second": answers[1],
            "turns": sides.fewest_uses,
            "turns_first": turns[0],
            "turns_second": turns[1],
            "long_run": ahead,
            "pp_need_first": needs[0],
            "pp_need_second": needs[1],
        }
        for place, name in enumerate(DUEL_FEATURES):
            out[:, place] = columns[name]

    def by_turn(self, curve: Rows, accuracy: NDArray[np.floating], rhythm: Ints) -> Rows:
        """Chance of a knock-out by each turn, shape (..., TURNS + 1).

        Parameters
        ----------
        curve : (..., MAX_USES + 1)
            Chance of a knock-out after so many hits.
        accuracy, rhythm : (...)
            Chance that a use hits; row of ``RHYTHMS``.
        """
        step = np.rint(accuracy * ACCURACY_STEPS).astype(np.intp)
        hits = self._hits_by_turn[step, rhythm]  # (..., TURNS + 1, MAX_USES + 1)
        return np.asarray(np.matvec(hits, curve))

    def _struggle(self, attacker: Indices, target: Indices) -> NDArray[np.float64]:
        """Mean damage of Struggle (power 50, no type) as a share of the target's HP."""
        tables = self.tables
        damage = 22 * STRUGGLE_POWER * tables.attack[attacker] / tables.defense[target] / 50 + 2
        return np.asarray(0.925 * damage / tables.hit_points[target])

    def _columns_of_moves(self) -> Rows:
        """What a move brings whoever uses it, shape (moves, len(COLUMN)); other columns are 0."""
        moves = self.tables.moves
        columns = np.zeros((len(moves.ids), len(COLUMN)), dtype=np.float32)
        for name in ("critical_chance", "priority", "rhythm", "hits", "physical", "one_hit", "crash",
                     "self_destruct", "lock", "trap", "flinch", "confusion", "pp"):  # fmt: skip
            columns[:, COLUMN[name]] = getattr(moves, name)
        columns[:, COLUMN["fixed"]] = moves.is_fixed
        columns[:, COLUMN["special_case"]] = [special_case(move) for move in moves.showdown_ids]
        columns[:, COLUMN["par"] : COLUMN["special_case"]] = np.concatenate(
            [moves.status, moves.target_stages, moves.own_stages], axis=1
        )
        return columns


def _binomial() -> NDArray[np.float64]:
    """Chance of j hits in n uses at an accuracy: shape (ACCURACY_STEPS + 1, MAX_USES + 1, MAX_USES + 1)."""
    accuracy = np.linspace(0, 1, ACCURACY_STEPS + 1)
    table = np.zeros((ACCURACY_STEPS + 1, MAX_USES + 1, MAX_USES + 1))
    table[:, 0, 0] = 1
    for uses in range(1, MAX_USES + 1):
        table[:, uses] = table[:, uses - 1] * (1 - accuracy)[:, None]
        table[:, uses, 1:] += table[:, uses - 1, :-1] * accuracy[:, None]
    return table
