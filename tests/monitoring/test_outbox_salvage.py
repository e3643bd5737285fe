"""What can be read of a damaged outbox is on its way again."""

import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api_pokemon.monitoring import (
    NotRecordedError,
    Outbox,
    OutboxFolder,
    OutboxStream,
    Outcome,
    Prediction,
    encode,
    new_id,
)
from api_pokemon.monitoring.file_lock import FileLock
from api_pokemon.monitoring.outbox_paths import journal_of
from api_pokemon.monitoring.outbox_salvage import salvage

Damage = Callable[[Path], object]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_pokemon.monitoring.outbox_folder._NOTICED_SECONDS", 0.0)
    monkeypatch.setattr("api_pokemon.monitoring.outbox_stream._SALVAGE_SECONDS", 0.0)
    monkeypatch.setattr("api_pokemon.monitoring.outbox._LOOK_SECONDS", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> OutboxFolder:
    (tmp_path / "outbox").mkdir()
    return OutboxFolder(tmp_path / "outbox")


@pytest.fixture
def stream(folder: OutboxFolder) -> Iterator[OutboxStream]:
    stream = OutboxStream(folder)
    yield stream
    stream.close()


def items(number: int, size: int = 300) -> list[tuple[str, bytes]]:
    """Events of many sizes, among them such as take several pages."""
    events = [
        Prediction(new_id(), "v1", 0.75, 0.001, payload=b"%4d" % place * (size if place % 50 == 7 else place % 90))
        for place in range(number)
    ]
    outcome = Outcome(new_id(), events[0].prediction_id, happened=True)
    return [(event.prediction_id, encode(event)) for event in (*events, outcome)]


def fill(folder: OutboxFolder, size: int = 300) -> tuple[Outbox, list[bytes]]:
    """An outbox with the most part in the database and the rest in the journal, some of it removed."""
    outbox = folder.open(folder.folder / "outbox-0.sqlite")
    outbox.append(items(1000, size))
    outbox.remove_through(300)
    outbox._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for _ in range(20):
        outbox.append(items(20, size))
    return outbox, [entry.body for entry in outbox.read(0, 10_000)]


def copy_as_left_by_a_kill(outbox: Outbox, folder: OutboxFolder) -> Path:
    path = folder.folder / "outbox-0.damaged-20260101T000000Z-abcdef.sqlite"
    shutil.copy(outbox.path, path)
    shutil.copy(journal_of(outbox.path), journal_of(path))
    outbox.close()
    outbox.path.unlink()
    return path


def overwrite(path: Path, first: float, last: float) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(size * first))
        file.write(b"\xa5" * int(size * (last - first)))


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def test_of_a_file_that_is_whole_all_is_read_and_nothing_that_was_removed(folder: OutboxFolder) -> None:
    outbox, bodies = fill(folder, size=3000)
    path = copy_as_left_by_a_kill(outbox, folder)
    rows = list(salvage(path))
    assert [row.body for row in rows] == bodies
    assert [row.sequence for row in rows] == list(range(301, 301 + len(bodies)))


