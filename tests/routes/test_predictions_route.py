"""What is on record: looked up while it is pending and once it is logged, and told how it ended."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from api_pokemon.main import create_app
from api_pokemon.monitoring import (
    LogUnavailableError,
    NullRecorder,
    Prediction,
    encode,
    made_at_seconds,
    new_id,
)
from api_pokemon.monitoring.prediction_log import LoggedPrediction, PredictionLog
from api_pokemon.routes import log_threads, lookups
from api_pokemon.routes.keys import digest_of
from api_pokemon.settings import Settings
from api_pokemon.stores import log_of, outboxes_of
from tests.routes.conformance import Client, Conformance
from tests.routes.logged import DUEL, NOON, SURF, FullDisk, a_service, admin, carry, held, logged_at, of, predicted


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = a_service(tmp_path_factory.mktemp("data"))
    log_of(settings).migrate()
    return settings


@pytest.fixture(scope="module")
def app(service: Settings) -> FastAPI:
    return create_app(service)


@pytest.fixture
async def client(app: FastAPI, conformance: Conformance) -> AsyncIterator[Client]:
    async with Client(app, conformance) as client:
        yield client


async def test_what_is_not_logged_yet_is_202(client: Client) -> None:
    prediction = await predicted(client)
    response = await client.get(of(prediction))
    assert (response.status_code, response.headers["retry-after"]) == (202, "1")
    assert response.json() == {"prediction_id": prediction["prediction_id"], "status": "pending"}


async def test_what_is_logged_is_told_as_it_was_answered(client: Client, service: Settings) -> None:
    prediction = await predicted(client)
    carry(service)
    response = await client.get(of(prediction))
    logged = response.json()
    assert response.status_code == 200
    assert logged["status"] == "logged"
    for name in ("prediction_id", "model_version", "win_probability", "confidence"):
        assert logged[name] == prediction[name]
    assert datetime.fromisoformat(logged["made_at"]).timestamp() == made_at_seconds(prediction["prediction_id"])
    assert logged["made_at"].endswith("Z")
    assert logged["duel"] == {
        "pokemon_a_id": 1,
        "pokemon_a_name": "Bulbasaur",
        "pokemon_b_id": 25,
        "pokemon_b_name": "Pikachu",
        "available_moves": ["Surf", "Razor Leaf", "Growl"],
        "available_moves_b": None,
        "recommended_move": prediction["recommended_move"],
        "all_moves": [
            {name: move[name] for name in ("name", "slug", "win_probability")} for move in prediction["all_moves"]
        ],
    }
    assert (logged["request"]["attacker"], logged["request"]["defender"]) == ("bulbasaur", "pikachu")
    assert logged["choice"]["win_probability"] == pytest.approx(prediction["win_probability"], abs=1e-6)
    assert logged["outcome"] is None


async def test_names_come_back_in_the_callers_language(client: Client, service: Settings) -> None:
    body = DUEL | {"available_moves_b": ["Thunderbolt", "Growl"]}
    prediction = (await client.predict(body)).json()
    carry(service)
    response = await client.get(of(prediction), headers={"Accept-Language": "fr"})
    assert response.headers["content-language"] == "fr"
    duel = response.json()["duel"]
    assert (duel["pokemon_a_name"], duel["available_moves"]) == ("Bulbizarre", ["Surf", "Tranch'Herbe", "Rugissement"])
    assert duel["available_moves_b"] == ["Tonnerre", "Rugissement"]


async def test_what_is_both_waiting_and_logged_is_logged(client: Client, service: Settings) -> None:
    prediction = await predicted(client)
    carry(service, confirm=False)
    assert held(service, prediction["prediction_id"]) == 1
    assert (await client.get(of(prediction))).status_code == 200


async def test_an_id_is_read_in_capitals_too(client: Client) -> None:
    prediction = await predicted(client)
    response = await client.get(f"/predictions/{prediction['prediction_id'].upper()}")
    assert (response.status_code, response.json()["prediction_id"]) == (202, prediction["prediction_id"])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_id_is_404(client: Client, method: str) -> None:
    unknown = new_id()
    if method == "GET":
        response = await client.get(f"/predictions/{unknown}")
    else:
        response = await client.post(f"/predictions/{unknown}/outcome", json={"winner": "A"})
    problem = response.json()
    assert (response.status_code, problem["type"]) == (404, "/problems#unknown-prediction")
    assert problem["detail"].startswith(f"No prediction {unknown} is on record.")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "text", ["1", "x" * 500, "0190f5b6-7c0e-4abc-8def-0123456789ab", "%00", "0190f5b67c0e7abc8def0123456789ab"]
)
async def test_what_is_no_id_is_422(client: Client, method: str, text: str) -> None:
    if method == "GET":
        response = await client.get(f"/predictions/{text}")
    else:
        response = await client.post(f"/predictions/{text}/outcome", json={"winner": "A"})
    problem = response.json()
    assert (response.status_code, problem["type"]) == (422, "/problems#invalid")
    assert [error["parameter"] for error in problem["errors"]] == ["prediction_id"]
    assert "must be the `prediction_id` of an answer, a UUID of version 7" in problem["detail"]


@pytest.mark.parametrize("winner", ["A", "B"])
async def test_an_outcome_is_kept_and_logged(client: Client, service: Settings, winner: str) -> None:
    prediction = await predicted(client)
    response = await client.post(of(prediction, "/outcome"), json={"winner": winner})
    assert response.status_code == 200
    recorded = response.json()
    assert recorded["winner"] == winner
    carry(service)
    assert (await client.get(of(prediction))).json()["outcome"] == recorded
    logged = log_of(service).find(prediction["prediction_id"])
    assert logged is not None
    assert logged.happened is (winner == "A")


async def test_an_outcome_months_later_is_kept(client: Client, service: Settings) -> None:
    old = logged_at(service, NOON.timestamp())
    recorded = (await client.post(f"/predictions/{old}/outcome", json={"winner": "B"})).json()
    shown = (await client.get(f"/predictions/{old}")).json()
    assert shown["outcome"] == recorded  # before it is logged, too
    carry(service)
    assert (await client.get(f"/predictions/{old}")).json() == shown


@pytest.mark.parametrize("carried", [False, True])
async def test_the_same_outcome_again_changes_nothing(client: Client, service: Settings, carried: bool) -> None:
    prediction = await predicted(client)
    first = await client.post(of(prediction, "/outcome"), json={"winner": "A"})
    if carried:
        carry(service)
    before = held(service, prediction["prediction_id"])
    again = await client.post(of(prediction, "/outcome"), json={"winner": "A"})
    assert (again.status_code, again.json()) == (200, first.json())
    assert held(service, prediction["prediction_id"]) == before


@pytest.mark.parametrize("carried", [False, True])
async def test_the_other_outcome_is_refused(client: Client, service: Settings, carried: bool) -> None:
    prediction = await predicted(client)
    first = (await client.post(of(prediction, "/outcome"), json={"winner": "B"})).json()
    if carried:
        carry(service)
    before = held(service, prediction["prediction_id"])
    response = await client.post(of(prediction, "/outcome"), json={"winner": "A"})
    problem = response.json()
    assert (response.status_code, problem["type"]) == (409, "/problems#outcome-contradicts")
    assert problem["detail"].startswith("That B won is on record since ")
    assert held(service, prediction["prediction_id"]) == before
    carry(service)
    assert (await client.get(of(prediction))).json()["outcome"] == first


async def test_of_reports_at_once_one_is_kept(client: Client, service: Settings) -> None:
    prediction = await predicted(client)
    before = held(service, prediction["prediction_id"])
    reports = await asyncio.gather(
        *(client.post(of(prediction, "/outcome"), json={"winner": winner}) for winner in "AABABBAB")
    )
    assert held(service, prediction["prediction_id"]) == before + 1
    accepted = [response.json() for response in reports if response.status_code == 200]
    assert [response.status_code for response in reports].count(409) == 4
    assert accepted == [accepted[0]] * 4


async def test_nothing_is_missed_on_its_way_into_the_log(service: Settings) -> None:
    """Carried after the log was looked into, and gone from the outbox before that is looked into again."""

    class Carried(PredictionLog):
        def find(self, prediction_id: str) -> LoggedPrediction | None:
            found = super().find(prediction_id)
            carry(service)
            return found

    made = Prediction(new_id(), "v1", 0.25, 0.001, payload=SURF)
    with outboxes_of(service).claim() as claim:
        outbox = outboxes_of(service).open(claim.path)
        outbox.append([(made.prediction_id, encode(made))])
        outbox.close()
    found = await lookups.Lookups(Carried(log_of(service).engine), outboxes_of(service), NullRecorder().record).find(
        made.prediction_id
    )
    assert found == (None, None)
    assert held(service, made.prediction_id) == 0


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"winner":"C"}', "invalid"),
        ('{"winner":"a"}', "invalid"),
        ('{"winner":null}', "invalid"),
        ('{"winner":true}', "invalid"),
        ('{"winner":"A","by":"me"}', "invalid"),
        ("{}", "invalid"),
        ('["A"]', "invalid"),
        ("", "malformed-json"),
        ('{"winner":', "malformed-json"),
    ],
)
async def test_a_report_that_names_no_winner_is_422(client: Client, body: str, kind: str) -> None:
    prediction = await predicted(client)
    response = await client.post(of(prediction, "/outcome"), content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["type"]) == (422, f"/problems#{kind}")


async def test_who_can_win_is_told(client: Client) -> None:
    response = await client.post(f"/predictions/{new_id()}/outcome", json={"winner": "C"})
    assert response.json()["detail"] == "winner is \"C\"; it must be 'A' or 'B'."


async def test_an_outcome_that_cannot_be_recorded_is_503(tmp_path: Path, conformance: Conformance) -> None:
    settings = a_service(tmp_path)
    log_of(settings).migrate()
    old = logged_at(settings, NOON.timestamp())
    registry = CollectorRegistry()
    async with Client(create_app(settings, registry=registry, recorder=FullDisk()), conformance) as client:
        response = await client.post(f"/predictions/{old}/outcome", json={"winner": "A"})
        assert (response.status_code, response.json()["type"]) == (503, "/problems#not-recorded")
        assert (await client.get(f"/predictions/{old}")).json()["outcome"] is None
    labels = {"method": "POST", "endpoint": "/predictions/{prediction_id}/outcome", "error_type": "not-recorded"}
    assert registry.get_sample_value("api_errors_total", labels) == 1


async def test_a_payload_of_another_version_is_told_without_its_duel(client: Client, service: Settings) -> None:
    old = logged_at(service, NOON.timestamp(), payload=b'{"v":9,"duel":"unheard of"}')
    logged = (await client.get(f"/predictions/{old}")).json()
    assert (logged["duel"], logged["request"]) == (None, {"attacker": "bulbasaur", "defender": "pikachu"})


async def test_a_log_that_does_not_exist_yet_holds_nothing(tmp_path: Path, conformance: Conformance) -> None:
    settings = a_service(tmp_path)
    async with Client(create_app(settings), conformance) as client:
        prediction = await predicted(client)
        assert (await client.get(of(prediction))).status_code == 202
        assert (await client.get(f"/predictions/{new_id()}")).status_code == 404
        assert (await client.post(of(prediction, "/outcome"), json={"winner": "A"})).status_code == 200
        listed = await client.get("/predictions", headers=admin(settings))
    assert listed.json() == {"items": [], "next_cursor": None, "next": None}


async def test_a_log_that_refuses_is_503_and_predictions_go_on(tmp_path: Path, conformance: Conformance) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]  # closed again, so that it refuses
    settings = a_service(tmp_path, log_url=f"postgresql://127.0.0.1:{port}/log")
    registry = CollectorRegistry()
    async with Client(create_app(settings, registry=registry), conformance) as client:
        prediction = await predicted(client)
        assert (await client.get(of(prediction))).status_code == 202
        for response in (
            await client.get(f"/predictions/{new_id()}"),
            await client.get("/predictions", headers=admin(settings)),
            await client.post(of(prediction, "/outcome"), json={"winner": "A"}),
        ):
            assert (response.status_code, response.headers["retry-after"]) == (503, "5")
            assert response.json()["type"] == "/problems#log-unavailable"
            assert str(port) not in response.text
    labels = {"method": "GET", "endpoint": "/predictions/{prediction_id}", "error_type": "log-unavailable"}
    assert registry.get_sample_value("api_errors_total", labels) == 1


class HangingLog(PredictionLog):
    """Finds nothing until it is let go on."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(log_of(settings).engine)
        self.go_on = threading.Event()
        self.looks = 0

    def find(self, prediction_id: str) -> LoggedPrediction | None:
        self.looks += 1
        self.go_on.wait()
        return super().find(prediction_id)


