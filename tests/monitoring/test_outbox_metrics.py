"""What a scrape tells of outboxes, whatever state they are in."""

from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from api_pokemon.monitoring import NotRecordedError, Outbox, OutboxFolder, OutboxRecorder, Prediction, encode, new_id
from api_pokemon.monitoring.outbox_metrics import OutboxMetrics
from tests.monitoring.disks import MEGABYTE


@pytest.fixture
def folder(tmp_path: Path) -> OutboxFolder:
    (tmp_path / "outbox").mkdir()
    return OutboxFolder(tmp_path / "outbox")


def test_each_outbox_tells_what_it_has_accepted_and_holds(registry: CollectorRegistry, folder: OutboxFolder) -> None:
    OutboxMetrics(registry, folder.states, {}, MEGABYTE)
    writers = {}
    for number in (1, 2):
        outbox = folder.open(folder.folder / f"outbox-{number}.sqlite")
        outbox.append([(new_id(), b"{}")] * 10 * number)
        outbox.remove_through(4)
        writers[number] = outbox.state()
        outbox.close()
    for number, state in writers.items():
        labels = {"writer": state.writer}
        assert registry.get_sample_value("events_accepted_total", labels) == 10 * number
        assert registry.get_sample_value("events_pending", labels) == 10 * number - 4
        size = registry.get_sample_value("outbox_bytes", labels)
        assert size
        assert size >= (folder.folder / f"outbox-{number}.sqlite").stat().st_size
    assert registry.get_sample_value("outbox_max_bytes") == MEGABYTE


def fill(outbox: Outbox) -> None:
    with suppress(NotRecordedError):
        while True:
            outbox.append([(new_id(), b"x" * 4000)] * 50)


def test_what_is_used_of_an_outbox_shrinks_when_it_is_drained(registry: CollectorRegistry, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox-0.sqlite", max_bytes=4 * MEGABYTE)
    OutboxMetrics(registry, lambda: [outbox.state()], {}, 4 * MEGABYTE)
    used = partial(registry.get_sample_value, "outbox_bytes", {"writer": outbox.state().writer})
    fill(outbox)
    full, size = used(), outbox.path.stat().st_size
    outbox.remove_through(outbox.state().last_sequence)
    drained = used()
    assert full
    assert drained
    assert full > 0.9 * 4 * MEGABYTE
    assert drained < 0.3 * 4 * MEGABYTE
    assert outbox.path.stat().st_size == size
    outbox.close()


def test_the_lag_is_the_age_of_the_oldest_event_that_is_held(registry: CollectorRegistry, folder: OutboxFolder) -> None:
    OutboxMetrics(registry, folder.states, {}, MEGABYTE)
    assert registry.get_sample_value("log_lag_seconds") == 0
    outbox = folder.open(folder.folder / "outbox-0.sqlite")
    old = Prediction("0190f5b6-7c0e-7abc-8def-0123456789ab", "v1", 0.5, 0.001)
    outbox.append([(old.prediction_id, encode(old))])
    lag = registry.get_sample_value("log_lag_seconds")
    assert lag
    assert lag > 365 * 86400
    outbox.remove_through(1)
    assert registry.get_sample_value("log_lag_seconds") == 0
    outbox.close()


async def test_every_reason_of_a_refusal_is_there_from_the_start(
    registry: CollectorRegistry, folder: OutboxFolder
) -> None:
    recorder = OutboxRecorder(lambda: folder.open(folder.folder / "missing" / "outbox-0.sqlite"))
    OutboxMetrics(registry, folder.states, recorder.refused, MEGABYTE)
    reasons = ("busy", "closed", "damaged", "disk-full", "io", "other", "outbox-full", "read-only")
    counts = [registry.get_sample_value("events_refused_total", {"reason": reason}) for reason in reasons]
    assert counts == [0] * len(reasons)
    with pytest.raises(NotRecordedError) as refused:
        await recorder.record(Prediction(new_id(), "v1", 0.5, 0.001))
    recorder.close()
    assert registry.get_sample_value("events_refused_total", {"reason": refused.value.reason}) == 1


def test_a_scrape_survives_a_damaged_outbox_and_a_locked_one(registry: CollectorRegistry, folder: OutboxFolder) -> None:
    OutboxMetrics(registry, folder.states, {}, MEGABYTE)
    damaged, locked = (folder.open(folder.folder / f"outbox-{number}.sqlite") for number in range(2))
    damaged.append([(new_id(), b"{}")])
    locked.append([(new_id(), b"{}")])
    damaged.close()
    damaged.path.write_bytes(b"\xa5" * 10_000)
    connection = locked._open()
    connection.execute("BEGIN IMMEDIATE")
    assert registry.get_sample_value("events_pending", {"writer": damaged.writer}) is None
    assert registry.get_sample_value("events_pending", {"writer": locked.writer}) == 1
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("COMMIT")
    assert registry.get_sample_value("events_pending", {"writer": locked.writer}) in (None, 1)
    locked.close()
