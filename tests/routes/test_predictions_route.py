"""What is on record: looked up while it is pending and once it is logged, listed page by page, told how it ended."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from api_pokemon.main import create_app
from api_pokemon.model.asked import AskedDuel
from api_pokemon.monitoring import (
    Event,
    LogUnavailableError,
    NotRecordedError,
    NullRecorder,
    Outcome,
    Prediction,
    encode,
    made_at_seconds,
    new_id,
)
from api_pokemon.monitoring.outbox_stream import OutboxStream
from api_pokemon.monitoring.prediction_log import LoggedPrediction, PredictionLog
from api_pokemon.monitoring.stream import Entry
from api_pokemon.routes import log_threads, lookups
from api_pokemon.routes.admin_key import AdminKeyFile
from api_pokemon.routes.keys import digest_of
from api_pokemon.settings import Settings
from api_pokemon.startup import ADMIN_KEY_FILE
from api_pokemon.stores import log_of, outboxes_of
from tests.routes.conformance import Client, Conformance

DUEL: dict[str, Any] = {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Surf", "Razor Leaf", "Growl"]}
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


class FullDisk:
    async def record(self, *events: Event) -> None:
        raise NotRecordedError("no space left on device")


def a_service(folder: Path, **settings: Any) -> Settings:
    return Settings(data_dir=folder, tablebase=False, _env_file=None, **settings)


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


def carry(settings: Settings, *, confirm: bool = True) -> None:
    """Do what a worker does."""
    log, stream = log_of(settings), OutboxStream(outboxes_of(settings))
    entries = stream.read(10_000, 0.0, log.offsets())
    log.write(entries, keep_offsets=True)
    if confirm:
        stream.confirm(entries)
    stream.close()


def admin(settings: Settings) -> dict[str, str]:
    return {"X-API-Key": AdminKeyFile(settings.data_dir / ADMIN_KEY_FILE).read_or_make()}


def held(settings: Settings, prediction_id: str) -> int:
    return len(outboxes_of(settings).find(prediction_id))


async def predicted(client: Client) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.predict(DUEL)).json()
    return answer


def of(prediction: dict[str, Any], more: str = "") -> str:
    return f"/predictions/{prediction['prediction_id']}{more}"


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

    made = Prediction(new_id(), "v1", 0.25, 0.001, payload=_SURF)
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


def id_at(seconds: float, number: int = 0) -> str:
    text = f"{round(seconds * 1000):012x}7{number:03x}8{0:015x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def entry(sequence: int, event: Event) -> Entry:
    return Entry("0190f5b6-7c0e-4abc-8def-0123456789ab", sequence, encode(event))


_SURF = AskedDuel(form_a=1, form_b=25, moves=(57,), moves_b=None, ranked=((57, 0.25),)).payload()
_made = iter(range(1, 10_000))


def logged_at(
    settings: Settings,
    seconds: float,
    *,
    model_version: str = "v1",
    attacker: str = "bulbasaur",
    defender: str = "pikachu",
    payload: bytes = _SURF,
) -> str:
    """The id of a prediction that was logged then."""
    number = next(_made)
    made = Prediction(
        id_at(seconds, number % 4096),
        model_version,
        0.25,
        0.001,
        request={"attacker": attacker, "defender": defender},
        payload=payload,
    )
    log_of(settings).write([entry(number, made)])
    return made.prediction_id


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[str]]:
    """Twenty predictions, one a minute from noon, in the order of time."""
    settings = a_service(tmp_path_factory.mktemp("data"))
    log_of(settings).migrate()
    pairs = [("bulbasaur", "pikachu"), ("raichu-alola", "eevee"), ("eevee", "mewtwo"), ("mewtwo", "mewtwo")]
    ids = []
    for minute in range(20):
        attacker, defender = pairs[minute % 4]
        version = "v1" if minute < 15 else "v2"
        ids.append(
            logged_at(
                settings, NOON.timestamp() + 60 * minute, model_version=version, attacker=attacker, defender=defender
            )
        )
    log_of(settings).write([entry(next(_made), Outcome(new_id(), ids[7], happened=False))])
    return settings, ids


@pytest.fixture(scope="module")
def app_with_history(history: tuple[Settings, list[str]]) -> FastAPI:
    return create_app(history[0])


@pytest.fixture
async def admins_client(
    app_with_history: FastAPI, history: tuple[Settings, list[str]], conformance: Conformance
) -> AsyncIterator[Client]:
    async with Client(app_with_history, conformance) as client:
        client.headers.update(admin(history[0]))
        yield client


def ids_of(page: dict[str, Any]) -> list[str]:
    return [item["prediction_id"] for item in page["items"]]


async def test_the_newest_come_first(admins_client: Client, history: tuple[Settings, list[str]]) -> None:
    page = (await admins_client.get("/predictions")).json()
    assert ids_of(page) == history[1][::-1]
    assert (page["next"], page["next_cursor"]) == (None, None)
    assert [item["prediction_id"] for item in page["items"] if item["outcome"]] == [history[1][7]]
    assert page["items"][-8]["outcome"]["winner"] == "B"


@pytest.mark.parametrize("limit", [1, 7, 10, 19, 20])
async def test_pages_follow_each_other(admins_client: Client, history: tuple[Settings, list[str]], limit: int) -> None:
    seen: list[str] = []
    path: str | None = f"/predictions?limit={limit}&until=2026-08-01T12:20:00Z&model_version=v1"
    while path:
        page = (await admins_client.get(path)).json()
        assert len(page["items"]) == limit or page["next"] is None
        assert page["next_cursor"] is None or page["next_cursor"] == page["items"][-1]["prediction_id"]
        seen += ids_of(page)
        path = page["next"]
    assert seen == history[1][14::-1]


@pytest.mark.parametrize(
    ("query", "minutes"),
    [
        ({"since": "2026-08-01T12:17:00Z"}, [19, 18, 17]),
        ({"since": "2026-08-01T14:17:00+02:00"}, [19, 18, 17]),
        ({"since": f"{NOON.timestamp() + 17 * 60:.0f}"}, [19, 18, 17]),
        ({"until": "2026-08-01T12:02"}, [1, 0]),
        ({"since": "2026-08-01T12:05:00", "until": "2026-08-01T12:07:00"}, [6, 5]),
        ({"since": "2026-08-02"}, []),
        ({"until": "2026-08-01"}, []),
        ({"model_version": "v2"}, [19, 18, 17, 16, 15]),
        ({"model_version": "v3"}, []),
        ({"pokemon": "26", "limit": "2"}, []),
        ({"pokemon": "Raichu d'Alola", "limit": "2"}, [17, 13]),
        ({"pokemon": "10100", "limit": "2"}, [17, 13]),
        ({"pokemon": "évoli", "limit": "3"}, [18, 17, 14]),
        ({"pokemon": "MEWTWO", "model_version": "v2"}, [19, 18, 15]),
    ],
)
async def test_filters(
    admins_client: Client, history: tuple[Settings, list[str]], query: dict[str, str], minutes: list[int]
) -> None:
    response = await admins_client.get("/predictions", params=query)
    assert response.status_code == 200
    assert ids_of(response.json()) == [history[1][minute] for minute in minutes]


async def test_the_next_page_keeps_the_filters(admins_client: Client, history: tuple[Settings, list[str]]) -> None:
    page = (await admins_client.get("/predictions", params={"pokemon": "Évoli", "limit": "1"})).json()
    assert page["next"] == f"/predictions?pokemon=%C3%89voli&limit=1&cursor={history[1][18]}"
    assert ids_of((await admins_client.get(page["next"])).json()) == [history[1][17]]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "limit is 0; it must be at least 1."),
        ("limit=201", "limit is 201; it must be at most 200."),
        ("limit=1.0", "limit is 1.0; it must be a whole number."),
        (
            "cursor=3",
            "cursor is 3; it must be the `prediction_id` of an answer, a UUID of version 7.",
        ),
        ("cursor=", "cursor is ; it must be the `prediction_id` of an answer, a UUID of version 7."),
        (
            "since=yesterday",
            "since is yesterday; it must be a time such as 2026-08-01, 2026-08-01T10:30:00Z or 1785580200 "
            "(Unix seconds).",
        ),
        ("pokemon=", "pokemon is ; it must have at least 1 character."),
        ("model_version=%00", "model_version is \\x00; it must hold no control characters."),
    ],
)
async def test_a_bad_value_is_422(admins_client: Client, query: str, detail: str) -> None:
    response = await admins_client.get(f"/predictions?{query}")
    assert (response.status_code, response.json()["detail"]) == (422, detail)


@pytest.mark.parametrize(
    "time", ["", "20260801", "2026-13-01", "2026-08-01T25:00", "1785580200000", "nan", "-1", "1e9"]
)
async def test_a_bad_time_is_422(admins_client: Client, time: str) -> None:
    response = await admins_client.get("/predictions", params={"until": time})
    assert response.status_code == 422
    assert [error["parameter"] for error in response.json()["errors"]] == ["until"]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "99999999999"])
async def test_any_time_can_be_asked_for(admins_client: Client, time: str) -> None:
    for parameter in ("since", "until"):
        assert (await admins_client.get("/predictions", params={parameter: time})).status_code == 200


async def test_an_unknown_pokemon_is_told_with_the_nearest(admins_client: Client) -> None:
    response = await admins_client.get("/predictions", params={"pokemon": "Pikachuu"})
    problem = response.json()
    assert (response.status_code, problem["type"]) == (422, "/problems#unknown-name")
    assert "Pikachu" in problem["suggestions"]
    nothing = (await admins_client.get("/predictions", params={"pokemon": "?"})).json()
    assert nothing["detail"] == "There is no Pokémon named '?'. GET /pokemon lists all names."
    response = await admins_client.get("/predictions", params={"pokemon": "9" * 60})
    assert (response.status_code, response.json()["type"]) == (404, "/problems#unknown-id")
