"""From the outboxes of a folder to whoever logs, whatever becomes of the files meanwhile."""

import logging
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from api_pokemon.monitoring import Entry, Outbox, OutboxFolder, OutboxStream, StreamUnavailableError, new_id


@pytest.fixture
def folder(tmp_path: Path) -> OutboxFolder:
    (tmp_path / "outbox").mkdir()
    return OutboxFolder(tmp_path / "outbox")


@pytest.fixture
def stream(folder: OutboxFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[OutboxStream]:
    """A stream that looks at its files each time."""
    monkeypatch.setattr("api_pokemon.monitoring.outbox._LOOK_SECONDS", 0.0)
    stream = OutboxStream(folder)
    yield stream
    stream.close()


@pytest.fixture
def outboxes(folder: OutboxFolder) -> Iterator[Sequence[Outbox]]:
    outboxes = [folder.open(folder.folder / f"outbox-{number}.sqlite") for number in range(3)]
    yield outboxes
    for outbox in outboxes:
        outbox.close()


def append(outbox: Outbox, number: int, name: str = "event") -> None:
    outbox.append([(new_id(), f"{name} {place}".encode()) for place in range(number)])


def drain(stream: OutboxStream, most: int = 100) -> list[Entry]:
    entries: list[Entry] = []
    while batch := stream.read(most, 0, {}):
        stream.confirm(batch)
        entries += batch
    return entries


def bodies(entries: Sequence[Entry]) -> list[str]:
    return [entry.body.decode() for entry in entries]


def test_every_outbox_is_read_in_order_and_emptied(stream: OutboxStream, outboxes: Sequence[Outbox]) -> None:
    for number, outbox in enumerate(outboxes):
        append(outbox, 250, str(number))
    entries = drain(stream)
    for number, outbox in enumerate(outboxes):
        own = [entry for entry in entries if entry.writer == outbox.writer]
        assert [entry.sequence for entry in own] == list(range(1, 251))
        assert bodies(own) == [f"{number} {place}" for place in range(250)]
        assert outbox.state().pending == 0
    assert stream.keeps_offset


def test_a_busy_outbox_does_not_keep_the_others_waiting(stream: OutboxStream, outboxes: Sequence[Outbox]) -> None:
    append(outboxes[1], 10_000)
    append(outboxes[2], 1)
    writers = set()
    for _ in range(3):
        batch = stream.read(100, 0, {})
        stream.confirm(batch)
        writers |= {entry.writer for entry in batch}
    assert writers == {outboxes[1].writer, outboxes[2].writer}


def test_what_is_not_confirmed_comes_again(stream: OutboxStream, outboxes: Sequence[Outbox]) -> None:
    append(outboxes[0], 10)
    assert stream.read(4, 0, {}) == stream.read(4, 0, {})
    batch = stream.read(4, 0, {})
    stream.confirm(batch[:2])
    assert [entry.sequence for entry in stream.read(4, 0, {})] == [3, 4, 5, 6]
    assert outboxes[0].state().pending == 8


def test_what_was_logged_but_not_confirmed_comes_to_the_next_worker(
    stream: OutboxStream, folder: OutboxFolder, outboxes: Sequence[Outbox]
) -> None:
    append(outboxes[0], 10)
    first = stream.read(4, 0, {})
    successor = OutboxStream(folder)
    assert successor.read(4, 0, {outboxes[0].writer: 4}) == first
    successor.close()


def lock_for_writing(stream: OutboxStream, outbox: Outbox) -> sqlite3.Connection:
    """Hold an outbox as another process may, so that the stream cannot remove anything, and does not wait for long."""
    source = stream._sources[outbox.path]
    assert source._outbox
    source._outbox._open().execute("PRAGMA busy_timeout = 20")
    lock = sqlite3.connect(outbox.path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    return lock


def test_what_cannot_be_removed_is_not_read_again(stream: OutboxStream, outboxes: Sequence[Outbox]) -> None:
    append(outboxes[0], 10)
    batch = stream.read(4, 0, {})
    with closing(lock_for_writing(stream, outboxes[0])):
        with pytest.raises(StreamUnavailableError, match="look for one that is stopped"):
            stream.confirm(batch)
        assert [entry.sequence for entry in stream.read(4, 0, {})] == [5, 6, 7, 8]
    assert outboxes[0].state().pending == 10


def test_what_could_not_be_removed_is_removed_later_though_nothing_new_comes(
    stream: OutboxStream, outboxes: Sequence[Outbox], caplog: pytest.LogCaptureFixture
) -> None:
    append(outboxes[0], 10)
    first = stream.read(4, 0, {})
    with closing(lock_for_writing(stream, outboxes[0])):
        with pytest.raises(StreamUnavailableError):
            stream.confirm(first)
        rest = stream.read(10, 0, {})
        with pytest.raises(StreamUnavailableError):
            stream.confirm(rest)
        assert stream.read(10, 0, {}) == stream.read(10, 0, {}) == []
    assert outboxes[0].state().pending == 10
    assert stream.read(10, 0, {}) == []
    assert outboxes[0].state().pending == 0
    assert caplog.text == ""


def test_one_outbox_that_cannot_be_written_does_not_keep_the_others_full(
    stream: OutboxStream, outboxes: Sequence[Outbox]
) -> None:
    for outbox in outboxes:
        append(outbox, 3)
    batch = stream.read(9, 0, {})
    first = next(iter(stream._sources))
    (locked,) = (outbox for outbox in outboxes if outbox.path == first)
    with closing(lock_for_writing(stream, locked)), pytest.raises(StreamUnavailableError):
        stream.confirm(batch)
    assert [outbox.state().pending for outbox in outboxes if outbox is not locked] == [0, 0]


def test_what_was_read_of_one_file_is_not_removed_from_another(
    stream: OutboxStream, outboxes: Sequence[Outbox]
) -> None:
    outbox = outboxes[0]
    append(outbox, 5, "before")
    batch = stream.read(10, 0, {})
    outbox.close()
    outbox.path.unlink()
    append(outbox, 5, "after")
    stream.confirm(batch)
    assert [place for place in bodies(drain(stream)) if "after" in place] == [f"after {place}" for place in range(5)]


def test_what_is_still_to_be_removed_is_not_removed_from_another_file(
    stream: OutboxStream, outboxes: Sequence[Outbox]
) -> None:
    outbox = outboxes[0]
    append(outbox, 5, "before")
    batch = stream.read(10, 0, {})
    with closing(lock_for_writing(stream, outbox)), pytest.raises(StreamUnavailableError):
        stream.confirm(batch)
    outbox.close()
    outbox.path.unlink()
    append(outbox, 5, "after")
    assert [place for place in bodies(drain(stream)) if "after" in place] == [f"after {place}" for place in range(5)]


def test_an_offset_ahead_of_a_restored_outbox_hides_nothing(
    stream: OutboxStream, folder: OutboxFolder, outboxes: Sequence[Outbox], caplog: pytest.LogCaptureFixture
) -> None:
    outbox = outboxes[0]
    append(outbox, 10, "before")
    outbox.close()
    shutil.copy(outbox.path, folder.folder / "backup")
    append(outbox, 20, "lost")
    offsets = {outbox.writer: 30}
    drain(stream)
    outbox.close()
    stream.close()
    shutil.copy(folder.folder / "backup", outbox.path)
    append(outbox, 5, "after")
    with caplog.at_level(logging.WARNING):
        entries = stream.read(100, 0, offsets)
    assert bodies(entries) == [f"before {place}" for place in range(10)] + [f"after {place}" for place in range(5)]
    stream.confirm(entries)
    assert "has come to entry 15, and entry 30 of it is logged" in caplog.text
    append(outbox, 30, "later")
    assert len(drain(stream)) == 30


def test_an_outbox_that_is_restored_under_a_running_worker_is_read_from_its_start(
    stream: OutboxStream, folder: OutboxFolder, outboxes: Sequence[Outbox]
) -> None:
    outbox = outboxes[0]
    append(outbox, 10, "before")
    outbox.close()
    shutil.copy(outbox.path, folder.folder / "backup")
    drain(stream)
    append(outbox, 10, "lost")
    drain(stream)
    (folder.folder / "backup").replace(outbox.path)
    assert bodies(drain(stream)) == [f"before {place}" for place in range(10)]


def test_files_that_come_and_go_are_noticed(stream: OutboxStream, folder: OutboxFolder) -> None:
    assert stream.read(10, 0, {}) == []
    with folder.claim() as claim:
        outbox = folder.open(claim.path)
        append(outbox, 3, "old")
        assert bodies(stream.read(10, 0, {})) == ["old 0", "old 1", "old 2"]
        claim.path.unlink()
        append(outbox, 1, "new")
        entries = drain(stream)
        assert "new 0" in bodies(entries)
        outbox.close()


def test_a_damaged_outbox_is_told_of_and_does_not_keep_the_others_waiting(
    stream: OutboxStream, outboxes: Sequence[Outbox]
) -> None:
    for outbox in outboxes[:2]:
        append(outbox, 10)
        drain(stream)
        append(outbox, 10)
        outbox._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        outbox._open().execute("PRAGMA shrink_memory")
    stream.close()
    outboxes[0].path.write_bytes(b"\xa5" * 50_000)
    entries = drain(stream)
    assert {entry.writer for entry in entries} == {outboxes[1].writer}
    assert len(entries) == 10
    outboxes[0].close()
    append(outboxes[0], 1, "new")
    assert bodies(drain(stream)) == ["new 0"]


def test_an_outbox_of_a_newer_version_is_told_of_once_the_others_are_empty(
    stream: OutboxStream, outboxes: Sequence[Outbox]
) -> None:
    append(outboxes[1], 3)
    outboxes[0].close()
    with sqlite3.connect(outboxes[0].path) as newer:
        newer.execute("UPDATE meta SET value = 2 WHERE name = 'schema_version'")
    newer.close()
    batch = stream.read(10, 0, {})
    assert len(batch) == 3
    stream.confirm(batch)
    with pytest.raises(StreamUnavailableError, match="schema version 2"):
        stream.read(10, 0, {})


def test_waiting_ends_when_something_comes(stream: OutboxStream, outboxes: Sequence[Outbox]) -> None:
    assert stream.read(10, 0.01, {}) == []
    found: list[Entry] = []
    waiting = Thread(target=lambda: found.extend(stream.read(10, 60, {})))
    waiting.start()
    append(outboxes[2], 1)
    waiting.join(20)
    assert len(found) == 1


def test_two_outboxes_of_one_identity_do_not_take_each_others_entries(
    stream: OutboxStream, folder: OutboxFolder, outboxes: Sequence[Outbox]
) -> None:
    """Someone has copied a file: both go on from there."""
    outboxes[0].close()
    outboxes[1].close()
    shutil.copy(outboxes[0].path, outboxes[1].path)
    append(outboxes[0], 10, "one")
    append(outboxes[1], 10, "other")
    assert sorted(bodies(drain(stream, most=7))) == sorted(
        [f"one {place}" for place in range(10)] + [f"other {place}" for place in range(10)]
    )
