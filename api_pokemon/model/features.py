"""The model's features: one implementation, for training, for the tablebase and for a request.

A duel is told from the side that moves first (higher priority, then higher speed, then a fixed order), so that each
matchup has one row only, and P(A wins) = 1 − P(B wins) by construction.
"""

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.attack import AttackTables
from api_pokemon.battle.stats import LEVEL_FACTOR
from api_pokemon.battle.tables import DuelTables
from api_pokemon.model.attack_columns import (
    ATTACK_FEATURES,
    COLUMN,
    TIE_BITS,
    AttackRows,
    Indices,
    MoveColumns,
    Rows,
    block,
)
from api_pokemon.model.knock_outs import KnockOuts
from api_pokemon.model.move_pairs import MovePairs
from api_pokemon.model.race import Bools, Sides, long_run, race, returned

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
STRUGGLE_POWER = 50
_BOTH = {name: slice(place, place + 2) for place, name in enumerate(DUEL_FEATURES) if name.endswith("_first")}
_PLACE: dict[str, int | slice] = {name: place for place, name in enumerate(DUEL_FEATURES)} | _BOTH
"""Where a feature stands; of both sides, where the first's is named."""


class FeatureTables:
    """Turns attacks and duels into feature rows.

    Parameters
    ----------
    tables
        The dex as arrays.
    """

    def __init__(self, tables: DuelTables) -> None:
        self.tables = tables
        self._attacks = AttackTables(tables)
        self._of_move = MoveColumns(tables)
        self._knock_outs = KnockOuts(tables)
        self._pairs = MovePairs(tables.moves)
        moves = tables.moves
        self._own_effects = np.stack([moves.recoil, moves.drain, moves.recoil - moves.drain], axis=1)
        self._of_form = np.stack([tables.hit_points, tables.speed], axis=1).astype(np.float32)
        self._struggle = _struggle(tables)
        self._order_of_move, self._order_of_form = moves.priority * 1024, tables.speed

    def attacks(self, attacker: Indices, move: Indices, target: Indices) -> AttackRows:
        """Count n attacks, given as rows of the tables."""
        tables = self.tables
        numbers = self._attacks.attacks(attacker, move, target)
        curve = numbers.knock_out_in_uses.astype(np.float32)
        columns = self._of_move.columns.take(self._of_move.row.take(move * len(tables.form_ids) + target), axis=0)

        def put(name: str, values: NDArray[np.generic]) -> None:
            columns[:, COLUMN[name]] = values

        put("damage_share", numbers.damage_share)
        put("lowest_share", numbers.lowest_share)
        put("highest_share", numbers.highest_share)
        columns[:, block("knock_out_1", "knock_out_3")] = curve[:, 1:4]
        put("uses_to_knock_out", numbers.uses_to_knock_out)
        hit_points = tables.hit_points.take(attacker)
        damage_of_own = numbers.damage_share * tables.hit_points.take(target) / hit_points
        effects = self._own_effects.take(move, axis=0) * damage_of_own[:, None]
        columns[:, block("recoil_share", "drain_share")] = effects[:, :2]
        columns[:, COLUMN["own_loss"]] += effects[:, 2].astype(np.float32)
        columns[:, block("hit_points", "speed")] = self._of_form.take(attacker, axis=0)
        put("struggle_share", self._struggle[attacker, target])
        columns[:, COLUMN["planned_share"]] = columns[:, COLUMN["damage_share"]] * columns[:, COLUMN["planned"]]
        order = self._order_of_move.take(move) + self._order_of_form.take(attacker)
        return AttackRows(
            numbers=numbers,
            move=move,
            columns=columns,
            curve=curve,
            by_turn=self._knock_outs.by_turn(curve, columns[:, COLUMN["accuracy_step"]], move),
            precedence=((order + 1) << TIE_BITS) - (attacker * 1024 + move + 1),
        )

    def rows(self, attack_rows: AttackRows, pairs: Indices) -> tuple[Rows, Bools]:
        """Feature rows of n duels.

        Parameters
        ----------
        attack_rows
            Attacks of all sides.
        pairs : (2, n)
            Which of them is A's attack on B, and B's on A.

        Returns
        -------
        rows : (n, len(FEATURES)) float32
        a_first : (n,)
            Whether a row tells A's chance; else it tells B's.
        """
        precedence = attack_rows.precedence.take(pairs)
        a_first = precedence[0] >= precedence[1]
        order = precedence >> TIE_BITS
        index = np.where(a_first, pairs, pairs[::-1])
        columns = attack_rows.columns.take(index, axis=0)
        rows = np.empty((len(a_first), len(FEATURES)), dtype=np.float32)
        rows[:, :WIDTH], rows[:, WIDTH : 2 * WIDTH] = columns[..., :WIDTH]
        self._put_duels(rows[:, 2 * WIDTH :], Sides(columns), attack_rows, index, order[0] == order[1])
        return rows, a_first

    def duels(self, form_a: Indices, move_a: Indices, form_b: Indices, move_b: Indices) -> tuple[Rows, Bools]:
        """Feature rows of n duels, given as rows of the tables; returns what `rows` returns."""
        a_on_b, b_on_a = (form_a, move_a, form_b), (form_b, move_b, form_a)
        both = self.attacks(*(np.concatenate(values) for values in zip(a_on_b, b_on_a, strict=True)))
        return self.rows(both, np.arange(2 * len(form_a)).reshape(2, -1))

    def _put_duels(self, out: Rows, sides: Sides, attack_rows: AttackRows, index: Indices, tie: Bools) -> None:
        """Fill the columns of ``DUEL_FEATURES``."""
        effects = self._pairs.effects(attack_rows.move.take(index))
        by_turn = self._knock_outs.hindered(attack_rows, index, sides, effects.away)
        wins = race(by_turn, tie)
        doomed = sides["self_destruct"] > 0  # whoever uses it loses, the first one first
        if doomed.any():
            wins[:, doomed[1]] = [[1], [0]]
            wins[:, doomed[0]] = [[0], [1]]
        turns, ahead = long_run(sides, tie, effects.screens)
        uses, speed, priority = sides["uses_to_knock_out"], sides["speed"], sides["priority"]
        columns = {
            "speed_ratio": speed[0] / speed[1],
            "speed_tie": tie,
            "priority_difference": priority[0] - priority[1],
            "race": wins[0] + ahead * np.maximum(1 - (wins[0] + wins[1]), 0),
            "race_first": wins.T,
            "uses_ratio": uses[0] / (uses[0] + uses[1]),
            "return_share_first": 0 if effects.returns is None else returned(sides, effects.returns).T,
            "turns": sides.fewest_uses,
            "turns_first": turns.T,
            "long_run": ahead,
            "pp_need_first": (turns * sides["per_turn"] / sides["pp"]).T,
        }
        for name, values in columns.items():
            out[:, _PLACE[name]] = values


def _struggle(tables: DuelTables) -> Rows:
    """Mean damage of Struggle (power 50, no type) as a share of the target's HP, by attacker and target."""
    damage = LEVEL_FACTOR * STRUGGLE_POWER * tables.attack[:, None] / tables.defense / 50 + 2
    return np.asarray(0.925 * damage / tables.hit_points, dtype=np.float32)
