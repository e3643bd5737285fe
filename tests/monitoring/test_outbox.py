"""One file: what it keeps, whoever shares it and whoever dies."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random
from time import time

import pytest

from api_pokemon.monitoring import Entry, NotRecordedError, Outbox, Outcome, encode, new_id
from tests.monitoring.outboxes import held, items, set_aside

SUBJECT = "0190f5b6-7c0e-7abc-8def-0123456789ab"


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