async def test_a_log_that_hangs_costs_few_threads_and_is_used_again(
    service: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_threads, "_ANSWER_WITHIN_SECONDS", 0.2)
    log = HangingLog(service)
    found = lookups.Lookups(log, outboxes_of(service), NullRecorder().record)
    try:
        async with asyncio.timeout(30):
            failures = await asyncio.gather(*(found.find(new_id()) for _ in range(300)), return_exceptions=True)
            assert {type(failure) for failure in failures} == {LogUnavailableError}
            assert {str(failure) for failure in failures} == {
                "The log did not answer within 0.2 s.",
                "Too many look-ups wait for the log.",
            }
            assert log.looks == 4
            assert await asyncio.to_thread(log_of(service).page, 1) is not None  # others have threads
            log.go_on.set()
            while True:
                with suppress(LogUnavailableError):
                    assert await found.find(new_id()) is None
                    break
    finally:
        log.go_on.set()


async def test_reports_of_one_prediction_wait_for_a_log_that_hangs_together_and_not_in_turn(
    service: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_threads, "_ANSWER_WITHIN_SECONDS", 0.2)
    log = HangingLog(service)
    found, prediction_id = lookups.Lookups(log, outboxes_of(service), NullRecorder().record), new_id()
    try:
        async with asyncio.timeout(20):  # in turn, they would take 40 s
            reports = (found.report(prediction_id, happened=True) for _ in range(200))
            failures = await asyncio.gather(*reports, return_exceptions=True)
        assert {type(failure) for failure in failures} == {LogUnavailableError}
    finally:
        log.go_on.set()


async def test_who_may_ask(tmp_path: Path, conformance: Conformance) -> None:
    settings = a_service(tmp_path, predict_keys=digest_of("ours").hex())
    log_of(settings).migrate()
    old = logged_at(settings, NOON.timestamp())
    async with Client(create_app(settings), conformance) as client:

        async def statuses(**headers: str) -> list[int]:
            return [
                (await client.get("/predictions", headers=headers)).status_code,
                (await client.get(f"/predictions/{old}", headers=headers)).status_code,
                (await client.post(f"/predictions/{old}/outcome", json={"winner": "A"}, headers=headers)).status_code,
            ]

        assert await statuses() == [401, 401, 401]
        assert await statuses(**{"X-API-Key": "theirs"}) == [401, 401, 401]
        assert await statuses(**{"X-API-Key": "ours"}) == [403, 200, 200]
        assert await statuses(**admin(settings)) == [200, 200, 200]
