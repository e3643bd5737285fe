"""What every long measurement owes: room that is looked for first, and an orderly end, whoever asks for it."""

import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from benchmarks.long_run import NoRoomError, interruptible, need_room


def test_too_little_room_is_told_with_both_sizes() -> None:
    need_room(0)
    with pytest.raises(NoRoomError, match=r"needs 1000000000\.0 GB in .*, where \d+\.\d GB are free: .*TMPDIR"):
        need_room(10**18)


def open_until_told_twice(number: signal.Signals, opened: list[str]) -> None:
    with interruptible(), TemporaryDirectory() as folder:
        opened.append(folder)
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_open_is_removed_when_told_to_end_and_again_meanwhile(number: signal.Signals) -> None:
    handler = signal.getsignal(number)
    opened: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        open_until_told_twice(number, opened)
    assert not Path(*opened).exists()
    assert signal.getsignal(number) is handler
