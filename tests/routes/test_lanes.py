"""A burst is let in, once; and again when it is over."""

import pytest

from api_pokemon.routes.lanes import BURST, Lane
from tests.clocks import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def full(clock: Clock) -> Lane:
    """A lane that has refused somebody after a burst, and has one place taken."""
    lane = Lane(1, clock=clock)
    for _ in range(BURST):
        assert not lane.is_full
        lane.enter()
    assert lane.is_full
    for _ in range(BURST - 1):
        lane.leave()
    return lane


def test_after_a_burst_only_as_many_are_let_in_as_may_be_in_work_for_long(full: Lane) -> None:
    assert full.is_full
    full.leave()
    assert not full.is_full


def test_another_burst_is_let_in_once_nobody_was_refused_for_a_while(full: Lane, clock: Clock) -> None:
    clock.now = 0.09
    assert full.is_full
    clock.now = 0.18
    assert full.is_full
    clock.now = 0.29
    assert not full.is_full


def test_overload_that_lasts_has_a_burst_every_five_seconds(full: Lane, clock: Clock) -> None:
    """Callers who ask again at once would else be refused for good, though there is room for all of them."""
    bursts = []
    for count in range(1, 1201):
        clock.now = count / 100
        if not full.is_full:
            bursts.append(clock.now)
            for _ in range(BURST - 1):
                full.enter()
            assert full.is_full
            for _ in range(BURST - 1):
                full.leave()
    assert bursts == pytest.approx([5.01, 10.02])
