"""How far a simulation is: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

LINES = 20  # from beginning to end, where there is no terminal


class Reporter(Protocol):
    """Hears how many battles more are done."""

    def advance(self, battles: int) -> None:
        """Just played."""

    def skip(self, battles: int) -> None:
        """Played before, by an earlier run."""


class _Speed:
    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self._timed = 0
        self._since: float | None = None

    def count(self, battles: int, *, is_played: bool) -> None:
        self.done += battles
        if not is_played:
            return
        if self._since is None:  # what comes first waits for processes to start, and tells nothing about the rest
            self._since = time.monotonic()
        else:
            self._timed += battles

    def __str__(self) -> str:
        if self._since is None or not self._timed:
            return "starting"
        rate = self._timed / (time.monotonic() - self._since)
        minutes, seconds = divmod(round((self.total - self.done) / rate), 60)
        return f"{rate:,.0f} battles/s, {minutes}:{seconds:02d} left"


class _Bar:
    def __init__(self, progress: Progress, task: TaskID, speed: _Speed) -> None:
        self._progress, self._task, self._speed = progress, task, speed

    def advance(self, battles: int) -> None:
        self._show(battles, is_played=True)

    def skip(self, battles: int) -> None:
        self._show(battles, is_played=False)

    def _show(self, battles: int, *, is_played: bool) -> None:
        self._speed.count(battles, is_played=is_played)
        self._progress.update(self._task, advance=battles, speed=str(self._speed))


class _Lines:
    def __init__(self, console: Console, speed: _Speed) -> None:
        self._console, self._speed = console, speed
        self._next = 0

    def advance(self, battles: int) -> None:
        self._speed.count(battles, is_played=True)
        if self._speed.done >= self._next:
            self._next = min(self._speed.done + self._speed.total // LINES, self._speed.total)
            text = f"{self._speed.done:,} of {self._speed.total:,} battles, {self._speed}"
            self._console.print(text, highlight=False)

    def skip(self, battles: int) -> None:
        self._speed.count(battles, is_played=False)


@contextmanager
def show_progress(console: Console, total: int) -> Iterator[Reporter]:
    """Shows progress on the console until the block ends."""
    speed = _Speed(total)
    if not console.is_terminal:
        yield _Lines(console, speed)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield _Bar(progress, progress.add_task("battles", total=total, speed="starting"), speed)
