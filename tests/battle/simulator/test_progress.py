"""A bar on a terminal, some lines elsewhere."""

from io import StringIO

import pytest
from rich.console import Console

from api_pokemon.battle.simulator import progress
from api_pokemon.battle.simulator.progress import show_progress


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.mark.parametrize("is_terminal", [False, True])
def test_rate_and_time_left_count_neither_the_start_nor_what_was_there_before(clock: Clock, is_terminal: bool) -> None:
    screen = StringIO()
    with show_progress(Console(file=screen, force_terminal=is_terminal, width=120), 100_000) as progress:
        progress.skip(40_000)
        clock.seconds = 7.0  # processes start
        progress.advance(10_000)
        clock.seconds = 9.0
        progress.advance(10_000)
    assert "60,000 of 100,000" in screen.getvalue() or "60000/100000" in screen.getvalue()
    assert "5,000 battles/s, 0:08 left" in screen.getvalue()


def test_lines_are_few(clock: Clock) -> None:
    screen = StringIO()
    with show_progress(Console(file=screen), 100_000) as progress:
        for _ in range(1_000):
            clock.seconds += 1
            progress.advance(100)
    lines = screen.getvalue().splitlines()
    assert len(lines) == 21
    assert lines[0] == "100 of 100,000 battles, starting"
    assert lines[-1] == "100,000 of 100,000 battles, 100 battles/s, 0:00 left"
