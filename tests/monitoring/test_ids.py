import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from api_pokemon.monitoring import InvalidIdError, ids, made_at_seconds, new_id, parse_id


def test_ids_are_version_7_and_sort_as_they_were_made() -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(set(made))
    assert {uuid.UUID(text).version for text in made} == {7}
    assert {uuid.UUID(text).variant for text in made} == {uuid.RFC_4122}


def test_threads_never_make_the_same_id() -> None:
    with ThreadPoolExecutor(8) as threads:
        parts = list(threads.map(lambda _: [new_id() for _ in range(2000)], range(8)))
    assert all(part == sorted(part) for part in parts)
    assert len(set().union(*parts)) == 16_000


def test_an_id_knows_when_it_was_made() -> None:
    before = time.time()
    made_at = made_at_seconds(new_id())
    assert before - 0.001 <= made_at <= time.time()


@pytest.mark.parametrize("back_seconds", [2, 3600])
def test_ids_follow_a_clock_that_is_set_back(monkeypatch: pytest.MonkeyPatch, back_seconds: int) -> None:
    new_id()
    then = time.time_ns() - back_seconds * 10**9
    monkeypatch.setattr(ids, "time_ns", lambda: then)
    made = [new_id() for _ in range(1000)]
    assert {made_at_seconds(each) for each in made} == {then // 10**6 / 1000}
    assert len(set(made)) == 1000
    assert all(parse_id(each) == each for each in made)


def test_ids_stay_in_order_where_it_is_set_back_by_little(monkeypatch: pytest.MonkeyPatch) -> None:
    then = time.time_ns() - 500_000_000
    monkeypatch.setattr(ids, "time_ns", lambda: then)
    made = [new_id() for _ in range(1000)]
    assert made == sorted(made)


def test_an_id_is_read_in_any_case() -> None:
    text = new_id()
    assert parse_id(text.upper()) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "0190f5b6-7c0e-4abc-8def-0123456789ab",
        "0190f5b6-7c0e-7abc-cdef-0123456789ab",
        "0190f5b67c0e7abc8def0123456789ab",
        "{0190f5b6-7c0e-7abc-8def-0123456789ab}",
        "0190f5b6-7c0e-7abc-8def-0123456789ab\n",
        "0190f5b6-7c0e-7abc-8def-0123456789a\u0661",
        "x" * 100_000,
    ],
)
def test_what_is_no_id_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidIdError, match="is not a prediction id") as refused:
        parse_id(text)
    assert repr(text[:64]) in str(refused.value)
    assert len(str(refused.value)) < 200
