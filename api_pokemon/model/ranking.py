"""From names to a ranked answer: the one place where a request becomes a duel."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Literal, Protocol

import msgspec
import numpy as np

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex, Form, Move
from api_pokemon.errors import NoDamagingMoveError
from api_pokemon.model.gathering import Begun
from api_pokemon.model.lookup import Answer

OpponentAssumption = Literal["given_moves", "worst_of_learnset"]
Unranked = Literal["status", "last_resort"]
MovesFirst = Literal["attacker", "opponent", "either"]


class Predictor(Protocol):
    """What ranking needs of a model version."""

    version: str
    tables: DuelTables

    def answer(
        self, form_a: int, moves_a: Sequence[int], form_b: int, moves_b: Sequence[int] | None = None
    ) -> Sequence[Answer]:
        """Win probabilities against the worst reply; arguments are rows of the tables."""

    def begin(self, form_a: int, moves_a: Sequence[int], form_b: int, moves_b: Sequence[int] | None = None) -> Begun:
        """The same on a running event loop, where what needs inference may wait to be answered with others."""


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request that may be answered.

    Attributes
    ----------
    candidates, replies : as in ``Ranking``
    rows : forms and damaging moves of both sides, as the predictor takes them
    """

    form_a: Form
    form_b: Form
    candidates: tuple[Move, ...]
    replies: tuple[Move, ...] | None
    rows: tuple[int, list[int], int, list[int] | None]


class RankedMove(msgspec.Struct, frozen=True, gc=False):
    """One of A's moves against the reply that is worst for A.

    Attributes
    ----------
    learnable : whether A can know the move at all
    stab : whether it has A's type, for which its damage is half as much again
    type_multiplier : 0, 1/4, 1/2, 1, 2 or 4
    expected_damage : mean damage of one use, misses included, as a share of B's HP; above 1 is overkill
    win_probability : P(A wins), in [0, 1]
    hits_to_knock_out, opponent_hits_to_knock_out : mean uses to knock out each way, misses included
    moves_first : who strikes first in a turn; "either" where a coin decides
    """

    move: Move
    learnable: bool
    stab: bool
    type_multiplier: float
    expected_damage: float
    opponent_move: Move
    win_probability: float
    hits_to_knock_out: float
    opponent_hits_to_knock_out: float
    moves_first: MovesFirst


class UnrankedMove(msgspec.Struct, frozen=True, gc=False):
    """A move that decides no duel by itself, or that nobody can choose (Struggle), and why."""

    move: Move
    reason: Unranked


class Ranking(msgspec.Struct, frozen=True, gc=False):
    """A's damaging moves, best first, and what could not be ranked.

    Attributes
    ----------
    candidates : all that A could choose from, each once, in the order in which they were given
    replies : B's moves as they were given; None where B may reply with all that it can learn
    """

    form_a: Form
    form_b: Form
    opponent_assumption: OpponentAssumption
    moves: tuple[RankedMove, ...]
    unranked: tuple[UnrankedMove, ...]
    candidates: tuple[Move, ...]
    replies: tuple[Move, ...] | None


