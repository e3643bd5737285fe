"""The balance is true when nothing is lost, and false when something is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from api_pokemon.monitoring import Outbox, OutboxFolder, OutboxState, Prediction, new_id
from api_pokemon.monitoring.accounting import Accountant, Balance, draw_up
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.events import encode
from api_pokemon.monitoring.outbox_stream import OutboxStream
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.stream import Entry


class Books:
    """An outbox, a log, and what carries from one to the other."""

    def __init__(self, folder: Path) -> None:
        self.log = PredictionLog(connect(f"sqlite:///{folder}/log.sqlite"))
        self.log.migrate()
        self.outboxes = OutboxFolder(folder / "outbox")
        self.claim = self.outboxes.claim()
        self.outbox: Outbox = self.outboxes.open(self.claim.path)
        self.stream = OutboxStream(self.outboxes)

    def accept(self, number: int) -> None:
        predictions = [Prediction(new_id(), "v1", 0.7, 0.001) for _ in range(number)]
        self.outbox.append([(prediction.prediction_id, encode(prediction)) for prediction in predictions])

    def carry(self, most: int = 100) -> None:
        entries = self.stream.read(most, 0, self.log.offsets())
        self.log.write(entries, keep_offsets=True)
        self.stream.confirm(entries)

    def change_log(self, statement: str) -> None:
        with self.log.engine.begin() as connection:
            assert connection.execute(text(statement)).rowcount == 1

    def balance(self) -> Balance:
        (balance,) = draw_up(self.log, self.outboxes.states())
        return balance

    def close(self) -> None:
        self.stream.close()
        self.outbox.close()
        self.claim.release()
        self.log.engine.dispose()


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path)
    yield books
    books.close()


def test_nothing_accepted_is_a_balance_too(books: Books) -> None:
    assert books.balance()[1:] == (0, 0, 0, 0)


def test_what_is_accepted_is_pending_then_logged(books: Books) -> None:
    books.accept(5)
    assert books.balance()[1:] == (5, 0, 5, 0)
    books.carry(3)
    assert books.balance()[1:] == (5, 3, 2, 0)
    books.carry()
    assert books.balance()[1:] == (5, 5, 0, 0)


def test_a_worker_that_dies_between_log_and_outbox_leaves_nothing_unaccounted(books: Books) -> None:
    books.accept(5)
    books.log.write(books.stream.read(3, 0, {}), keep_offsets=True)
    assert books.balance().unaccounted == 0
    books.carry()
    books.carry()
    assert books.balance()[1:] == (5, 5, 0, 0)


def test_an_entry_that_vanishes_from_the_outbox_is_missed(books: Books) -> None:
    books.accept(5)
    books.outbox.remove([2])
    books.carry()
    assert books.balance()[1:] == (5, 4, 0, 1)


def test_a_row_that_vanishes_from_the_log_is_missed(books: Books) -> None:
    books.accept(5)
    books.carry()
    books.change_log("DELETE FROM predictions WHERE sequence = 4")
    assert books.balance()[1:] == (5, 4, 0, 1)


def test_an_event_that_is_logged_twice_is_seen(books: Books) -> None:
    books.accept(5)
    books.carry()
    (again,) = [found.prediction for found in books.log.scan()][:1]
    doubled = Prediction(new_id(), again.model_version, again.probability, again.duration_seconds)
    books.log.write([Entry(books.outbox.writer, 3, encode(doubled))])
    assert books.balance()[1:] == (5, 6, 0, -1)


def test_two_files_of_one_outbox_are_one_account(books: Books) -> None:
    books.accept(6)
    books.carry(4)
    (whole,) = books.outboxes.states()
    pieces = [whole._replace(last_sequence=5, pending=1), whole._replace(pending=1, settled=5)]
    (balance,) = draw_up(books.log, pieces)
    assert balance[1:] == (6, 4, 2, 0)


def test_retention_is_no_loss(books: Books) -> None:
    books.accept(5)
    books.carry()
    assert books.log.remove_old(older_than_seconds=None, keep_at_most=2) == 3
    assert books.balance()[1:] == (5, 5, 0, 0)


def test_the_accountant_shows_what_it_sees(books: Books) -> None:
    registry = CollectorRegistry()
    accountant = Accountant(registry, books.log, books.outboxes.states, pause_seconds=0.01)
    writer = {"writer": books.outbox.writer}
    assert registry.get_sample_value("events_logged_total", writer) is None
    accountant.start()
    books.accept(4)
    wait_for(lambda: (registry.get_sample_value("log_lag_seconds") or 0) > 0)
    books.outbox.remove([4])
    books.carry()
    wait_for(lambda: registry.get_sample_value("events_unaccounted", writer) == 1)
    assert registry.get_sample_value("events_logged_total", writer) == 3
    wait_for(lambda: registry.get_sample_value("log_lag_seconds") == 0)
    accountant.stop()


def test_an_accountant_outlives_what_nobody_foresaw(books: Books, caplog: pytest.LogCaptureFixture) -> None:
    mistakes = iter([ZeroDivisionError("a mistake")])

    def states() -> list[OutboxState]:
        for mistake in mistakes:
            raise mistake
        return books.outboxes.states()

    registry = CollectorRegistry()
    accountant = Accountant(registry, books.log, states, pause_seconds=0.01)
    books.accept(1)
    accountant.start()
    wait_for(lambda: (registry.get_sample_value("log_lag_seconds") or 0) > 0)
    accountant.stop()
    assert "ZeroDivisionError: a mistake" in caplog.text


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 20
    while not condition():
        assert monotonic() < deadline, "it never came true"
        sleep(0.005)
