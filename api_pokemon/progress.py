"""How far a command is: a bar a step on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Report = Callable[[int, int], None]
"""Hears what is done and what there is to do."""
StartStep = Callable[[str], Report]

LINE_EVERY_SECONDS = 10
_LINE_EVERY_SHARE = 0.05
"""Of the time so far: what takes hours need not fill a log."""


@contextmanager
def show_steps(console: Console) -> Iterator[StartStep]:
    """Show steps until the block ends; the value starts one and gives what to tell its progress to."""
    if not console.is_terminal:
        yield lambda name: _lines(console, name)
        return
    columns = (TextColumn("{task.description:<24}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:

        def start(name: str) -> Report:
            task = progress.add_task(name, total=None)
            return lambda done, total: progress.update(task, completed=done, total=total)

        yield start


def _lines(console: Console, name: str) -> Report:
    since = last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        took = now - since
        if done >= total or now - last >= max(LINE_EVERY_SECONDS, took * _LINE_EVERY_SHARE):
            last = now
            left = f", about {took * (total - done) / done:.0f} s left" if 0 < done < total else ""
            console.print(f"{name}: {done:,} of {total:,}, {took:.0f} s{left}", highlight=False)

    return report
