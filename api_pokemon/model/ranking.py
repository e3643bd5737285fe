"""From names to a ranked answer: the one place where a request becomes a duel."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Literal, NamedTuple, Protocol

import numpy as np

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex, Form, Move
from api_pokemon.errors import NoDamagingMoveError
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


class Because(NamedTuple):
    """Why: mean uses to knock out each way, misses included, and who strikes first in a turn ("either": a coin)."""

    hits_to_knock_out: float
    opponent_hits_to_knock_out: float
    moves_first: MovesFirst


class RankedMove(NamedTuple):
    """One of A's moves against the reply that is worst for A.

    Attributes
    ----------
    learnable : whether A can know the move at all
    type_multiplier : 0, 1/4, 1/2, 1, 2 or 4
    expected_damage : mean damage of one use, misses included, as a share of B's HP; above 1 is overkill
    win_probability : P(A wins), in [0, 1]
    """

    move: Move
    learnable: bool
    stab: bool
    type_multiplier: float
    expected_damage: float
    opponent_move: Move
    win_probability: float
    because: Because


class UnrankedMove(NamedTuple):
    """A move that decides no duel by itself, or that nobody can choose (Struggle), and why."""

    move: Move
    reason: Unranked


class Ranking(NamedTuple):
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
        self._tables = predictor.tables
        self._speed: list[int] = predictor.tables.speed.tolist()
        self._can_duel: list[bool] = (np.diff(predictor.tables.first_pair) > 0).tolist()
        self._moves = tuple(dex.move(move_id) for move_id in predictor.tables.moves.ids)

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
        forms = self._duellists(form_a_id, form_b_id)
        return self._rank(forms, self._named(moves), None if moves_b is None else self._named(moves_b))

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
        return self._rank(forms, tuple(map(move, moves)), None if moves_b is None else tuple(map(move, moves_b)))

    def _duellists(self, *form_ids: int) -> tuple[Form, ...]:
        forms = tuple(map(self._dex.form, form_ids))
        for form in forms:
            self._require_damaging(form, self._tables.form_row[form.id])
        return forms

    def _rank(self, forms: tuple[Form, ...], candidates: tuple[Move, ...], replies: tuple[Move, ...] | None) -> Ranking:
        form_a, form_b = forms
        form_row, move_row = self._tables.form_row, self._tables.move_row
        ranked = self._damaging(candidates, "the given moves")
        rows_b = None if replies is None else self._rows(self._damaging(replies, "the opponent's moves"))
        answers = self._predictor.answer(form_row[form_a.id], self._rows(ranked), form_row[form_b.id], rows_b)
        return Ranking(
            form_a=form_a,
            form_b=form_b,
            opponent_assumption="worst_of_learnset" if replies is None else "given_moves",
            moves=self._ranked(form_a, form_b, ranked, answers),
            unranked=tuple([_unranked(move) for move in candidates if move.id not in move_row]),
            candidates=candidates,
            replies=replies,
        )

    def _rows(self, moves: Sequence[Move]) -> list[int]:
        move_row = self._tables.move_row
        return [move_row[move.id] for move in moves]

    def _named(self, names: Sequence[str]) -> tuple[Move, ...]:
        return tuple({move.id: move for move in map(self._dex.find_move, names)}.values())

    def _damaging(self, moves: Sequence[Move], whose: str) -> list[Move]:
        damaging = [move for move in moves if move.id in self._tables.move_row]
        if not damaging:
            names = ", ".join(move.name for move in moves)
            raise NoDamagingMoveError(f"None of {whose} can win a duel ({names}); give at least one damaging move.")
        return damaging

    def _require_damaging(self, form: Form, row: int) -> None:
        if not self._can_duel[row]:
            raise NoDamagingMoveError(
                f"{form.name} (id {form.id}) learns no damaging move of its own, so it cannot duel."
            )

    def _ranked(
        self, form_a: Form, form_b: Form, moves: Sequence[Move], answers: Sequence[Answer]
    ) -> tuple[RankedMove, ...]:
        speed_a, speed_b = (self._speed[self._tables.form_row[form.id]] for form in (form_a, form_b))
        effectiveness, known = self._dex.effectiveness, self._moves
        ranked = [
            RankedMove(  # in the order of its fields: by name, it would take twice as long
                move,
                form_a.learns(move.id),
                move.type in form_a.types,
                effectiveness(move.type, form_b.types),
                damage,
                known[reply],
                win,
                Because(uses, reply_uses, _moves_first(move, speed_a, known[reply], speed_b)),
            )
            for move, (win, reply, damage, uses, reply_uses) in zip(moves, answers, strict=True)
        ]
        ranked.sort(key=attrgetter("win_probability"), reverse=True)
        return tuple(ranked)


def _unranked(move: Move) -> UnrankedMove:
    return UnrankedMove(move, "last_resort" if move.damaging else "status")


def _moves_first(move: Move, speed: int, reply: Move, reply_speed: int) -> MovesFirst:
    mine, other = (move.priority, speed), (reply.priority, reply_speed)
    if mine == other:
        return "either"
    return "attacker" if mine > other else "opponent"
