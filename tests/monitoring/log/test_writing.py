"""What is written to the prediction log comes back as it was, once, or is kept aside."""

import random
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select, text

from api_pokemon.monitoring import InvalidIdError, LogUnavailableError, Prediction
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.log_schema import predictions, rejected
from api_pokemon.monitoring.log_writing import Written
from api_pokemon.monitoring.prediction_log import LoggedPrediction, PredictionLog, WriterCounts
from api_pokemon.monitoring.stream import Entry
from tests.monitoring.logged_events import (
    LOOKED_UP,
    OTHER_WRITER,
    START_SECONDS,
    WRITER,
    entries,
    id_at,
    logged_ids,
    outcome_at,
    prediction_at,
    rows_of,
)


def test_a_prediction_comes_back_as_it_was(log: PredictionLog) -> None:
    made = prediction_at(
        0,
        model_version="2026-11-23-ü",
        probability=0.1 + 0.2,
        duration_seconds=1e-9,
        request={
            "attacker": "Flabébé 🌸",
            "größe": -(1 << 62),
            "share": 0.1,
            "true": True,
            "nothing": None,
            "one": 1.0,
        },
        choice={"quote'\"\\": "line\nend", "large": 1e300, "backslash": "\\u0000", "percent": "%s :x"},
        payload=bytes(range(256)),
    )
    log.write(entries([made]))
    assert log.find(made.prediction_id) == LoggedPrediction(made, None, None)
    found = log.find(made.prediction_id.upper())
    assert found
    assert [type(value) for value in found.prediction.request.values()] == [str, int, float, bool, type(None), float]


def test_nothing_is_found_where_nothing_is(log: PredictionLog) -> None:
    assert log.find(id_at(0)) is None
    assert log.page(10) == list(log.scan()) == []
    assert log.counts() == log.offsets() == {}
    assert log.count_through(WRITER, 10) == 0
    assert log.write([]) == ((), (), 0, 0)
    with pytest.raises(InvalidIdError):
        log.find("0190f5b6")


def test_an_event_is_logged_once_however_often_it_comes(log: PredictionLog) -> None:
    made = [prediction_at(second) for second in range(5)]
    reported = outcome_at(10, made[0], happened=True)
    given = entries([*made, reported])
    assert log.write(given[:3]) == (tuple(made[:3]), (), 0, 0)
    assert log.write([*given, given[4], given[5]]) == (tuple(made[3:]), (reported,), 5, 0)
    assert log.write(given) == ((), (), 6, 0)
    assert logged_ids(log) == [prediction.prediction_id for prediction in made]
    assert log.counts()[WRITER].logged == 6


def test_what_is_new_is_told_in_the_order_in_which_it_came(log: PredictionLog) -> None:
    made = [prediction_at(second) for second in (3, 1, 4, 1.5, 9, 2.6)]
    assert log.write(entries(made)).predictions == tuple(made)


def test_an_id_is_the_same_in_capitals(log: PredictionLog) -> None:
    made = prediction_at(0)
    in_capitals = Prediction(made.prediction_id.upper(), "v1", 0.7, 0.001)
    reported = outcome_at(1, in_capitals, happened=True)
    assert log.write(entries([made, in_capitals, reported])).duplicates == 1
    assert logged_ids(log) == [made.prediction_id]
    assert log.page(1)[0].happened is True


def test_offsets_are_kept_where_they_are_wanted_and_never_go_back(log: PredictionLog) -> None:
    given = entries([prediction_at(second) for second in range(10)])
    log.write(given[5:8])
    assert log.offsets() == {}
    log.write([*given[:5], Entry(OTHER_WRITER, (1 << 63) - 1, given[9].body)], keep_offsets=True)
    assert log.offsets() == {WRITER: 5, OTHER_WRITER: (1 << 63) - 1}
    log.write(given[2:4], keep_offsets=True)
    assert log.offsets()[WRITER] == 5


def test_what_joins_the_transaction_shares_its_fate(log: PredictionLog) -> None:
    given = entries([prediction_at(second) for second in range(3)])
    seen: list[Written] = []

    def change_then_fail(connection: Connection, written: Written) -> None:
        seen.append(written)
        connection.execute(delete(predictions).where(predictions.c.sequence == 2))
        if len(seen) == 2:
            raise LogUnavailableError("not now")

    log.write(given[:1], also=change_then_fail)
    with pytest.raises(LogUnavailableError, match="not now"):
        log.write(given, keep_offsets=True, also=change_then_fail)
    assert logged_ids(log) == [id_at(0)]
    assert log.offsets() == {}
    log.write(given, keep_offsets=True, also=change_then_fail)
    assert logged_ids(log) == [id_at(0), id_at(2)]
    assert [len(written.predictions) for written in seen] == [1, 2, 2]


def test_the_first_outcome_counts_whenever_it_is_logged(log: PredictionLog) -> None:
    made = prediction_at(0)
    second = outcome_at(20, made, happened=False)
    first = outcome_at(10, made, happened=True)
    log.write(entries([second], 7))
    log.write(entries([made]))
    assert log.page(1) == [LoggedPrediction(made, False, START_SECONDS + 20)]
    log.write(entries([first], 8))
    assert log.find(made.prediction_id) == LoggedPrediction(made, True, START_SECONDS + 10)
    assert list(log.scan()) == log.page(10) == [LoggedPrediction(made, True, START_SECONDS + 10)]
    assert log.counts()[WRITER].logged == 3


