"""What is told of drift over HTTP, to whom, and reports that cannot do any harm."""

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from api_pokemon.main import create_app
from api_pokemon.monitoring.drift_checking import DriftChecks
from api_pokemon.monitoring.jobs import Jobs
from api_pokemon.routes.admin_key import AdminKeyFile
from api_pokemon.routes.keys import digest_of
from api_pokemon.settings import Settings
from api_pokemon.startup import ADMIN_KEY_FILE
from api_pokemon.stores import log_of, reports_of
from tests.routes.conformance import Client, Conformance
from tests.routes.examples import CHECK, SUMMARY

PATHS = ("/drift/status", "/drift/history", "/drift/reports", f"/drift/reports/{SUMMARY.report_id}")
PAGE = "<!doctype html><title>été</title><script>draw()</script>"


def a_service(folder: Path, **settings: Any) -> Settings:
    return Settings(data_dir=folder, tablebase=False, _env_file=None, **settings)


def admin(settings: Settings) -> dict[str, str]:
    return {"X-API-Key": AdminKeyFile(settings.data_dir / ADMIN_KEY_FILE).read_or_make()}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = a_service(tmp_path_factory.mktemp("data"), predict_keys=digest_of("ours").hex())
    log = log_of(settings)
    log.migrate()
    earlier = replace(CHECK, checked_seconds=CHECK.checked_seconds - 300, to_seconds=CHECK.to_seconds - 300)
    DriftChecks(log.engine).keep([earlier, replace(earlier, model_version="v0")])
    DriftChecks(log.engine).keep([CHECK])
    reports_of(settings).keep(SUMMARY, PAGE, '{"metrics": []}')
    return settings


@pytest.fixture(scope="module")
def app(service: Settings) -> FastAPI:
    return create_app(service)


@pytest.fixture
async def client(app: FastAPI, service: Settings, conformance: Conformance) -> AsyncIterator[Client]:
    async with Client(app, conformance) as client:
        client.headers.update(admin(service))
        yield client


async def test_who_may_see_it(app: FastAPI, service: Settings, conformance: Conformance) -> None:
    async with Client(app, conformance) as client:
        for headers, status in (({}, 401), ({"X-API-Key": "theirs"}, 401), ({"X-API-Key": "ours"}, 403)):
            for path in PATHS:
                assert (await client.get(path, headers=headers)).status_code == status
            assert (await client.post("/drift/reports", headers=headers)).status_code == status
    assert Jobs(log_of(service).engine).page(10) == []


async def test_the_status_has_the_latest_check_and_what_comes_next(client: Client) -> None:
    status = (await client.get("/drift/status")).json()
    (version,) = status["versions"]
    assert (version["model_version"], version["verdict"]) == (CHECK.model_version, "drift")
    assert version["window"] == {"begins_at": "2026-08-01T11:00:00Z", "ends_at": "2026-08-01T12:00:00Z", "rows": 4210}
    assert version["reference"] == {"reference_id": CHECK.reference_id, "kind": "window", "rows": 31_337}
    assert [(group["group"], group["is_detected"]) for group in version["groups"]] == [
        ("request", False),
        ("choice", False),
    ]
    attacker, chance = version["features"]
    assert (attacker["score"], attacker["chance"], attacker["verdict"]) == (0.236, 0.041, "drift")
    assert attacker["changes"] == [{"value": "mewtwo", "reference_share": 0.005, "window_share": 0.21}]
    assert (chance["verdict"], chance["changes"]) == ("no_drift", [])
    schedule = status["schedule"]
    assert (schedule["check_seconds"], schedule["report_seconds"]) == (300, 3600)
    assert schedule["next_report_at"].endswith(":00:00Z")


async def test_the_history_goes_back_in_time(client: Client) -> None:
    both = (await client.get("/drift/history")).json()["checks"]
    assert [(check["model_version"], check["checked_at"]) for check in both] == [
        (CHECK.model_version, "2026-08-01T12:00:00Z"),
        (CHECK.model_version, "2026-08-01T11:55:00Z"),
    ]
    last = (await client.get("/drift/history?limit=1")).json()["checks"]
    assert last == both[:1]
    (other,) = (await client.get("/drift/history?model_version=v0")).json()["checks"]
    assert other["model_version"] == "v0"
    assert (await client.get("/drift/history?model_version=v1")).json() == {"checks": []}


@pytest.mark.parametrize("query", ["history?limit=0", "history?limit=501", "history?model_version=", "reports?limit=x"])
async def test_bad_values_are_told(client: Client, query: str) -> None:
    assert (await client.get(f"/drift/{query}")).json()["type"] == "/problems#invalid"


async def test_reports_are_listed_with_both_verdicts(client: Client) -> None:
    (report,) = (await client.get("/drift/reports")).json()["reports"]
    assert (report["report_id"], report["verdict"]) == (SUMMARY.report_id, "drift")
    assert (report["drifted"], report["evidently_drifted"]) == (["attacker"], ["attacker"])
    page = await client.get(report["html"])
    assert page.status_code == 200
    assert page.text == PAGE


