"""The journal of an outbox, carried over in another thread than that which appends."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from api_pokemon.monitoring import Outbox
from api_pokemon.monitoring.outbox_journal import read_journal
from api_pokemon.monitoring.outbox_paths import journal_of
from tests.monitoring.disks import Disk
from tests.monitoring.outboxes import held, items

SUBJECT = "0190f5b6-7c0e-7abc-8def-0123456789ab"
WORTH_IT = 300
"""Events after which a journal is carried over."""


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
