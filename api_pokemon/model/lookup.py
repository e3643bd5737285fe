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
        replies = None if moves_b is None else [pair_of_b[move] for move in moves_b]
        if replies and min(replies) < 0:
            return [None] * len(moves_a)
        forms, damage, uses, win = self._forms, self._damage, self._uses, self._win
        found: list[Answer | None] = []
        for move in moves_a:
            pair = pair_of_a[move]
            if pair < 0:
                found.append(None)
                continue
            place = pair * forms + form_b
            if replies is None:
                worst, reply = self._worst_win[place], self._worst_reply[place]
            else:
                worst, reply, first = SCALE + 1, replies[0], pair * self._pairs
                for other in replies:  # `min` and the like would take twice as long
                    chance = win[first + other]
                    if chance < worst:
                        worst, reply = chance, other
            reply_move, reply_uses = self._pair_move[reply], uses[reply * forms + form_a]
            found.append(Answer(worst / SCALE, reply_move, damage[place], uses[place], reply_uses))
        return found
