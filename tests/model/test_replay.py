"""Predictions made again: what counts as a change, and how changes are summed up."""

import statistics
from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random

import pytest

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from api_pokemon.model import Answer, ModelPredictor, MoveRanker
from api_pokemon.model.asked import AskedDuel, asked_duel
from api_pokemon.model.replay import Changes, Replay
from api_pokemon.model.tablebase import TOLERANCE
from api_pokemon.monitoring import Prediction, new_id
from api_pokemon.traffic.scenarios import uniform

SURF, TACKLE, GROWL = 57, 33, 45


class Stub:
    """A version that finds the same win probabilities for all duels, in the order of the moves."""

    version = "stub"

    def __init__(self, tables: DuelTables) -> None:
        self.tables = tables
        self.wins: list[float] = [0.5]

    def answer(
        self, form_a: int, moves_a: Sequence[int], form_b: int, moves_b: Sequence[int] | None = None
    ) -> Sequence[Answer]:
        return [Answer(win, 0, 1.0, 1.0, 1.0) for win in self.wins]


@pytest.fixture
def stub(tables: DuelTables) -> Stub:
    return Stub(tables)


@pytest.fixture
def replay(dex: Dex, stub: Stub) -> Replay:
    return Replay(MoveRanker(dex, stub))


def logged(
    probability: float, *, version: str = "v1", moves: tuple[int, ...] = (SURF,), best: int = SURF
) -> Prediction:
    asked = AskedDuel(form_a=1, form_b=25, moves=moves, moves_b=None, ranked=((best, probability),))
    return Prediction(new_id(), version, probability, 0.001, payload=asked.payload())


def made_by(dex: Dex, predictor: ModelPredictor, seed: int, size: int) -> Iterator[Prediction]:
    """What a service with that version puts on record."""
    ranker = MoveRanker(dex, predictor)
    for call in islice(uniform(dex, Random(seed)), size):
        ranking = ranker.rank(call.pokemon_a_id, call.pokemon_b_id, call.available_moves, call.available_moves_b)
        asked = asked_duel(ranking)
        yield Prediction(new_id(), predictor.version, asked.ranked[0][1], 0.001, payload=asked.payload())


def test_nothing_replayed_is_nothing_changed(replay: Replay) -> None:
    replay.run([])
    assert replay.total() == Changes(0, 0, 0, 0, None, None, None, None, None)
    assert replay.total().share_of_other_moves is None
    assert (replay.by_version(), replay.examples()) == ({}, ())


def test_changes_are_summed_up_exactly(replay: Replay) -> None:
    before = [round(Random(2).random() + step / 1e6, 6) % 1 for step in range(0, 400_000, 999)]
    replay.run(logged(probability) for probability in before)
    sizes = sorted(abs(0.5 - probability) for probability in before)
    assert replay.total() == Changes(
        replayed=len(before),
        unreadable=0,
        other_move=0,
        near_ties=0,
        mean=pytest.approx(statistics.mean(0.5 - probability for probability in before), abs=1e-12),
        mean_absolute=pytest.approx(statistics.mean(sizes), abs=1e-12),
        median_absolute=pytest.approx(sizes[-(-len(sizes) // 2) - 1], abs=1e-12),
        p95_absolute=pytest.approx(sizes[-(-len(sizes) * 95 // 100) - 1], abs=1e-12),
        largest_absolute=pytest.approx(sizes[-1], abs=1e-12),
    )


def test_another_move_is_a_change_only_where_it_is_recommended(replay: Replay, stub: Stub) -> None:
    stub.wins = [0.5, 0.75]
    moves = (GROWL, SURF, TACKLE)
    replay.run([logged(0.75, moves=moves, best=TACKLE), logged(0.75, moves=moves, best=SURF)])
    total = replay.total()
    assert (total.replayed, total.other_move, total.share_of_other_moves) == (2, 1, 0.5)
    assert (total.mean, total.largest_absolute) == (0.0, 0.0)
    (example,) = replay.examples()
    assert (example.form_a, example.form_b, example.move_before, example.move_after) == (1, 25, SURF, TACKLE)


def test_between_equals_the_order_of_the_question_decides(replay: Replay, stub: Stub) -> None:
    stub.wins = [0.5, 0.5]
    replay.run([logged(0.5, moves=(TACKLE, SURF), best=TACKLE), logged(0.5, moves=(SURF, TACKLE), best=SURF)])
    assert replay.total().other_move == 0


def test_another_move_that_wins_no_more_often_is_a_near_tie(replay: Replay, stub: Stub) -> None:
    before = [logged(0.5, moves=(SURF, TACKLE), best=SURF)]
    for after in (0.5004, 0.5006):
        stub.wins = [0.5, after]
        replay.run(before)
    assert (replay.total().other_move, replay.total().near_ties) == (2, 1)


def test_each_version_is_told_apart(replay: Replay) -> None:
    replay.run([logged(0.5, version="v2"), logged(0.25), logged(1.0, version="v2"), logged(0.75)])
    changes = replay.by_version()
    assert [(version, told.replayed, told.mean, told.largest_absolute) for version, told in changes.items()] == [
        ("v1", 2, 0.0, 0.25),
        ("v2", 2, -0.25, 0.5),
    ]
    assert (replay.total().mean, replay.total().mean_absolute) == (-0.125, 0.25)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"another service's",
        b'{"v":1,"form_a":99999,"form_b":25,"moves":[57],"moves_b":null,"ranked":[[57,0.5]]}',
        b'{"v":1,"form_a":1,"form_b":25,"moves":[99999],"moves_b":null,"ranked":[[57,0.5]]}',
        b'{"v":1,"form_a":1,"form_b":25,"moves":[45],"moves_b":null,"ranked":[[45,0.5]]}',
        b'{"v":1,"form_a":11,"form_b":25,"moves":[57],"moves_b":null,"ranked":[[57,0.5]]}',
    ],
)
def test_what_tells_of_no_duel_is_counted_and_left_out(replay: Replay, payload: bytes) -> None:
    replay.run([Prediction(new_id(), "v1", 0.5, 0.001, payload=payload), logged(0.5)])
    assert (replay.total().replayed, replay.total().unreadable) == (1, 1)
    assert replay.by_version()["v1"].unreadable == 1


def test_examples_are_the_largest_and_of_equals_the_first(replay: Replay) -> None:
    predictions = [logged(probability) for probability in (0.4, 0.9, 0.5, 0.1, 0.6, 0.0, 0.49, 1.0)]
    replay.run(predictions)
    wanted = [predictions[place].prediction_id for place in (5, 7, 1, 3, 0)]
    assert [change.prediction_id for change in replay.examples()] == wanted


def test_the_same_engine_changes_nothing(dex: Dex, live: ModelPredictor, stored: ModelPredictor) -> None:
    for predictor in (live, stored):
        replay = Replay(MoveRanker(dex, predictor))
        replay.run(made_by(dex, predictor, seed=5, size=200))
        assert replay.total() == Changes(200, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0)
        assert replay.examples() == ()


def test_a_tablebase_changes_no_more_than_it_rounds(dex: Dex, live: ModelPredictor, stored: ModelPredictor) -> None:
    replay = Replay(MoveRanker(dex, stored))
    replay.run(made_by(dex, live, seed=5, size=200))
    total = replay.total()
    assert total.largest_absolute is not None
    assert 0 < total.largest_absolute <= TOLERANCE
    assert total.other_move == total.near_ties
