"""What a duel is answered does not depend on what is answered with it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from api_pokemon.model import Answer, ModelPredictor
from api_pokemon.model.live import Question

FORMS, MOVES = 188, 157
_SESSION = (HealthCheck.function_scoped_fixture,)  # what comes from fixtures is never changed


def questions(most: int) -> st.SearchStrategy[list[Question]]:
    """Any form with any moves, learnable or not; a form against itself now and then."""
    forms = st.integers(0, FORMS - 1) | st.integers(0, 2)
    moves = st.lists(st.integers(0, MOVES - 1), min_size=1, max_size=8, unique=True)
    return st.lists(st.builds(Question, forms, moves, forms, moves), min_size=1, max_size=most)


def test_the_domain_is_all_of_the_tables(tables: DuelTables) -> None:
    assert (len(tables.form_ids), len(tables.moves.ids)) == (FORMS, MOVES)


@settings(max_examples=60, deadline=None, suppress_health_check=_SESSION)
@given(questions(12))
def test_a_duel_is_answered_together_with_others_as_it_is_alone(live: ModelPredictor, asked: list[Question]) -> None:
    """To the bit, whatever the others are and in which order they come."""
    alone = [live.answer(*question) for question in asked]
    assert live.answer_many(asked) == alone
    assert live.answer_many(asked[::-1]) == alone[::-1]
    assert asyncio.run(at_the_same_time(live, asked)) == alone


async def at_the_same_time(predictor: ModelPredictor, asked: Sequence[Question]) -> list[list[Answer]]:
    begun = [predictor.begin(*question) for question in asked]
    return [await each.answers() for each in begun]


def test_all_questions_are_one_run(live: ModelPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [Question(1, [3, 4], 2, [5, 6, 7]), Question(2, [9], 2, [9, 10])]
    runs: list[Any] = []

    def score(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        runs.append(len(rows))
        return np.full(len(rows), 0.25, dtype=np.float32)

    monkeypatch.setattr(live, "score", score)
    answers = live.answer_many(asked)
    assert runs == [sum(question.rows for question in asked)] == [8]
    assert [len(of_question) for of_question in answers] == [2, 1]


def test_each_move_meets_each_reply_of_its_own_question(live: ModelPredictor, dex: Dex, tables: DuelTables) -> None:
    """One question of two moves and two replies is four questions of one each."""
    form_a, form_b = (tables.form_row[dex.find_form(name).id] for name in ("Pikachu", "Squirtle"))
    moves_a, moves_b = (
        [tables.move_row[dex.find_move(name).id] for name in names]
        for names in (("Thunderbolt", "Tackle"), ("Surf", "Bite"))
    )

    def wins(asked: Sequence[Question]) -> list[float]:
        return [answer.win_probability for answers in live.answer_many(asked) for answer in answers]

    single = wins([Question(form_a, [mine], form_b, [reply]) for mine in moves_a for reply in moves_b])
    assert len(set(single)) == 4
    assert wins([Question(form_a, moves_a, form_b, moves_b)]) == [min(single[:2]), min(single[2:])]
