"""Writes what the acceptance walk found into MONITORING_RECAP.md."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from api_pokemon import __version__
from api_pokemon.errors import StartError
from api_pokemon.stack.configuration import DOCKER
from api_pokemon.stack.validate_criteria import Finding

RECAP = DOCKER.parent / "MONITORING_RECAP.md"
BEGIN, END = "<!-- api-pokemon validate --recap -->", "<!-- end -->"


def write_recap(findings: Sequence[Finding], what: str, path: Path = RECAP) -> None:
    """Put the table of the findings between the two marks of a file, in place of the one before.

    Parameters
    ----------
    what
        What was looked at.

    Raises
    ------
    StartError
        The file is not there, or without its marks.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise StartError(f"{path} cannot be read ({error.strerror}).") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise StartError(f"{path} has no lines {BEGIN!r} and {END!r} between which the table goes.")
    lines = [_headline(what), "", "| criterion | status | proof |", "|---|---|---|"]
    lines += [f"| {' | '.join(_cell(part) for part in finding)} |" for finding in findings]
    path.write_text(before + "\n".join((BEGIN, *lines, END)) + after, "utf-8")


def _headline(what: str) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    machine = f"{_system()}, Python {platform.python_version()}, {os.cpu_count()} processors"
    return f"Seen on {now} by version {__version__}, on {what} ({machine})."


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
