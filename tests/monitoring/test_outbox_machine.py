"""Any interleaving of appending, reading, logging, confirming, crashing and delivering twice ends in the same log."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import select

from api_pokemon.monitoring import (
    Entry,
    Event,
    Outbox,
    OutboxFolder,
    OutboxStream,
    Outcome,
    Prediction,
    encode,
    new_id,
)
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.log_schema import outcomes, predictions
from api_pokemon.monitoring.prediction_log import PredictionLog

WHICH = st.integers(0, 1)
MOST = st.integers(1, 8)


class CrashError(Exception):
    """Ends a transaction of the log before its commit."""


class OutboxesAndWorker(RuleBasedStateMachine):
    """Two outboxes with their processes, one worker, and a log, on real files.

    A process that crashes leaves its files as they are: they are copied away from under it, journal and all, and the
    copies are what its successor finds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.lives = 0
        self.folder = OutboxFolder(self.root / "0")
        self.folder.folder.mkdir()
        self.outboxes: dict[int, Outbox] = {}
        self.stream: OutboxStream | None = None
        self.read: list[Entry] = []
        self.logged: list[Entry] = []
        self.delivered: list[Entry] = []
        self.accepted: dict[str, Event] = {}
        self.seen: Counter[str] = Counter()
        self.log = PredictionLog(connect(f"sqlite:///{self.root}/log.sqlite"))
        self.log.migrate()

    def teardown(self) -> None:
        self.crash_worker()
        for outbox in self.outboxes.values():
            outbox.close()
        try:
            self.work_until_nothing_is_left()
            self.ends_with_exactly_what_was_accepted()
        finally:
            self.log.engine.dispose()
            if self.stream:
                self.stream.close()
            shutil.rmtree(self.root)

    def outbox(self, which: int) -> Outbox:
        if which not in self.outboxes:
            self.outboxes[which] = self.folder.open(self.folder.folder / f"outbox-{which}.sqlite")
        return self.outboxes[which]

    def accept(self, which: int, events: list[Event]) -> None:
        self.outbox(which).append([(event.prediction_id, encode(event)) for event in events])
        self.accepted |= {event.event_id: event for event in events}

    @rule(which=WHICH, number=MOST)
    def append_predictions(self, which: int, number: int) -> None:
        self.accept(which, [Prediction(new_id(), "v1", 0.75, 0.001) for _ in range(number)])

    @precondition(lambda self: self.accepted)
    @rule(which=WHICH, data=st.data())
    def append_an_outcome(self, which: int, data: st.DataObject) -> None:
        prediction_id = data.draw(st.sampled_from(sorted(self.accepted)))
        self.accept(which, [Outcome(new_id(), prediction_id, happened=True)])

    @rule(which=WHICH)
    def restart_a_process(self, which: int) -> None:
        if which in self.outboxes:
            self.outboxes.pop(which).close()

    @rule()
    def kill_everything(self) -> None:
        """All processes at once: what is in the files at this moment is what there is."""
        self.lives += 1
        left = OutboxFolder(self.root / str(self.lives))
        shutil.copytree(self.folder.folder, left.folder)
        for outbox in self.outboxes.values():
            outbox.close()
        self.outboxes.clear()
        self.crash_worker()
        shutil.rmtree(self.folder.folder)
        for index in left.folder.glob("*-shm"):
            index.unlink()
        self.folder = left

    @rule(most=MOST)
    def worker_reads(self, most: int) -> None:
        self.stream = self.stream or OutboxStream(self.folder)
        self.read = list(self.stream.read(most, 0, self.log.offsets()))
        self.logged = []

    @precondition(lambda self: self.read)
    @rule()
    def worker_logs(self) -> None:
        self.write(self.read)
        self.logged = self.read

    @precondition(lambda self: self.read)
    @rule()
    def worker_dies_while_it_logs(self) -> None:
        def die(*_: object) -> None:
            raise CrashError

        try:
            self.log.write(self.read, keep_offsets=True, also=die)
        except CrashError:
            self.crash_worker()

    @precondition(lambda self: self.logged)
    @rule()
    def worker_confirms(self) -> None:
        assert self.stream
        self.stream.confirm(self.logged)
        self.read = self.logged = []

    @rule()
    def crash_worker(self) -> None:
        if self.stream:
            self.stream.close()
        self.stream, self.read, self.logged = None, [], []

    @precondition(lambda self: self.delivered)
    @rule(data=st.data())
    def what_was_delivered_comes_again(self, data: st.DataObject) -> None:
        self.write(data.draw(st.lists(st.sampled_from(self.delivered), max_size=5)))

    def write(self, entries: list[Entry]) -> None:
        written = self.log.write(entries, keep_offsets=True)
        assert not written.rejected
        self.seen.update(event.event_id for event in (*written.predictions, *written.outcomes))
        self.delivered += entries

    @invariant()
    def nothing_is_logged_twice_or_out_of_thin_air(self) -> None:
        assert set(self.seen.values()) <= {1}
        assert set(self.seen) <= set(self.accepted)

    @invariant()
    def what_is_not_logged_is_pending(self) -> None:
        pending = sum(state.pending for state in self.folder.states())
        assert pending >= len(self.accepted) - len(self.seen)

    def work_until_nothing_is_left(self) -> None:
        while True:
            self.worker_reads(most=100)
            if not self.read:
                return
            self.worker_logs()
            self.worker_confirms()

    def ends_with_exactly_what_was_accepted(self) -> None:
        with self.log.engine.connect() as connection:
            rows = [*connection.execute(select(predictions.c.id)), *connection.execute(select(outcomes.c.id))]
        assert sorted(event_id for (event_id,) in rows) == sorted(self.accepted) == sorted(self.seen)
        assert [state.pending for state in self.folder.states()] == [0] * len(self.folder.paths())
        logged = {writer: counts.logged for writer, counts in self.log.counts().items()}
        assert {state.writer: state.last_sequence for state in self.folder.states() if state.last_sequence} == logged


TestOutboxesAndWorker = OutboxesAndWorker.TestCase
TestOutboxesAndWorker.settings = settings(max_examples=25, stateful_step_count=30)
