"""One file: what it keeps, whoever dies, and what befalls it."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from time import time

import pytest

from api_pokemon.monitoring import Entry, NotRecordedError, Outbox, Outcome, encode, new_id
from api_pokemon.monitoring.outbox_journal import read_journal
from api_pokemon.monitoring.outbox_paths import journal_of
from tests.monitoring.disks import Disk, small_disk

SUBJECT = "0190f5b6-7c0e-7abc-8def-0123456789ab"
MEGABYTE = 1 << 20
WORTH_IT = 300
"""Events after which a journal is carried over."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox-0.sqlite"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    outbox = Outbox(path)
    yield outbox
    outbox.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", 4 * MEGABYTE) as disk:
        yield disk


def items(number: int, size: int = 100) -> list[tuple[str, bytes]]:
    return [(new_id(), bytes([65 + place % 26]) * size) for place in range(number)]


def fill(outbox: Outbox, number: int = 50, size: int = 4000) -> str:
    """Append until it is refused, and return the reason."""
    while True:
        try:
            outbox.append(items(number, size))
        except NotRecordedError as refusal:
            return refusal.reason


def held(outbox: Outbox) -> list[bytes]:
    return [entry.body for entry in outbox.read(0, 1_000_000)]


def set_aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob("outbox-0.damaged-*.sqlite"))


def test_entries_come_in_the_order_in_which_they_were_accepted(outbox: Outbox) -> None:
    assert outbox.append([(SUBJECT, b"one"), (SUBJECT, b"two")]) == 2
    assert outbox.append([(SUBJECT, b"three")]) == 3
    assert outbox.read(0, 2) == [Entry(outbox.writer, 1, b"one"), Entry(outbox.writer, 2, b"two")]
    assert outbox.read(2, 10) == [Entry(outbox.writer, 3, b"three")]
    assert outbox.read(3, 10) == []


@pytest.mark.parametrize("number", [0, 1, 63, 64, 65, 1000])
def test_any_number_is_appended_at_once(outbox: Outbox, number: int) -> None:
    outbox.append(items(3))
    appended = items(number)
    assert outbox.append(appended) == 3 + number
    assert held(outbox)[3:] == [body for _, body in appended]


def test_all_are_appended_or_none(outbox: Outbox) -> None:
    outbox.append(items(1))
    with pytest.raises(ValueError, match="fromhex"):
        outbox.append([*items(500), ("no id", b"")])
    assert outbox.append(items(1)) == 2


def test_what_is_removed_is_not_read_again_and_its_sequence_not_used_again(path: Path, outbox: Outbox) -> None:
    outbox.append(items(5))
    outbox.remove_through(3)
    assert [entry.sequence for entry in outbox.read(0, 10)] == [4, 5]
    outbox.remove_through(1_000_000_000)
    writer = outbox.writer
    outbox.close()
    again = Outbox(path)
    assert again.state()[:4] == (writer, 5, 0, None)
    assert again.append(items(1)) == 6
    again.close()


def test_entries_are_removed_in_any_order(outbox: Outbox) -> None:
    outbox.append(items(10))
    outbox.remove([9, 2, 3, 7, 7, 4, 77])
    assert [entry.sequence for entry in outbox.read(0, 10)] == [1, 5, 6, 8, 10]


def test_an_entry_is_found_by_the_prediction_it_is_about(outbox: Outbox) -> None:
    outbox.append([*items(200), (SUBJECT, b"prediction"), *items(200), (SUBJECT.upper(), b"outcome")])
    assert outbox.find(SUBJECT) == [b"prediction", b"outcome"]
    assert outbox.find(new_id()) == []
    outbox.remove_through(201)
    assert outbox.find(SUBJECT) == [b"outcome"]


def test_the_journal_is_carried_over_beside_whoever_appends(path: Path, outbox: Outbox) -> None:
    outbox.append([(SUBJECT, b"a prediction")] * WORTH_IT)
    assert b"a prediction" not in path.read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as appending, ThreadPoolExecutor() as other_thread:
        appending.execute("BEGIN IMMEDIATE")
        other_thread.submit(outbox.carry_over).result()
    assert b"a prediction" in path.read_bytes()


def test_few_events_begin_no_new_journal(path: Path, outbox: Outbox) -> None:
    """Whoever appends first to a new one waits for the disk, as its head is written."""
    outbox.append(items(1))
    begun = read_journal(journal_of(path)).salts
    for _ in range(WORTH_IT - 2):
        outbox.append(items(1))
        outbox.carry_over()
    assert read_journal(journal_of(path)).salts == begun
    outbox.append(items(1))
    outbox.carry_over()
    outbox.append(items(1))
    assert read_journal(journal_of(path)).salts != begun


def test_nothing_is_carried_over_to_a_file_that_is_closed(path: Path, outbox: Outbox) -> None:
    outbox.append(items(WORTH_IT))
    outbox.close()
    path.unlink()
    outbox.carry_over()
    assert not path.exists()
    outbox.append([(SUBJECT, b"a prediction")])
    outbox.carry_over()
    assert b"a prediction" in path.read_bytes()


def test_without_a_second_connection_events_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr("api_pokemon.monitoring.outbox.open_carrier", refuse)
    with closing(Outbox(path)) as outbox:
        outbox.append(items(WORTH_IT))
        outbox.carry_over()
        assert len(held(outbox)) == WORTH_IT