DAMAGE: dict[str, tuple[Damage, float]] = {
    "the header": (lambda path: overwrite(path, 0.0, 0.02), 0.9),
    "the middle": (lambda path: overwrite(path, 0.4, 0.6), 0.6),
    "a line in the middle": (lambda path: overwrite(path, 0.5, 0.501), 0.95),
    "half of it gone": (truncate, 0.4),
    "the database gone": (Path.unlink, 0.2),
    "the journal's header": (lambda path: overwrite(journal_of(path), 0.0, 0.0001), 0.99),
    "the journal's middle": (lambda path: overwrite(journal_of(path), 0.3, 0.4), 0.9),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_most_of_what_was_there_is_read_and_nothing_that_was_not(folder: OutboxFolder, damage: str) -> None:
    outbox, bodies = fill(folder)
    sequences = dict(zip(bodies, range(301, 301 + len(bodies)), strict=True))
    path = copy_as_left_by_a_kill(outbox, folder)
    inflict, share = DAMAGE[damage]
    inflict(path)
    rows = list(salvage(path))
    still_there = [row for row in rows if row.body in sequences]
    assert all(row.sequence == sequences[row.body] for row in still_there)
    assert len(still_there) >= share * len(bodies)
    assert len({row.sequence for row in rows}) == len(rows)
    assert all(row.sequence <= 300 for row in rows if row.body not in sequences)  # removed before, and known to the log


def test_of_a_file_without_anything_nothing_is_made(folder: OutboxFolder) -> None:
    path = folder.folder / "outbox-0.damaged-20260101T000000Z-abcdef.sqlite"
    path.write_bytes(b"Dear diary, " * 1000)
    folder.salvage()
    assert [file.name for file in folder.folder.glob("*.s*")] == [path.name.replace("damaged", "salvaged")]


def test_what_is_salvaged_is_an_outbox_that_goes_on_as_the_damaged_one(
    folder: OutboxFolder, stream: OutboxStream, caplog: pytest.LogCaptureFixture
) -> None:
    outbox, bodies = fill(folder)
    writer, last = outbox.writer, outbox.state().last_sequence
    path = copy_as_left_by_a_kill(outbox, folder)
    overwrite(path, 0.5, 0.501)
    damaged = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        entries = stream.read(10_000, 0, {})
    (salvaged,) = folder.folder.glob("*.salvaged-*.sqlite")
    assert salvaged.read_bytes() == damaged
    assert f"are salvaged, and on their way again; it is kept as {salvaged.name}" in caplog.text
    assert {entry.writer for entry in entries} == {writer}
    assert {entry.body for entry in entries} <= set(bodies)
    (state,) = folder.states()
    assert (state.writer, state.last_sequence, state.pending) == (writer, last, len(entries))
    assert 0.95 * len(bodies) < state.pending < len(bodies)
    stream.confirm(entries)
    assert folder.states()[0].settled == last
    assert stream.read(10, 0, {}) == []


def test_a_living_process_salvages_what_it_set_aside(folder: OutboxFolder) -> None:
    with folder.claim() as claim:
        outbox, bodies = fill(folder)
        outbox._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        outbox._open().execute("PRAGMA shrink_memory")
        overwrite(claim.path, 0.0, 0.02)
        for _ in range(2):
            try:
                outbox.append(items(1))
            except NotRecordedError:
                continue
        (abandoned,) = folder.claim_abandoned()
        drained = folder.open(abandoned.path)
        assert 0.9 * len(bodies) < len({entry.body for entry in drained.read(0, 10_000)} & set(bodies)) <= len(bodies)
        drained.close()
        abandoned.release()
        assert folder.claim_abandoned() != []
        outbox.close()


def test_an_event_is_found_in_a_file_that_was_set_aside(folder: OutboxFolder) -> None:
    outbox, _ = fill(folder)
    subject, body = items(1)[0]
    outbox.append([(subject, body)])
    path = copy_as_left_by_a_kill(outbox, folder)
    assert folder.find(subject) == [body]
    overwrite(path, 0.0, 1.0)
    assert folder.find(new_id()) == []


def test_what_is_being_salvaged_by_another_process_is_left_to_it(folder: OutboxFolder) -> None:
    outbox, _ = fill(folder)
    path = copy_as_left_by_a_kill(outbox, folder)
    other = OutboxFolder(folder.folder)
    lock = FileLock(folder.folder / "salvage.lock")
    assert lock.try_acquire()
    other.salvage()
    assert path.exists()
    lock.release()
    other.salvage()
    assert not path.exists()


def test_a_try_that_was_cut_off_is_begun_anew(folder: OutboxFolder, stream: OutboxStream) -> None:
    outbox, bodies = fill(folder)
    copy_as_left_by_a_kill(outbox, folder)
    part = sqlite3.connect(folder.folder / "outbox-0.salvage")
    part.execute("CREATE TABLE events (half)")
    part.close()
    assert [entry.body for entry in stream.read(10_000, 0, {})] == bodies


def test_what_cannot_be_salvaged_now_is_said_and_tried_later(
    folder: OutboxFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, target: Path) -> int:
        raise OSError(28, "No space left on device")

    outbox, bodies = fill(folder)
    path = copy_as_left_by_a_kill(outbox, folder)
    with monkeypatch.context() as full:
        full.setattr("api_pokemon.monitoring.outbox_folder.salvage_into", refuse)
        folder.salvage()
    assert "cannot be salvaged now: [Errno 28] No space left on device" in caplog.text
    folder.salvage()
    assert path.exists()
    monkeypatch.setattr(folder, "_salvage_at", 0.0)
    folder.salvage()
    assert folder.states()[0].pending == len(bodies)
