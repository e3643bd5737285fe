"""A tablebase, asked for the few numbers of one request."""

from collections.abc import Sequence
from typing import NamedTuple

from api_pokemon.battle.tables import DuelTables
from api_pokemon.model.tablebase import SCALE, Tablebase


class Answer(NamedTuple):
    """One of A's moves, and B's reply that is worst for A.

    Attributes
    ----------
    win_probability : in [0, 1]
    reply : row of the move table
    damage : mean damage of one use as a share of B's HP, misses included
    uses, reply_uses : mean uses until the target is knocked out, each way
    """

    win_probability: float
    reply: int
    damage: float
    uses: float
    reply_uses: float


class Lookup:
    """Finds what a tablebase knows.

    Number by number, in plain Python: at the size of a request, a call of numpy takes longer than all that it does.

    Parameters
    ----------
    tablebase, tables
        What it looks into, and what its rows mean.
    """

    def __init__(self, tablebase: Tablebase, tables: DuelTables) -> None:
        self._win = tablebase.win.data
        self._worst_win = tablebase.worst_win.data
        self._worst_reply = tablebase.worst_reply.data
        self._damage = tablebase.damage.data
        self._uses = tablebase.uses.data
        self._pair_row: list[list[int]] = tables.pair_row.tolist()
        self._pair_move: list[int] = tables.pair_move.tolist()

    def find(
        self, form_a: int, moves_a: Sequence[int], form_b: int, moves_b: Sequence[int] | None
    ) -> list[Answer | None]:
        """Answer each move, None where it is not known; arguments are rows of the tables.

        Parameters
        ----------
        moves_b
            B's replies; None for all that it can learn.
        """
        pair_of_a, pair_of_b = self._pair_row[form_a], self._pair_row[form_b]
        pairs_a = [pair_of_a[move] for move in moves_a]
        if moves_b is None:
            return [None if pair < 0 else self._against_all(form_a, pair, form_b) for pair in pairs_a]
        pairs_b = [pair_of_b[move] for move in moves_b]
        if min(pairs_b) < 0:
            return [None] * len(pairs_a)
        return [None if pair < 0 else self._against(form_a, pair, form_b, pairs_b) for pair in pairs_a]

    def _against_all(self, form_a: int, pair: int, form_b: int) -> Answer:
        return self._answer(form_a, pair, form_b, self._worst_win[pair, form_b], self._worst_reply[pair, form_b])

    def _against(self, form_a: int, pair: int, form_b: int, replies: Sequence[int]) -> Answer:
        win = self._win
        wins = [win[pair, reply] for reply in replies]
        worst = min(wins)
        return self._answer(form_a, pair, form_b, worst, replies[wins.index(worst)])

    def _answer(self, form_a: int, pair: int, form_b: int, win: int, reply: int) -> Answer:
        uses = self._uses
        return Answer(
            win / SCALE, self._pair_move[reply], self._damage[pair, form_b], uses[pair, form_b], uses[reply, form_a]
        )