def test_a_full_disk_does_not_take_the_journal_and_nothing_is_lost(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Outbox(disk.folder / "outbox-0.sqlite")) as outbox:
        outbox.append(items(WORTH_IT))
        filler = disk.fill()
        outbox.carry_over()
        assert "cannot be carried over" in caplog.text
        assert len(held(outbox)) == WORTH_IT
        filler.unlink()
        outbox.append(items(WORTH_IT))
        outbox.carry_over()
        assert len(held(outbox)) == 2 * WORTH_IT


def test_the_state_tells_what_is_held(outbox: Outbox) -> None:
    now = time()
    old, new = Outcome(SUBJECT, SUBJECT, happened=True), Outcome(new_id(), SUBJECT, happened=True)
    outbox.append([(SUBJECT, encode(event)) for event in (old, new, new, new)])
    assert outbox.state()[:4] == (outbox.writer, 4, 4, 1722109295.63)
    assert outbox.state().settled == 0
    outbox.remove([1, 3])
    state = outbox.state()
    assert (state.pending, state.settled) == (2, 1)
    assert state.oldest_seconds == pytest.approx(now, abs=60)
    outbox.remove_through(4)
    assert outbox.state()[1:4] == (4, 0, None)
    assert outbox.state().settled == 4


def test_what_is_pending_is_right_whatever_was_removed(outbox: Outbox) -> None:
    random = Random(3)
    kept: set[int] = set()
    for _ in range(60):
        last = outbox.append(items(random.randrange(1, 20)))
        kept |= set(range(outbox.state().last_sequence, last + 1)) | {
            entry.sequence for entry in outbox.read(max(kept, default=0), 100)
        }
        gone = random.sample(sorted(kept), random.randrange(len(kept) + 1))
        outbox.remove(gone)
        kept -= set(gone)
        state = outbox.state()
        assert (state.pending, state.settled) == (len(kept), min(kept, default=last + 1) - 1)


def test_a_loss_shows(outbox: Outbox, path: Path) -> None:
    """What is pending is counted, not derived from what was accepted and let go."""
    outbox.append(items(10))
    thief = sqlite3.connect(path)
    with thief:
        thief.execute("DELETE FROM events WHERE sequence IN (3, 4)")
    thief.close()
    outbox.remove_through(2)
    outbox.remove([9])
    assert outbox.state().pending == 5


def test_an_event_that_is_none_has_no_time(outbox: Outbox) -> None:
    outbox.append([(SUBJECT, b"\xff{")])
    assert outbox.state()[2:4] == (1, None)


def test_a_new_file_has_a_writer_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    first, second = Outbox(tmp_path / "outbox-0.sqlite"), Outbox(tmp_path / "outbox-1.sqlite")
    again = Outbox(tmp_path / "outbox-0.sqlite")
    assert first.writer == again.writer != second.writer
    for outbox in (first, second, again):
        outbox.close()


def test_a_file_of_a_newer_version_is_refused_and_left_alone(path: Path, outbox: Outbox) -> None:
    outbox.append(items(1))
    outbox.close()
    newer = sqlite3.connect(path)
    with newer:
        newer.execute("UPDATE meta SET value = 2 WHERE name = 'schema_version'")
    newer.close()
    with pytest.raises(NotRecordedError, match="schema version 2, and this program knows 1") as refused:
        Outbox(path)
    assert refused.value.reason == "other"
    assert set_aside(path) == []


APPENDS = """
import sys
from pathlib import Path
from api_pokemon.monitoring import Outbox, new_id
outbox = Outbox(Path(sys.argv[1]), synchronous="normal")
for turn in range(int(sys.argv[2])):
    batch = [(new_id(), f"{sys.argv[3]} {turn} {place}".encode()) for place in range(1 + turn % 7)]
    outbox.append(batch)
    print("".join(body.decode() + "\\n" for _, body in batch), end="", flush=True)
"""


def start_appending(path: Path, turns: int, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", APPENDS, str(path), str(turns), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_several_processes_share_a_file_while_another_reads_and_removes(path: Path) -> None:
    """No sequence is lost, none is given twice, and each process's entries keep their order."""
    writers = [start_appending(path, 200, name) for name in "abcd"]
    reader = Outbox(path)
    entries: list[Entry] = []
    while any(writer.poll() is None for writer in writers) or reader.state().pending:
        batch = reader.read(entries[-1].sequence if entries else 0, 100)
        entries += batch
        reader.remove([entry.sequence for entry in batch])
    told = [writer.communicate()[0].splitlines() for writer in writers]
    reader.close()
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    for name, lines in zip("abcd", told, strict=True):
        assert [entry.body.decode() for entry in entries if entry.body.startswith(name.encode())] == lines


def test_processes_that_make_the_file_at_once_make_one(path: Path) -> None:
    writers = [start_appending(path, 1, name) for name in "abcdef"]
    assert all(writer.communicate()[0] for writer in writers)
    outbox = Outbox(path)
    assert outbox.state()[1:3] == (6, 6)
    assert set_aside(path) == []
    outbox.close()


@pytest.mark.parametrize("lines", [1, 57, 400])
def test_what_was_accepted_survives_the_death_of_the_process(path: Path, lines: int) -> None:
    writer = start_appending(path, 100_000, "a")
    assert writer.stdout
    told = [writer.stdout.readline() for _ in range(lines)]
    writer.send_signal(signal.SIGKILL)
    told += [line for line in writer.stdout if line.endswith("\n")]
    writer.wait()
    writer.stdout.close()
    outbox = Outbox(path)
    found = [f"{body.decode()}\n" for body in held(outbox)]
    outbox.close()
    assert found[: len(told)] == told
    assert len(found) - len(told) < 8  # at most the batch that nobody was told of


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