class MoveRanker:
    """Ranks the moves of one Pokémon against another.

    Parameters
    ----------
    dex, predictor
        The game's facts; what knows win probabilities.
    """

    def __init__(self, dex: Dex, predictor: Predictor) -> None:
        self._dex = dex
        self._predictor = predictor
        self._form_row, self._move_row = predictor.tables.form_row, predictor.tables.move_row
        self._moves = tuple(dex.move(move_id) for move_id in predictor.tables.moves.ids)
        speed = predictor.tables.speed.tolist()
        self._speed: dict[int, int] = {form.id: speed[self._form_row[form.id]] for form in dex.forms}
        can_duel = (np.diff(predictor.tables.first_pair) > 0).tolist()
        self._can_duel: dict[int, bool] = {form.id: can_duel[self._form_row[form.id]] for form in dex.forms}
        self._multipliers = {
            form.id: {type_: dex.effectiveness(type_, form.types) for type_ in dex.types} for form in dex.forms
        }

    def rank(
        self, form_a_id: int, form_b_id: int, moves: Sequence[str], moves_b: Sequence[str] | None = None
    ) -> Ranking:
        """Rank A's moves, named in any language; a move named twice counts once.

        Parameters
        ----------
        moves_b
            B's moves, of which those that decide no duel are left out; None: B answers each move with the reply of
            its own learnset that is worst for A.

        Raises
        ------
        UnknownIdError, UnknownNameError
            A form or a move that does not exist.
        NoDamagingMoveError
            Only status moves on one side, or a form that can learn no damaging one.
        """
        asked = self.ask(form_a_id, form_b_id, moves, moves_b)
        return self.ranking(asked, self._predictor.answer(*asked.rows))

    def begin(
        self, form_a_id: int, form_b_id: int, moves: Sequence[str], moves_b: Sequence[str] | None = None
    ) -> tuple[Asked, Begun]:
        """Ask as :meth:`rank` does, on a running event loop; with its answers, :meth:`ranking` ranks.

        Raises
        ------
        UnknownIdError, UnknownNameError, NoDamagingMoveError
            As :meth:`rank` does.
        """
        asked = self.ask(form_a_id, form_b_id, moves, moves_b)
        return asked, self._predictor.begin(*asked.rows)

    def ask(self, form_a_id: int, form_b_id: int, moves: Sequence[str], moves_b: Sequence[str] | None) -> Asked:
        """What :meth:`rank` asks for."""
        forms = self._duellists(form_a_id, form_b_id)
        return self._asked(forms, self._named(moves), None if moves_b is None else self._named(moves_b))

    def rank_by_id(
        self, form_a_id: int, form_b_id: int, moves: Sequence[int], moves_b: Sequence[int] | None = None
    ) -> Ranking:
        """Rank A's moves as :meth:`rank` does, given by their ids.

        Raises
        ------
        UnknownIdError, NoDamagingMoveError
            As :meth:`rank` does.
        """
        move = self._dex.move
        forms = self._duellists(form_a_id, form_b_id)
        asked = self._asked(forms, tuple(map(move, moves)), None if moves_b is None else tuple(map(move, moves_b)))
        return self.ranking(asked, self._predictor.answer(*asked.rows))

    def ranking(self, asked: Asked, answers: Sequence[Answer]) -> Ranking:
        """Rank by the answers to what was asked."""
        form_a, form_b, candidates, replies = asked.form_a, asked.form_b, asked.candidates, asked.replies
        moves_a = asked.rows[1]
        return Ranking(
            form_a,
            form_b,
            "worst_of_learnset" if replies is None else "given_moves",
            self._ranked(form_a, form_b, moves_a, answers),
            () if len(moves_a) == len(candidates) else self._unranked(candidates),
            candidates,
            replies,
        )

    def _duellists(self, form_a_id: int, form_b_id: int) -> tuple[Form, Form]:
        forms = self._dex.form(form_a_id), self._dex.form(form_b_id)
        for form in forms:
            if not self._can_duel[form.id]:
                raise NoDamagingMoveError(
                    f"{form.name} (id {form.id}) learns no damaging move of its own, so it cannot duel."
                )
        return forms

    def _named(self, names: Sequence[str]) -> tuple[Move, ...]:
        return tuple({move.id: move for move in self._dex.find_moves(names)}.values())

    def _asked(self, forms: tuple[Form, Form], candidates: tuple[Move, ...], replies: tuple[Move, ...] | None) -> Asked:
        form_a, form_b = forms
        moves_a = self._rows(candidates, "the given moves")
        moves_b = None if replies is None else self._rows(replies, "the opponent's moves")
        rows = self._form_row[form_a.id], moves_a, self._form_row[form_b.id], moves_b
        return Asked(form_a, form_b, candidates, replies, rows)

    def _rows(self, moves: Sequence[Move], whose: str) -> list[int]:
        """The damaging ones of the moves, as rows of the tables."""
        move_row = self._move_row
        rows = [move_row[move.id] for move in moves if move.id in move_row]
        if not rows:
            names = ", ".join(move.name for move in moves)
            raise NoDamagingMoveError(f"None of {whose} can win a duel ({names}); give at least one damaging move.")
        return rows

    def _unranked(self, candidates: Sequence[Move]) -> tuple[UnrankedMove, ...]:
        others = (move for move in candidates if move.id not in self._move_row)
        return tuple([UnrankedMove(move, "last_resort" if move.damaging else "status") for move in others])

    def _ranked(
        self, form_a: Form, form_b: Form, moves_a: Sequence[int], answers: Sequence[Answer]
    ) -> tuple[RankedMove, ...]:
        known, types, multipliers = self._moves, form_a.types, self._multipliers[form_b.id]
        by_speed = _first(self._speed[form_a.id], self._speed[form_b.id])
        ranked = []
        for row, answer in zip(moves_a, answers, strict=True):
            move, reply = known[row], known[answer.reply]
            ranked.append(
                RankedMove(  # in the order of its fields: by name, it would take longer
                    move,
                    form_a.learns(move.id),
                    move.type in types,
                    multipliers[move.type],
                    answer.damage,
                    reply,
                    answer.win_probability,
                    answer.uses,
                    answer.reply_uses,
                    by_speed if move.priority == reply.priority else _first(move.priority, reply.priority),
                )
            )
        ranked.sort(key=_win_probability_of, reverse=True)
        return tuple(ranked)


_win_probability_of = attrgetter("win_probability")


def _first(mine: int, other: int) -> MovesFirst:
    if mine == other:
        return "either"
    return "attacker" if mine > other else "opponent"
