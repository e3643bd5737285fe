"""A tablebase, asked for the few numbers of one request."""

from collections.abc import Sequence

import msgspec

from api_pokemon.battle.tables import DuelTables
from api_pokemon.model.tablebase import SCALE, Tablebase


class Answer(msgspec.Struct, frozen=True, gc=False):
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
        # Flat, since an index of two numbers takes twice as long.
        self._win, self._worst_win, self._worst_reply, self._damage, self._uses = (
            stored.reshape(-1).data
            for stored in (
                tablebase.win,
                tablebase.worst_win,
                tablebase.worst_reply,
                tablebase.damage,
                tablebase.uses,
            )
        )
        self._forms = tablebase.uses.shape[1]
        self._pairs = tablebase.win.shape[1]
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
        if moves_b is None:
            return [self._against_all(form_a, pair_of_a[move], form_b) for move in moves_a]
        replies = [pair_of_b[move] for move in moves_b]
        if min(replies) < 0:
            return [None] * len(moves_a)
        return [self._against(form_a, pair_of_a[move], form_b, replies) for move in moves_a]

    def _against_all(self, form_a: int, pair: int, form_b: int) -> Answer | None:
        if pair < 0:
            return None
        place = pair * self._forms + form_b
        return self._answer(form_a, place, self._worst_win[place], self._worst_reply[place])

    def _against(self, form_a: int, pair: int, form_b: int, replies: Sequence[int]) -> Answer | None:
        if pair < 0:
            return None
        win, first = self._win, pair * self._pairs
        worst, worst_reply = SCALE + 1, replies[0]
        for reply in replies:  # `min` and the like would take twice as long
            chance = win[first + reply]
            if chance < worst:
                worst, worst_reply = chance, reply
        return self._answer(form_a, pair * self._forms + form_b, worst, worst_reply)

    def _answer(self, form_a: int, place: int, win: int, reply: int) -> Answer:
        uses = self._uses
        return Answer(
            win / SCALE, self._pair_move[reply], self._damage[place], uses[place], uses[reply * self._forms + form_a]
        )
