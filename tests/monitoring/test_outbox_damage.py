"""What is damaged is set aside, whole; what was only taken away is written down first."""

import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api_pokemon.monitoring import NotRecordedError, Outbox, new_id
from api_pokemon.monitoring.outbox_paths import journal_of
from tests.monitoring.outboxes import set_aside


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox-0.sqlite"


@pytest.fixture
def outbox(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outbox]:
    """An outbox that looks at its files each time, of which a part is in the database and a part in the journal."""
    monkeypatch.setattr("api_pokemon.monitoring.outbox._LOOK_SECONDS", 0.0)
    outbox = Outbox(path)
    outbox.append(items(400))
    outbox._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for _ in range(10):
        outbox.append(items(10))
    yield outbox
    outbox.close()


def items(number: int) -> list[tuple[str, bytes]]:
    return [(new_id(), b"%4d" % place * 250) for place in range(number)]


def overwrite(path: Path, first: float, last: float) -> None:
    """Write garbage over a part of a file, from one share of its size to another."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(size * first))
        file.write(b"\xa5" * int(size * (last - first)))


def truncate(path: Path, share: float) -> None:
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "header": lambda path: overwrite(path, 0.0, 0.01),
    "middle": lambda path: overwrite(path, 0.3, 0.7),
    "all": lambda path: overwrite(path, 0.0, 1.0),
    "end": lambda path: overwrite(path, 0.7, 1.0),
    "half gone": lambda path: truncate(path, 0.5),
    "all gone": lambda path: truncate(path, 0.0),
    "text": lambda path: path.write_text("Dear diary, today I was a database. " * 200),
}


def append_until_it_is_kept(outbox: Outbox) -> list[str]:
    """Go on as a service does, which reads and appends, and return the reasons of refusals."""
    reasons = []
    for _ in range(3):
        try:
            outbox.read(0, 1000)
            outbox.append([(new_id(), b"new")])
        except NotRecordedError as refusal:
            reasons.append(refusal.reason)
    return reasons


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_set_aside_while_it_is_used(
    outbox: Outbox, path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    writer = outbox.writer
    outbox._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    outbox._open().execute("PRAGMA shrink_memory")
    DAMAGE[damage](path)
    damaged = path.read_bytes()
    assert append_until_it_is_kept(outbox) == ["damaged"]
    assert outbox.writer != writer
    assert [entry.body for entry in outbox.read(0, 10)] == [b"new", b"new"]
    (aside,) = set_aside(path)
    assert aside.read_bytes() == damaged
    assert f"is kept as {aside.name}" in caplog.text


@pytest.mark.parametrize("damage", ["header", "all", "half gone", "text"])
def test_a_damaged_file_is_set_aside_when_it_is_opened(outbox: Outbox, path: Path, damage: str) -> None:
    writer = outbox.writer
    outbox.close()
    DAMAGE[damage](path)
    damaged = path.read_bytes()
    again = Outbox(path)
    assert again.append(items(1)) == 1
    assert again.writer != writer
    again.close()
    (aside,) = set_aside(path)
    assert aside.read_bytes() == damaged


def killed(outbox: Outbox, folder: Path) -> Path:
    """Return files as a killed process leaves them: with a journal that was not written back."""
    folder.mkdir()
    for file in (outbox.path, journal_of(outbox.path)):
        shutil.copy(file, folder / file.name)
    return folder / outbox.path.name


@pytest.mark.parametrize("size", [0, None])
def test_a_journal_without_its_database_is_set_aside(outbox: Outbox, tmp_path: Path, size: int | None) -> None:
    path = killed(outbox, tmp_path / "killed")
    journal = journal_of(path).read_bytes()
    path.unlink()
    if size is not None:
        path.touch()
    again = Outbox(path)
    assert again.append(items(1)) == 1
    again.close()
    (aside,) = path.parent.glob("*.sqlite-wal")
    assert aside.name.startswith("outbox-0.damaged-")
    assert aside.read_bytes() == journal


@pytest.mark.parametrize("part", [(0.0, 0.0001), (0.05, 0.1), (0.4, 0.5)])
def test_a_journal_that_is_damaged_is_set_aside_with_its_database(
    outbox: Outbox, tmp_path: Path, part: tuple[float, float]
) -> None:
    """SQLite takes the first frame that is wrong for the end, and would pass over what was accepted after it."""
    path = killed(outbox, tmp_path / "killed")
    journal = journal_of(path)
    overwrite(journal, *part)
    damaged = journal.read_bytes()
    again = Outbox(path)
    assert again.append(items(1)) == 1
    again.close()
    (aside,) = set_aside(path)
    assert journal_of(aside).read_bytes() == damaged


@pytest.mark.parametrize("share", [0.999, 0.9, 0.5, 0.01])
def test_a_journal_that_ends_early_is_a_crash_and_no_damage(outbox: Outbox, tmp_path: Path, share: float) -> None:
    path = killed(outbox, tmp_path / "killed")
    truncate(journal_of(path), share)
    again = Outbox(path)
    assert again.writer == outbox.writer
    pending = again.state().pending
    assert 400 <= pending < 500
    assert again.append(items(1)) == pending + 1
    again.close()
    assert set_aside(path) == []


def all_bodies(path: Path) -> list[bytes]:
    connection = sqlite3.connect(path)
    bodies = [body for (body,) in connection.execute("SELECT body FROM events ORDER BY sequence")]
    connection.close()
    return bodies


def replace_by_a_copy(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


def remove_both(path: Path) -> None:
    path.unlink()
    journal_of(path).unlink()


TAKEN: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "journal removed": lambda path: journal_of(path).unlink(),
    "both removed": remove_both,
    "renamed": lambda path: path.rename(path.with_name("elsewhere")),
    "replaced": replace_by_a_copy,
}


@pytest.mark.parametrize("taken", TAKEN)
def test_what_an_open_file_held_is_kept_when_its_name_is_taken_away(outbox: Outbox, path: Path, taken: str) -> None:
    bodies = [entry.body for entry in outbox.read(0, 1000)]
    TAKEN[taken](path)
    outbox.append([(new_id(), b"new")])
    assert outbox.read(0, 1000)[-1].body == b"new"
    assert bodies in [all_bodies(aside) for aside in set_aside(path)]
    assert Outbox(path).read(0, 1000)[-1].body == b"new"


def test_an_empty_file_that_is_taken_away_leaves_nothing_behind(outbox: Outbox, path: Path) -> None:
    outbox.remove_through(1000)
    path.unlink()
    assert outbox.append(items(1)) == 1
    assert set_aside(path) == []


def test_of_several_users_one_sets_aside_and_all_go_on_with_the_new_file(outbox: Outbox, path: Path) -> None:
    others = [Outbox(path) for _ in range(3)]
    overwrite(path, 0.0, 1.0)
    for user in (outbox, *others, outbox):
        append_until_it_is_kept(user)
    assert len(set_aside(path)) == 1
    assert {user.writer for user in others} == {outbox.writer}
    assert {entry.body for entry in others[0].read(0, 1000)} == {b"new"}
    for user in others:
        user.close()


def test_what_cannot_be_set_aside_is_said(
    outbox: Outbox, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    outbox._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    outbox._open().execute("PRAGMA shrink_memory")
    overwrite(path, 0.0, 1.0)
    with monkeypatch.context() as refused, caplog.at_level(logging.ERROR):
        refused.setattr(Path, "rename", refuse)
        assert set(append_until_it_is_kept(outbox)) == {"damaged", "read-only"}
    assert "cannot be set aside" in caplog.text
    assert append_until_it_is_kept(outbox) == []
    assert len(set_aside(path)) == 1
