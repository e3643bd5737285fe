import sys
from typing import Any

import pytest

from api_pokemon.errors import StartError
from api_pokemon.routes.callers import Callers
from api_pokemon.routes.keys import Keys
from api_pokemon.routes.rate_limit import Allowance, Counts, RateLimiter, Unlimited, read_rate_limit

CALLERS = Callers(Keys({}, predictions_open=True))


def scope(address: str = "192.0.2.1") -> dict[str, Any]:
    return {"client": (address, 4711), "headers": []}


class Limited:
    """A limiter, and the time that it sees."""

    def __init__(self, limit: str) -> None:
        self.now = 1_000_000_020.0  # the beginning of a minute
        item = read_rate_limit(limit)
        assert item
        self._limiter = RateLimiter(item, CALLERS, Counts(), clock=lambda: self.now)

    def ask(self, address: str = "192.0.2.1") -> Allowance:
        return self._limiter.ask(scope(address))


@pytest.mark.parametrize(
    ("text", "amount", "seconds"),
    [("600/minute", 600, 60), ("10 per second", 10, 1), ("5000/2 hours", 5000, 7200), (" 1/day ", 1, 86_400)],
)
def test_limits_are_read(text: str, amount: int, seconds: int) -> None:
    item = read_rate_limit(text)
    assert item
    assert (item.amount, item.get_expiry()) == (amount, seconds)


@pytest.mark.parametrize("text", ["600", "0/minute", "-1/minute", "1/fortnight", "1/second;60/minute", "1.5/second"])
def test_what_is_no_limit_is_told(text: str) -> None:
    with pytest.raises(StartError, match=f"API_POKEMON_RATE_LIMIT is '{text}'; it takes .* such as 600/minute"):
        read_rate_limit(text)


@pytest.mark.parametrize("text", ["", "  "])
def test_no_limit_is_none(text: str) -> None:
    assert read_rate_limit(text) is None
    assert Unlimited().ask(scope()) == Allowance(granted=True)


def test_beyond_the_limit_nothing_is_granted_until_the_window_ends() -> None:
    limited = Limited("2/minute")
    limited.now += 18.5
    answers = [limited.ask() for _ in range(3)]
    assert [answer.granted for answer in answers] == [True, True, False]
    assert [dict(answer.headers)[b"ratelimit-remaining"] for answer in answers] == [b"1", b"0", b"0"]
    assert all(dict(answer.headers)[b"ratelimit-limit"] == b"2" for answer in answers)
    assert (answers[2].reset_seconds, dict(answers[2].headers)[b"ratelimit-reset"]) == (42, b"42")
    limited.now += 41.4
    assert not limited.ask().granted
    limited.now += 0.1
    assert limited.ask().granted


def test_each_caller_has_its_own_limit() -> None:
    limited = Limited("1/minute")
    assert [limited.ask(address).granted for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1")] == [True, True, False]


def test_a_clock_that_goes_back_begins_anew() -> None:
    limited = Limited("1/minute")
    assert (limited.ask().granted, limited.ask().granted) == (True, False)
    limited.now -= 3600
    assert (limited.ask().granted, limited.ask().granted) == (True, False)


class TestCounts:
    def test_memory_is_bounded_however_many_come(self) -> None:
        counts = Counts(most_callers=1000)
        for number in range(100_000):
            assert counts.add(f"caller {number}", 1) == 1
        assert len(counts) == 1000
        assert counts.add("caller 99999", 1) == 2
        assert counts.add("caller 0", 1) == 1  # forgotten
        assert len(counts.tell(10_000)) == 1000
        counts.add("caller 0", 2)
        assert len(counts) == 1

    def test_what_is_remembered_by_default_is_small(self) -> None:
        counts = Counts()
        before = sys.getallocatedblocks()
        for number in range(200_000):
            counts.add(f"caller {number}", 1)
        assert sys.getallocatedblocks() - before < 200_000  # 50,000 names, their counts, and numbers

    def test_what_others_counted_is_added_to_what_they_were_not_told(self) -> None:
        counts = Counts()
        counts.add("a", 1)
        counts.add("a", 1)
        assert counts.tell(10) == [("a", 2)]
        assert counts.add("a", 1) == 3  # before the answer has come
        counts.learn(1, "a", 7)
        assert counts.add("a", 1) == 9
        assert counts.tell(10) == [("a", 2)]

    def test_what_was_told_in_vain_still_counts_here(self) -> None:
        counts = Counts()
        counts.add("a", 1)
        counts.tell(10)
        counts.add("a", 1)
        counts.tell(10)
        counts.learn(1, "a", 1)  # the first one never arrived
        assert counts.add("a", 1) == 3

    def test_what_comes_too_late_is_dropped(self) -> None:
        counts = Counts()
        counts.add("a", 1)
        counts.tell(10)
        counts.add("a", 2)
        counts.learn(1, "a", 100)
        counts.learn(2, "nobody", 100)
        assert counts.add("a", 2) == 2

    def test_at_most_so_many_are_told_at_once(self) -> None:
        counts = Counts()
        for name in "abc":
            counts.add(name, 1)
        assert [counts.tell(2), counts.tell(2), counts.tell(2)] == [[("a", 1), ("b", 1)], [("c", 1)], []]