async def test_a_report_comes_as_it_is_accepted_or_as_its_suffix_says(client: Client) -> None:
    path = f"/drift/reports/{SUMMARY.report_id}"
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    for name, accept, media_type in (
        (path, "*/*", "application/json"),
        (path, browser, "text/html; charset=utf-8"),
        (path.upper().replace("/DRIFT/REPORTS", "/drift/reports"), browser, "text/html; charset=utf-8"),
        (f"{path}.json", browser, "application/json"),
        (f"{path}.html", "application/json", "text/html; charset=utf-8"),
    ):
        answer = await client.get(name, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    report = (await client.get(path)).json()
    assert report["evidently"] == {"metrics": []}
    assert [field["left_out"] for field in report["fields"]] == [None, "always en"]


async def test_scripts_of_a_report_have_no_origin_and_reach_nobody(client: Client) -> None:
    page = await client.get(f"/drift/reports/{SUMMARY.report_id}.html")
    policy = dict(
        directive.strip().partition(" ")[::2] for directive in page.headers["content-security-policy"].split(";")
    )
    assert policy["sandbox"] == "allow-scripts"
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == "'unsafe-inline'"
    assert not {"connect-src", "frame-src", "object-src"} & policy.keys()  # as default-src says
    assert all("http" not in sources and "*" not in sources for sources in policy.values())


@pytest.mark.parametrize(
    "name",
    [
        "01a21022-092f-707f-b63b-641509a20cde",
        "01a21022-092f-707f-b63b-641509a20cde.html",
        "..",
        "%2e%2e",
        "..%2f..%2fadmin.key",
        "..%2Fadmin.key.html",
        f"{SUMMARY.report_id}%2f..",
        f"{SUMMARY.report_id}%00",
        f"{SUMMARY.report_id}.xml",
        f"{SUMMARY.report_id}.html.html.json",
        "summary.json",
        ".html",
        "x" * 3000,
    ],
)
async def test_there_is_nothing_but_reports(client: Client, name: str) -> None:
    answer = await client.get(f"/drift/reports/{name}", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert answer.json()["type"] in ("/problems#unknown-report", "/problems#not-found")
    assert len(answer.content) < 1000


async def test_a_report_is_asked_for_once_until_it_has_begun(client: Client, service: Settings) -> None:
    jobs = Jobs(log_of(service).engine)
    first = await client.post("/drift/reports")
    assert (first.status_code, first.json()["status"]) == (202, "queued")
    assert (await client.post("/drift/reports")).json() == first.json()
    (job,) = jobs.page(10)
    assert (job.job_id, job.kind, job.state, job.is_on_demand) == (
        first.json()["job_id"],
        "drift-report",
        "queued",
        True,
    )
    claimed = jobs.claim(["drift-report"], "ash", 60.0)
    assert claimed is not None
    second = (await client.post("/drift/reports")).json()
    assert second != first.json()
    jobs.fail(claimed, "The disk is full.\n\nTraceback: /home/ash")
    jobs.cancel(second["job_id"])
    shown = (await client.get("/drift/status")).json()["schedule"]["last_report_job"]
    assert (shown["job_id"], shown["state"], shown["error"]) == (second["job_id"], "cancelled", "Cancelled.")


async def test_before_the_first_worker_nothing_is_known(tmp_path: Path, conformance: Conformance) -> None:
    settings = a_service(tmp_path, drift_report_seconds=0)
    async with Client(create_app(settings), conformance) as client:
        client.headers.update(admin(settings))
        status = (await client.get("/drift/status")).json()
        assert (await client.get("/drift/history")).json() == {"checks": []}
        assert (await client.get("/drift/reports")).json() == {"reports": []}
        asked = await client.post("/drift/reports")
    assert status["versions"] == []
    schedule = status["schedule"]
    assert (schedule["report_seconds"], schedule["next_report_at"], schedule["last_report_job"]) == (None, None, None)
    assert (asked.status_code, asked.json()["type"]) == (503, "/problems#log-unavailable")


async def test_a_log_that_refuses_is_503_and_reports_are_there(tmp_path: Path, conformance: Conformance) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]  # closed again, so that it refuses
    settings = a_service(tmp_path, log_url=f"postgresql://127.0.0.1:{port}/log")
    reports_of(settings).keep(SUMMARY, PAGE, json.dumps({}))
    registry = CollectorRegistry()
    async with Client(create_app(settings, registry=registry), conformance) as client:
        client.headers.update(admin(settings))
        for answer in (
            await client.get("/drift/status"),
            await client.get("/drift/history"),
            await client.post("/drift/reports"),
        ):
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems#log-unavailable")
            assert str(port) not in answer.text
        assert len((await client.get("/drift/reports")).json()["reports"]) == 1
    labels = {"method": "GET", "endpoint": "/drift/status", "error_type": "log-unavailable"}
    assert registry.get_sample_value("api_errors_total", labels) == 1
