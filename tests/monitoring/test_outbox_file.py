"""What an outbox looks at before it opens its file, beside a process that writes it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Timer
from uuid import uuid4

import pytest

from api_pokemon.monitoring import Outbox, outbox_file
from api_pokemon.monitoring.errors import NotRecordedError
from api_pokemon.monitoring.outbox_journal import read_journal
from api_pokemon.monitoring.outbox_paths import journal_of
from api_pokemon.monitoring.outbox_rows import insert


def test_a_journal_that_is_about_to_be_begun_anew_is_not_damaged(tmp_path: Path) -> None:
    """SQLite notes it in shared memory first, and writes the journal's new head a moment later."""
    path = tmp_path / "outbox.sqlite"
    outbox = Outbox(path)
    outbox.append([(str(uuid4()), b"first")])
    with closing(outbox), closing(connected(path)) as opening, closing(connected(path)) as writing:
        frames = outbox_file.carry_over(opening)
        longer = read_journal(journal_of(path))._replace(surely_committed=frames + 1)
        writing.execute("BEGIN IMMEDIATE")
        writing.execute("DELETE FROM events")
        commit = Timer(0.2, writing.execute, ["COMMIT"])
        commit.start()
        outbox_file._refuse_broken_journal(opening, path, longer)
        commit.join()
        now = read_journal(journal_of(path))
        assert now.salts != longer.salts
        with pytest.raises(NotRecordedError, match="damaged before its end"):
            outbox_file._refuse_broken_journal(opening, path, now._replace(surely_committed=frames + 100))
        insert(writing, [(str(uuid4()), b"second")])  # the look has left nothing locked


def connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)