def test_what_is_no_event_is_kept_aside_and_stops_nothing(log: PredictionLog) -> None:
    made = prediction_at(0)
    strange = [b"no event", b'{"kind":"unheard-of","id":"' + id_at(1).encode() + b'"}', b"\xff\x00"]
    given = [*entries([made]), *(Entry(WRITER, sequence, body) for sequence, body in enumerate(strange, 2))]
    assert log.write(given, keep_offsets=True) == ((made,), (), 0, 3)
    assert log.write(given) == ((), (), 4, 0)
    kept = rows_of(log, select(rejected.c.sequence, rejected.c.body).order_by(rejected.c.sequence))
    assert kept == list(enumerate(strange, 2))
    assert all(reason for (reason,) in rows_of(log, select(rejected.c.reason)))
    assert log.counts()[WRITER] == WriterCounts(logged=4, removed=0, last_sequence=4)
    assert log.offsets() == {WRITER: 4}


def test_what_no_database_can_hold_is_kept_aside(log: PredictionLog) -> None:
    bad = [
        prediction_at(0, request={"attacker": "a\0b"}),
        prediction_at(1, choice={"\0": 1}),
        prediction_at(2, model_version="\0"),
    ]
    good = prediction_at(3, request={"attacker": "a\\u0000b"})
    astray = Entry(WRITER, 5, b'{"kind":"outcome","id":"%s","prediction_id":"x","happened":true}' % id_at(4).encode())
    assert log.write([*entries([*bad, good]), astray]) == ((good,), (), 0, 4)
    assert [found.prediction for found in log.scan()] == [good]


def test_what_this_database_refuses_is_kept_aside(postgres_url: str) -> None:
    engine = connect(postgres_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'"))
    engine.dispose()
    latin = PredictionLog(connect(postgres_url.rpartition("/")[0] + "/latin"))
    latin.migrate()
    good, bad = prediction_at(0, request={"name": "é"}), prediction_at(1, request={"name": "ピカチュウ"})
    assert latin.write(entries([good, bad]), keep_offsets=True) == ((good,), (), 0, 1)
    assert latin.retry_rejected() == 0
    assert latin.counts()[WRITER].logged == 2
    latin.engine.dispose()
    engine = connect(postgres_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE latin WITH (FORCE)"))
    engine.dispose()


def test_a_text_too_long_for_an_index_is_kept_aside(postgres_url: str) -> None:
    log = PredictionLog(connect(postgres_url), looked_up=LOOKED_UP)
    log.migrate()
    incompressible = random.Random(1).randbytes(4000).hex()
    good, bad = prediction_at(0), prediction_at(1, request={"attacker": incompressible})
    assert log.write(entries([good, bad]), keep_offsets=True) == ((good,), (), 0, 1)
    assert log.retry_rejected() == 0
    ((reason,),) = rows_of(log, select(rejected.c.reason))
    assert "predictions_by_request_attacker" in reason
    log.engine.dispose()


def test_what_a_newer_version_understands_is_logged_later(log: PredictionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [prediction_at(second) for second in range(5)]
    given = [*entries([*made, outcome_at(9, made[0], happened=False)]), Entry(WRITER, 7, b"never an event")]
    with monkeypatch.context() as older:
        older.setattr("api_pokemon.monitoring.log_writing.read_entry", older_read_entry)
        assert log.write(given, keep_offsets=True).rejected == 7
    log.write(given[4:5])  # sent again, to a worker of the newer version
    assert log.counts()[WRITER].logged == 8
    seen: list[Written] = []
    assert log.retry_rejected(also=lambda connection, written: seen.append(written), batch=2) == 6
    assert sum(len(written.predictions) for written in seen) == 4
    assert logged_ids(log) == [id_at(second) for second in range(5)]
    assert log.page(1, before=id_at(1))[0].happened is False
    assert log.counts()[WRITER].logged == 7
    assert log.retry_rejected() == 0


def older_read_entry(entry: Entry) -> Any:
    from api_pokemon.monitoring.log_rows import reject

    return reject(entry, "a kind that is not known")


def test_sequences_may_come_again_with_other_events(log: PredictionLog) -> None:
    """As from an outbox that was put back from a backup."""
    before = [*entries([prediction_at(second) for second in range(4)]), Entry(WRITER, 5, b"one")]
    after = [*entries([prediction_at(second) for second in range(10, 14)]), Entry(WRITER, 5, b"another")]
    log.write(before, keep_offsets=True)
    assert log.write(after, keep_offsets=True).duplicates == 0
    assert log.counts()[WRITER] == WriterCounts(logged=10, removed=0, last_sequence=5)
    assert log.count_through(WRITER, 2) == 4


def test_rows_are_counted_by_writer(log: PredictionLog) -> None:
    made = [prediction_at(second) for second in range(6)]
    large = (1 << 63) - 1
    log.write(entries(made[:4]))
    log.write([Entry(OTHER_WRITER, large, entries(made[4:5])[0].body), Entry(OTHER_WRITER, 3, b"no event")])
    log.write(entries([outcome_at(9, made[0], happened=True)], 9))
    assert log.counts() == {WRITER: WriterCounts(5, 0, 9), OTHER_WRITER: WriterCounts(2, 0, large)}
    assert [log.count_through(WRITER, sequence) for sequence in (0, 1, 4, 8, 9, large)] == [0, 1, 4, 4, 5, 5]
    assert [log.count_through(OTHER_WRITER, sequence) for sequence in (2, 3, large - 1, large)] == [0, 1, 1, 2]
