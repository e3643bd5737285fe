"""What was logged without a profile gets one, in pieces, whoever is killed meanwhile; nothing is lost by it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event, select, text, update

from api_pokemon.monitoring import Prediction
from api_pokemon.monitoring.database import connect, reading, writing
from api_pokemon.monitoring.drift_baseline import Baseline
from api_pokemon.monitoring.drift_tables import (
    drift_checks,
    drift_references,
    layouts,
    profile_horizon,
    profiles,
    unprofiled,
)
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.profile_catch_up import CatchUp, CaughtUp
from api_pokemon.monitoring.profile_recount import Recount
from api_pokemon.monitoring.profile_rows import prediction_batch
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.monitoring.profile_table import Bucket
from api_pokemon.monitoring.profile_writing import ProfileWriter
from api_pokemon.monitoring.profiles import Profile, profile_rows
from tests.monitoring.drift_log import log, write
from tests.monitoring.drifting import BASELINE, SPECS, baseline_of, predictions
from tests.monitoring.logged_events import START_SECONDS, entries

LAYOUT = BASELINE.layout
__all__ = ["log"]

DAY = 86_400
HOUR = 3600
DRIFT_TABLES = (drift_checks, drift_references, layouts, profile_horizon, profiles, unprofiled)
ALWAYS = (0.0, 4e9)
LONG_SECONDS = 600


def here(version: str) -> Baseline:
    return BASELINE


def catch_up(log: PredictionLog, recount: Recount, seconds: float = LONG_SECONDS) -> CaughtUp:
    return CatchUp(log.engine, recount).run(seconds)


def differences(log: PredictionLog) -> list[tuple[str, int, int]]:
    recount = Recount(log.engine, baseline_of)
    found = [difference for stretch in recount.stretches() for difference in recount.compare(stretch)]
    return [(difference.model_version, difference.logged, difference.profiled) for difference in found]


def profiled(log: PredictionLog, version: str) -> Profile:
    return ProfileStore(log.engine).window(version, LAYOUT, *ALWAYS)


def noted_from(log: PredictionLog) -> list[float]:
    with reading(log.engine) as connection:
        return sorted(connection.scalars(select(unprofiled.c.from_seconds)))


def test_a_version_that_is_not_here_is_logged_all_the_same_and_made_up_for(
    log: PredictionLog, caplog: pytest.LogCaptureFixture
) -> None:
    writer = ProfileWriter(baseline_of)
    made = predictions(150, seed=1, model_version="elsewhere")
    write(log, made[:100], writer)
    assert len(list(log.scan())) == 100
    assert differences(log) == [("elsewhere", 100, 0)]
    assert catch_up(log, Recount(log.engine, baseline_of)) == ([], [])
    assert caplog.text.count("predictions of elsewhere are logged without a profile") == 1

    arrived = Recount(log.engine, here)
    assert catch_up(log, arrived) == (["elsewhere"], [])
    write(log, made[100:], writer, first=101)
    assert profiled(log, "elsewhere") == profile_rows(LAYOUT, prediction_batch(SPECS, made))
    assert differences(log) == []
    assert catch_up(log, arrived) == ([], [])


def test_what_was_put_off_while_it_was_made_up_for_is_not_forgotten(log: PredictionLog) -> None:
    writer = ProfileWriter(baseline_of)
    made = predictions(20, seed=1, model_version="elsewhere")
    write(log, made[10:], writer)
    more = [made[:10]]  # earlier ones

    def arrives(version: str) -> Baseline:
        if more:  # still without a layout
            write(log, more.pop(), writer, first=11)
        return BASELINE

    assert catch_up(log, Recount(log.engine, arrives)) == (["elsewhere"], [])
    assert noted_from(log) == [made[0].made_at_seconds]
    assert catch_up(log, Recount(log.engine, arrives)) == (["elsewhere"], [])
    assert noted_from(log) == []
    assert differences(log) == []


def test_what_was_logged_before_there_were_profiles_is_made_up_for(url: str, log: PredictionLog) -> None:
    with writing(log.engine) as connection:
        for table in DRIFT_TABLES:
            table.drop(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    log.write(entries(predictions(30, seed=1)))
    log.migrate()
    assert differences(log) == [("v1", 30, 0)]
    assert catch_up(log, Recount(log.engine, baseline_of)) == (["v1"], [])
    assert differences(log) == []


def test_what_cannot_be_read_is_found_and_repaired(log: PredictionLog) -> None:
    writer = ProfileWriter(baseline_of)
    write(log, predictions(40, seed=1), writer)
    with writing(log.engine) as connection:
        connection.execute(update(profiles).values(body=b"torn"))
    write(log, predictions(40, seed=2), writer, first=41)
    assert len(list(log.scan())) == 80
    assert differences(log) == [("v1", 80, 40)]
    assert catch_up(log, Recount(log.engine, baseline_of)) == (["v1"], [])
    assert differences(log) == []


def test_it_goes_on_where_time_ran_out(log: PredictionLog) -> None:
    made = predictions(100, seed=1, first=-5 * HOUR, over_seconds=4 * HOUR, model_version="elsewhere")
    write(log, made, ProfileWriter(baseline_of))
    arrived = Recount(log.engine, here)
    for hours in range(1, 5):
        assert catch_up(log, arrived, seconds=0) == ([], ["elsewhere"])
        (done_until,) = noted_from(log)
        assert done_until == (made[0].made_at_seconds // HOUR + hours) * HOUR
        done = [item for item in made if item.made_at_seconds < done_until]
        assert profiled(log, "elsewhere") == profile_rows(LAYOUT, prediction_batch(SPECS, done))
    assert len(done) < 100
    assert catch_up(log, arrived) == (["elsewhere"], [])
    assert differences(log) == []


def test_it_goes_on_where_it_was_killed_and_counts_nothing_twice(log: PredictionLog) -> None:
    made = predictions(100, seed=1, first=-5 * HOUR, over_seconds=4 * HOUR, model_version="elsewhere")
    write(log, made, ProfileWriter(baseline_of))
    counted: list[str] = []

    def tell(text: str) -> None:
        counted.append(text)
        if len(counted) == 3:
            raise KeyboardInterrupt

    arrived = CatchUp(log.engine, Recount(log.engine, here))
    with pytest.raises(KeyboardInterrupt):
        arrived.run(LONG_SECONDS, tell)
    with writing(log.engine) as connection:
        connection.execute(update(profiles).values(body=b"torn"))  # of two hours: found only by who counts them again
    assert arrived.run(LONG_SECONDS, tell) == (["elsewhere"], [])
    assert len(counted) == 6  # of five hours, the third one twice
    assert [reason[1:] for reason in differences(log)] == [(8, 8), (25, 25)]


def test_what_is_still_to_be_made_up_for_stays_in_short_pieces(log: PredictionLog) -> None:
    made = predictions(100, seed=1, first=-80 * DAY, over_seconds=4 * HOUR, model_version="elsewhere")
    write(log, made, ProfileWriter(baseline_of))
    arrived, store = Recount(log.engine, here), ProfileStore(log.engine)
    catch_up(log, arrived, seconds=0)
    assert store.compact(START_SECONDS) > 0  # to hours: that hour is whole
    assert lengths(log) == {HOUR}
    catch_up(log, arrived, seconds=0)
    store.compact(START_SECONDS)
    assert lengths(log) == {HOUR}
    catch_up(log, arrived)
    assert store.compact(START_SECONDS) > 0
    assert lengths(log) == {DAY}
    assert differences(log) == []


def joined_day_with_late_rows(log: PredictionLog) -> list[Prediction]:
    """Two days whose profiles were joined; rows have come to the second one since, of which ten have no profile."""
    day = START_SECONDS // DAY * DAY - 80 * DAY - START_SECONDS
    made = [
        row
        for number in (0, 1)
        for row in predictions(40, seed=number, first=day + number * DAY, over_seconds=20 * HOUR)
    ]
    write(log, made, ProfileWriter(baseline_of))
    ProfileStore(log.engine).compact(START_SECONDS)
    assert lengths(log) == {DAY}
    writer, late = ProfileWriter(baseline_of), predictions(20, seed=2, first=day + DAY + 15 * HOUR, over_seconds=50)
    write(log, late[:10], writer, first=81)
    with writing(log.engine) as connection:
        connection.execute(update(profiles).where(profiles.c.bucket_seconds < HOUR).values(body=b"torn"))
    write(log, late[10:], writer, first=91)
    assert differences(log) == [("v1", 60, 50)]
    return [*made, *late]


def test_a_joined_day_is_made_up_for_hour_by_hour(log: PredictionLog) -> None:
    """From its beginning, which is before what was noted; the day before, which lacks nothing, stays as it is."""
    made = joined_day_with_late_rows(log)
    (noted,) = noted_from(log)
    recount = Recount(log.engine, baseline_of)
    for hours in range(1, 21):
        assert catch_up(log, recount, seconds=0) == ([], ["v1"])
        assert noted_from(log) == [noted // DAY * DAY + hours * HOUR]
        ProfileStore(log.engine).compact(START_SECONDS)
        assert max(lengths(log, since=noted // DAY * DAY), default=HOUR) == HOUR
        assert DAY in lengths(log)
        done = [row for row in made if row.made_at_seconds < noted_from(log)[0]]
        assert profiled(log, "v1") == profile_rows(LAYOUT, prediction_batch(SPECS, done))
    assert catch_up(log, recount) == (["v1"], [])
    ProfileStore(log.engine).compact(START_SECONDS)
    assert lengths(log) == {DAY}
    assert (differences(log), noted_from(log)) == ([], [])


def test_a_joined_day_is_made_up_for_whoever_is_killed(log: PredictionLog) -> None:
    made = joined_day_with_late_rows(log)

    def die(text: str) -> None:
        raise KeyboardInterrupt

    catching_up = CatchUp(log.engine, Recount(log.engine, baseline_of))
    with pytest.raises(KeyboardInterrupt):
        catching_up.run(LONG_SECONDS, die)
    assert profiled(log, "v1").rows == 40
    assert catching_up.run(LONG_SECONDS) == (["v1"], [])
    assert profiled(log, "v1") == profile_rows(LAYOUT, prediction_batch(SPECS, made))
    assert differences(log) == []


def test_rows_that_take_the_place_of_others_meanwhile_are_not_forgotten(url: str, log: PredictionLog) -> None:
    """As many rows are there as before, but retention has taken some, and others have come late."""
    writer = ProfileWriter(baseline_of)
    made = predictions(60, seed=1, first=25, over_seconds=50)
    late = predictions(10, seed=2, first=40, over_seconds=10)
    write(log, made, writer)
    recount = Recount(log.engine, baseline_of)
    other = PredictionLog(connect(url))

    def exchange() -> None:
        assert other.remove_old(older_than_seconds=made[10].made_at_seconds, keep_at_most=None) == 10
        write(other, late, writer, first=61)

    with once_counted(log.engine, exchange):
        assert recount.repair("v1", Bucket(int(made[0].made_at_seconds), 60))
    assert profiled(log, "v1") == profile_rows(LAYOUT, prediction_batch(SPECS, [*made, *late]))
    assert differences(log) == []
    other.engine.dispose()


def test_rows_that_come_meanwhile_are_counted_too(url: str, log: PredictionLog) -> None:
    writer = ProfileWriter(baseline_of)
    made = predictions(60, seed=1, first=25, over_seconds=50)
    late = predictions(10, seed=2, first=40, over_seconds=10)
    write(log, made, writer)
    other = PredictionLog(connect(url))
    with once_counted(log.engine, lambda: write(other, late, writer, first=61)):
        assert Recount(log.engine, baseline_of).repair("v1", Bucket(int(made[0].made_at_seconds), 60))
    assert profiled(log, "v1") == profile_rows(LAYOUT, prediction_batch(SPECS, [*made, *late]))
    other.engine.dispose()


def lengths(log: PredictionLog, since: float = 0.0) -> set[int]:
    with reading(log.engine) as connection:
        return set(connection.scalars(select(profiles.c.bucket_seconds).where(profiles.c.bucket_start >= since)))


@contextmanager
def once_counted(engine: Engine, happens: Callable[[], None]) -> Iterator[None]:
    """Let something happen between the first count of the log's rows and what is made of it."""
    is_counting, to_come = [], [happens]

    def notice(connection: object, cursor: object, statement: str, *others: object) -> None:
        if "predictions.choice" in statement:
            is_counting.append(True)

    def interfere(connection: object, record: object) -> None:
        if is_counting and to_come:
            to_come.pop()()

    event.listen(engine, "before_cursor_execute", notice)
    event.listen(engine, "checkin", interfere)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", notice)
        event.remove(engine, "checkin", interfere)
    assert not to_come
