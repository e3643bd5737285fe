"""How far a command is, told where there is no terminal."""

from io import StringIO

import pytest
from rich.console import Console

from api_pokemon import progress


def test_lines_tell_how_much_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 5.0, 100.0, 101.0, 400.0])
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    output = StringIO()
    with progress.show_steps(Console(file=output, width=200)) as start:
        report = start("counting")
        for done in (1, 1000, 1001, 4000):
            report(done, 4000)
    assert output.getvalue().splitlines() == [
        "counting: 1,000 of 4,000, 100 s, about 300 s left",
        "counting: 4,000 of 4,000, 400 s",
    ]
