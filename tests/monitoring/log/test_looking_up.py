"""Pages of the prediction log, and single look-ups, on every database."""

import random
from typing import Any

import pytest
from sqlalchemy import Engine, Select, text

from api_pokemon.monitoring import InvalidIdError, Prediction
from api_pokemon.monitoring.log_queries import Wanted, ids_query, page_query
from api_pokemon.monitoring.prediction_log import PredictionLog
from tests.monitoring.logged_events import START_SECONDS, entries, id_at, logged_ids, prediction_at


def test_pages_go_back_in_time_and_miss_nothing(log: PredictionLog) -> None:
    order = list(range(23))
    random.Random(5).shuffle(order)
    log.write(entries([prediction_at(second // 2, second) for second in order]))
    ids = [id_at(second // 2, second) for second in range(23)]
    found: list[str] = []
    while page := log.page(5, before=found[-1] if found else None):
        found += [logged.prediction.prediction_id for logged in page]
        assert len(page) == 5 or len(found) == 23
    assert found == ids[::-1]
    assert logged_ids(log) == [found.prediction.prediction_id for found in log.scan(batch=4)] == ids


def test_times_are_bounds_of_which_the_first_belongs_to_it(log: PredictionLog) -> None:
    log.write(entries([prediction_at(milliseconds / 1000) for milliseconds in range(10)]))
    assert seconds_of(log, since_seconds=START_SECONDS + 0.003, until_seconds=START_SECONDS + 0.006) == [3, 4, 5]
    assert seconds_of(log, since_seconds=START_SECONDS + 0.0071) == [8, 9]
    assert seconds_of(log, until_seconds=START_SECONDS + 0.0011) == [0, 1]
    assert seconds_of(log, since_seconds=-1e300, until_seconds=1e300) == list(range(10))
    assert seconds_of(log, since_seconds=float("inf")) == []
    assert seconds_of(log, until_seconds=float("-inf")) == []


def seconds_of(log: PredictionLog, **bounds: float) -> list[int]:
    """Milliseconds after the start, by page and by scan."""
    scanned = [found.prediction for found in log.scan(**bounds, batch=2)]
    assert scanned == [found.prediction for found in log.page(100, **bounds)][::-1]
    return [round((made.made_at_seconds - START_SECONDS) * 1000) for made in scanned]


def test_pages_of_a_version_and_of_fields(log: PredictionLog) -> None:
    names = ["abra", "élan", "zubat"]
    made = [
        prediction_at(
            second,
            model_version=f"v{second % 2}",
            request={"attacker": names[second % 3], "defender": names[second // 3 % 3]},
        )
        for second in range(36)
    ]
    log.write(entries(made))

    def expected(most: int, version: str, **fields: str) -> list[Prediction]:
        fits = [p for p in made if p.model_version == version and any(p.request[f] == fields[f] for f in fields)]
        return fits[::-1][:most]

    def found(most: int, version: str, **fields: str) -> list[Prediction]:
        return [logged.prediction for logged in log.page(most, model_version=version, any_field=fields)]

    for fields in (
        {"attacker": "élan"},
        {"attacker": "abra", "defender": "abra"},
        {"attacker": "x", "defender": "zubat"},
    ):
        assert found(7, "v1", **fields) == expected(7, "v1", **fields)
        assert len(found(100, "v0", **fields)) == len(expected(100, "v0", **fields))
    assert log.page(100, any_field={"attacker": "élan' OR 1=1 --"}) == []
    assert log.page(100, model_version="v2") == []
    page = log.page(3, any_field={"attacker": "abra"}, before=id_at(30), since_seconds=START_SECONDS + 25)
    assert [logged.prediction for logged in page] == [made[27]]


def test_what_cannot_be_looked_up_is_refused(log: PredictionLog) -> None:
    with pytest.raises(ValueError, match="'speed' is not looked up: one of attacker, defender is wanted"):
        log.page(1, any_field={"speed": "1"})
    with pytest.raises(InvalidIdError):
        log.page(1, before="0")
    with pytest.raises(ValueError, match="cannot be looked up: a name of lower-case letters"):
        PredictionLog(log.engine, looked_up=["x' --"]).migrate()


def test_look_ups_are_served_by_indexes(log: PredictionLog) -> None:
    """So that they cost the same however much there is."""
    randomly = random.Random(3)
    names = [f"form-{number}" for number in range(500)]
    for start in range(0, 5000, 1000):
        log.write(
            entries(
                [
                    prediction_at(
                        second,
                        model_version="rare" if second % 1000 == 0 else "v1",
                        request={"attacker": randomly.choice(names), "defender": randomly.choice(names)},
                    )
                    for second in range(start, start + 1000)
                ],
                start + 1,
            )
        )
    with log.engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    either = Wanted(any_field={"attacker": "form-1", "defender": "form-1"}, before=id_at(4000))
    plan = plan_of(log.engine, ids_query(20, either))
    assert "predictions_by_request_attacker" in plan
    assert "predictions_by_request_defender" in plan
    assert "predictions_by_version" in plan_of(log.engine, page_query(20, Wanted(model_version="rare")))
    for wanted in (Wanted(), Wanted(before=id_at(9)), Wanted(since_seconds=START_SECONDS + 9), Wanted(id_at(1))):
        plan_of(log.engine, page_query(20, wanted))
        plan_of(log.engine, page_query(20, wanted, oldest_first=True))


def plan_of(engine: Engine, query: Select[Any]) -> str:
    """How the database means to answer; it must not read the whole table."""
    compiled = query.compile(engine, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"{explain} {compiled}").all()
    plan = "\n".join(str(row[-1]) for row in rows)
    assert "Seq Scan on predictions" not in plan
    assert not any(row[-1] == "SCAN predictions" for row in rows), plan
    return plan
