"""What an outbox refuses, under which name, and that it takes all again once the cause is gone."""

import sqlite3
from pathlib import Path

import pytest

from api_pokemon.monitoring import NotRecordedError, Outbox
from tests.monitoring.disks import MEGABYTE, Disk
from tests.monitoring.outboxes import held, items, set_aside


def fill(outbox: Outbox, number: int = 50, size: int = 4000) -> str:
    """Append until it is refused, and return the reason."""
    while True:
        try:
            outbox.append(items(number, size))
        except NotRecordedError as refusal:
            return refusal.reason


def test_a_full_outbox_refuses_until_entries_go(path: Path) -> None:
    outbox = Outbox(path, max_bytes=MEGABYTE)
    assert fill(outbox) == "outbox-full"
    before = held(outbox)
    assert outbox.state().pending == len(before) > 50
    assert len(before) % 50 == 0
    assert fill(outbox, number=1) == "outbox-full"
    outbox.remove_through(100)
    outbox.append(items(50, 4000))
    for _ in range(20):
        outbox.remove_through(outbox.state().last_sequence)
        assert fill(outbox) == "outbox-full"
        assert outbox.state().bytes <= MEGABYTE
    outbox.close()


def test_a_bound_holds_for_a_file_that_is_larger_already(path: Path) -> None:
    """Nothing is lost where someone lowers the bound."""
    outbox = Outbox(path)
    outbox.append(items(500, 4000))
    outbox.close()
    smaller = Outbox(path, max_bytes=MEGABYTE)
    assert fill(smaller) == "outbox-full"
    assert smaller.state().pending >= 500
    smaller.remove_through(400)
    smaller.append(items(50, 4000))
    smaller.close()


def test_a_full_disk_refuses_until_there_is_space(disk: Disk) -> None:
    outbox = Outbox(disk.folder / "outbox-0.sqlite")
    outbox.append(items(10))
    filler = disk.fill()
    assert fill(outbox) == "disk-full"
    before = held(outbox)
    assert before[:10] == [body for _, body in items(10)]
    with pytest.raises(NotRecordedError, match="Free space on its disk"):
        outbox.append(items(50, 4000))
    filler.unlink()
    outbox.append(items(50, 4000))
    assert held(outbox)[: len(before)] == before
    assert outbox.state().pending == len(before) + 50
    outbox.close()


def test_on_a_full_disk_none_is_made(disk: Disk) -> None:
    filler = disk.fill()
    with pytest.raises(NotRecordedError) as refused:
        Outbox(disk.folder / "outbox-0.sqlite")
    assert refused.value.reason == "disk-full"
    filler.unlink()
    outbox = Outbox(disk.folder / "outbox-0.sqlite")
    outbox.append(items(1))
    outbox.close()
    assert set_aside(outbox.path) == []


def test_a_read_only_disk_refuses_until_it_can_be_written(disk: Disk) -> None:
    outbox = Outbox(disk.folder / "outbox-0.sqlite")
    outbox.append(items(10))
    outbox.close()
    disk.make_read_only()
    with pytest.raises(NotRecordedError, match="Let this process write it") as refused:
        outbox.append(items(1))
    assert refused.value.reason == "read-only"
    disk.make_writable()
    assert outbox.append(items(1)) == 11
    outbox.close()


def test_a_folder_that_is_not_there_is_no_outbox(tmp_path: Path) -> None:
    with pytest.raises(NotRecordedError, match="missing/outboxes") as refused:
        Outbox(tmp_path / "missing" / "outbox-0.sqlite")
    assert refused.value.reason == "io"


def test_a_lock_that_another_holds_refuses_until_it_is_released(path: Path, outbox: Outbox, monkeypatch) -> None:
    outbox.append(items(1))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outbox._open().execute("PRAGMA busy_timeout = 20")
    with pytest.raises(NotRecordedError, match="stopped") as refused:
        outbox.append(items(1))
    assert refused.value.reason == "busy"
    with pytest.raises(NotRecordedError):
        outbox.remove_through(1)
    assert outbox.state().pending == 1
    other.execute("ROLLBACK")
    other.close()
    assert outbox.append(items(1)) == 2
