"""Who asks at the same time is answered in one run, and nobody waits for others who do not come."""

import asyncio
from asyncio import Future
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from api_pokemon.battle.tables import DuelTables
from api_pokemon.model import Answer, ModelPredictor
from api_pokemon.model.gathering import Gathering
from api_pokemon.model.live import Question

ROWS = 10


def question(name: int, rows: int = ROWS) -> Question:
    return Question(name, [0] * rows, 0, [0])


class Model:
    """Tells who was asked together; refuses some."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.refused: set[int] = set()

    def answer_many(self, questions: Sequence[Question]) -> list[list[Answer]]:
        self.runs.append([question.form_a for question in questions])
        for each in questions:
            if each.form_a in self.refused:
                raise ArithmeticError(f"{each.form_a} is too much")
        return [[Answer(0.5, each.form_a, 1.0, 1.0, 1.0)] for each in questions]


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def gathering(model: Model) -> Gathering:
    return Gathering(model.answer_many, most_rows=3 * ROWS)


def told(answers: Sequence[Answer]) -> int:
    return answers[0].reply


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_asks_in_the_same_turn_is_answered_in_one_run(gathering: Gathering, model: Model) -> None:
    answers = await asyncio.gather(*(gathering.ask(question(name)) for name in range(3)))
    assert list(map(told, answers)) == [0, 1, 2]
    assert model.runs == [[0, 1, 2]]


async def test_who_asks_in_the_next_turn_too(gathering: Gathering, model: Model) -> None:
    asked = []
    for name in range(3):
        asked.append(gathering.ask(question(name, rows=1)))
        await turns(1)
    await asyncio.gather(*asked)
    assert model.runs == [[0, 1, 2]]


async def test_one_alone_waits_for_nobody(gathering: Gathering, model: Model) -> None:
    asked = gathering.ask(question(7))
    await turns(3)
    assert asked.done()
    assert model.runs == [[7]]
    assert told(await gathering.ask(question(8))) == 8
    assert model.runs == [[7], [8]]


async def test_a_run_has_so_many_rows_and_the_loop_a_turn_after_it(gathering: Gathering, model: Model) -> None:
    seen = []

    async def look() -> None:
        while len(model.runs) < 3:
            seen.append(len(model.runs))
            await turns(1)

    looking = asyncio.create_task(look())
    await asyncio.gather(*(gathering.ask(question(name)) for name in range(7)))
    await looking
    assert model.runs == [[0, 1, 2], [3, 4, 5], [6]]
    assert {1, 2} <= set(seen)


async def test_what_is_larger_than_a_run_is_answered_alone(gathering: Gathering, model: Model) -> None:
    await asyncio.gather(gathering.ask(question(0)), gathering.ask(question(1, 50 * ROWS)), gathering.ask(question(2)))
    assert model.runs == [[0], [1], [2]]


async def test_who_goes_on_asking_keeps_nobody_waiting(gathering: Gathering, model: Model) -> None:
    """Enough for a run are answered, though each turn brings more."""
    first = gathering.ask(question(0))
    others = []
    while not first.done():
        others.append(gathering.ask(question(len(others) + 1)))
        await turns(1)
        assert len(others) < 10
    await asyncio.gather(*others)
    assert model.runs[0] == [0, 1, 2]


async def test_who_went_away_is_not_asked_for(gathering: Gathering, model: Model) -> None:
    asked = [gathering.ask(question(name)) for name in range(3)]
    asked[1].cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert model.runs == [[0, 2]]
    alone = gathering.ask(question(3))
    alone.cancel()
    await turns(3)
    assert model.runs == [[0, 2]]


async def test_only_who_cannot_be_answered_hears_of_it(gathering: Gathering, model: Model) -> None:
    model.refused = {1}
    answers = await asyncio.gather(*(gathering.ask(question(name)) for name in range(3)), return_exceptions=True)
    assert [answers[0], answers[2]] == [[Answer(0.5, name, 1.0, 1.0, 1.0)] for name in (0, 2)]
    assert repr(answers[1]) == "ArithmeticError('1 is too much')"
    assert model.runs == [[0, 1, 2], [0], [1], [2]]


def test_a_loop_that_ended_keeps_nobody_on_another_waiting(gathering: Gathering, model: Model) -> None:
    async def leave() -> None:
        gathering.ask(question(0))

    async def stay() -> int:
        return told(await gathering.ask(question(1)))

    asyncio.run(leave())
    assert asyncio.run(stay()) == 1
    assert model.runs[-1] == [1]


@pytest.fixture
def runs(stored: ModelPredictor, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many rows each run of the model behind the tablebase had."""
    seen: list[int] = []
    score: Callable[[np.ndarray], np.ndarray] = stored.score

    def note(rows: np.ndarray) -> np.ndarray:
        seen.append(len(rows))
        return score(rows)

    monkeypatch.setattr(stored, "score", note)
    return seen


async def test_only_what_the_tablebase_does_not_know_is_inferred(
    stored: ModelPredictor, tables: DuelTables, runs: list[int]
) -> None:
    form_a, form_b = 24, 142  # any two
    known, unknown = (np.flatnonzero((tables.pair_row[form_a] >= 0) == learned).tolist() for learned in (True, False))
    asked = [known[:4], [known[0], unknown[0], known[1]], unknown[1:3]]
    alone = [stored.answer(form_a, moves, form_b) for moves in asked]
    runs.clear()
    begun = [stored.begin(form_a, moves, form_b) for moves in asked]
    assert [each.rest is None for each in begun] == [True, False, False]
    assert all(isinstance(each.rest, Future) for each in begun[1:])
    assert [await each.answers() for each in begun] == alone
    replies = int(np.count_nonzero(tables.pair_form == form_b))
    assert runs == [3 * replies]
