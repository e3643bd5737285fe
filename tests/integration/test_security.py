"""What attackers try, against the real programs over real sockets."""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from api_pokemon.routes.admin_key import AdminKeyFile
from tests.integration.deployment import API_POKEMON, Deployment, Program
from tests.servers import free_port, wait_until

DUEL = b'{"pokemon_a_id":1,"pokemon_b_id":25,"available_moves":["Surf"]}'
REPORT = "0190f5b6-7c0e-7abc-8def-0123456789ab"
SECRET = "s3cr3t-of-the-database"  # noqa: S105 -- of nothing


class Answer:
    """What a program answered, as bytes; every status is one."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> None:
        asked = urllib.request.Request(url, body, dict(headers or {}))
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                self.status, self.headers, self.body = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                self.status, self.headers, self.body = error.code, error.headers, error.read()


def predict(program: Program, key: str | None, **headers: str) -> Answer:
    sent = {"X-API-Key": key} if key else {}
    return Answer(f"{program.url}/predict/best-move", {"Content-Type": "application/json", **sent, **headers}, DUEL)


def command(settings: Mapping[str, str], *words: str) -> str:
    ran = subprocess.run(
        [*API_POKEMON, *words], env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


class Keyed(NamedTuple):
    """Two API processes and a worker on one data folder; metrics are for keys alone, those of the API on own ports."""

    deployment: Deployment
    metrics_ports: list[int]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("keys")
    deployment = Deployment(folder, settings={"API_POKEMON_METRICS_PROTECTED": "true"})
    ports = [free_port(), free_port()]
    deployment.apis = [
        Program(folder / f"serve-{port}", "serve", {**deployment.settings, "API_POKEMON_METRICS_PORT": str(port)})
        for port in ports
    ]
    with deployment.running():
        yield Keyed(deployment, ports)


class TestKeysThatChange:
    def test_all_processes_follow_without_a_restart(self, keyed: Keyed) -> None:
        deployment = keyed.deployment

        def statuses(key: str | None) -> list[int]:
            return [predict(program, key).status for program in deployment.apis]

        assert statuses(None) == [200, 200]
        first = command(deployment.settings, "key", "add", "shop")
        wait_until(lambda: statuses(first) == [200, 200], "the key counts")
        assert statuses(None) == [401, 401]
        second = command(deployment.settings, "key", "add", "shop-2")
        wait_until(lambda: statuses(second) == [200, 200], "the second key counts")
        assert statuses(first) == [200, 200]
        command(deployment.settings, "key", "revoke", "shop")
        wait_until(lambda: statuses(first) == [401, 401], "the first key counts no more")
        assert statuses(second) == [200, 200]
        assert statuses(None) == [401, 401]

    def test_metrics_have_a_port_of_their_own_and_a_key(self, keyed: Keyed) -> None:
        deployment = keyed.deployment
        key = command(deployment.settings, "key", "add", "prometheus", "--role", "metrics")
        own = [f"http://127.0.0.1:{port}/metrics" for port in keyed.metrics_ports]
        shown = [*own, *(f"{worker.url}/metrics" for worker in deployment.workers)]

        def statuses(**headers: str) -> set[int]:
            return {Answer(url, headers).status for url in shown}

        wait_until(lambda: statuses(Authorization=f"Bearer {key}") == {200}, "the key counts")
        assert statuses() == statuses(Authorization="Bearer wrong") == {401}
        assert b"api_requests_total" in Answer(own[0], {"X-API-Key": key}).body
        for program in deployment.apis:
            assert Answer(f"{program.url}/metrics", {"X-API-Key": key}).status == 404
        for url in own:
            assert Answer(url.replace("/metrics", "/health"), {"X-API-Key": key}).status == 404
        assert [predict(program, key).status for program in deployment.apis] == [403, 403]


class BrokenService(Program):
    """`api-pokemon serve` whose outbox raises, and says too much."""

    _SCRIPT = f"""
from api_pokemon.main import create_app
from api_pokemon.server import run

class Recorder:
    async def record(self, *events):
        import logging
        logging.getLogger("outbox").warning("a\\nforged line")
        raise RuntimeError("postgresql://shop:{SECRET}@db/log refused X-API-Key: apk_{"x" * 43}; password={SECRET}")

run(lambda settings: create_app(settings, recorder=Recorder()), "port")
"""

    def _command(self) -> list[str]:
        return [sys.executable, "-c", self._SCRIPT]


class TestNothingIsTold:
    @pytest.mark.parametrize("form", ["json", "text"])
    def test_not_in_answers_nor_logs_nor_metrics(self, tmp_path: Path, form: str) -> None:
        settings = {"API_POKEMON_DATA_DIR": str(tmp_path), "API_POKEMON_TABLEBASE": "false"}
        with BrokenService(tmp_path / "serve", "serve", {**settings, "API_POKEMON_LOG_FORMAT": form}) as program:
            answer = predict(program, None, **{"X-Request-ID": "order-7"})
            metrics = program.metrics()
        assert answer.status == 500
        assert json.loads(answer.body)["detail"].startswith("An unexpected error; it is logged as request order-7,")
        assert answer.headers["X-Request-ID"] == "order-7"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert 'status="500"} 1.0' in metrics
        log = (tmp_path / "serve" / "log").read_text()
        assert "RuntimeError: postgresql://shop:***@db/log refused X-API-Key: ***; password=***" in log
        for text in (answer.body.decode(), metrics, log):
            assert SECRET not in text
            assert "apk_" not in text
        assert b"Traceback" not in answer.body
        assert b"RuntimeError" not in answer.body
        if form == "json":
            events = [json.loads(line) for line in log.splitlines()]
            (broken,) = [event for event in events if "traceback" in event]
            assert (broken["level"], broken["request_id"]) == ("error", "order-7")
            assert {event["message"] for event in events} >= {"a\nforged line"}
        else:
            assert "ERROR uvicorn.error: Exception in ASGI application [request order-7]\n  | Traceback " in log
            assert not any(line.startswith("forged line") for line in log.splitlines())


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """With reports whose folder and whose file lead out of the folder of reports."""
    data = tmp_path_factory.mktemp("paths")
    outside = data / REPORT
    outside.mkdir()
    for name in ("report.html", "report.json", "summary.json"):
        (outside / name).write_text('{"out": "side"}')
    reports = data / "reports"
    reports.mkdir()
    (reports / REPORT).symlink_to(outside)
    inside = reports / REPORT.replace("0190", "0191")
    inside.mkdir()
    AdminKeyFile(data / "admin.key").read_or_make()
    (inside / "report.html").symlink_to(data / "admin.key")
    with Program(data / "serve", "serve", {"API_POKEMON_DATA_DIR": str(data)}) as program:
        yield program


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            f"/drift/reports/{REPORT}",
            f"/drift/reports/{REPORT}.html",
            f"/drift/reports/{REPORT.replace('0190', '0191')}.html",
            "/drift/reports/../admin.key",
            "/drift/reports/..%2fadmin.key",
            "/drift/reports/..%2f..%2fadmin.key.html",
            "/drift/reports/%2e%2e%2fadmin.key",
            "/drift/reports/%252e%252e%252fadmin.key",
            "/drift/reports/..%5cadmin.key",
            "/drift/reports/..%c0%afadmin.key",
            "/drift/reports/%2fetc%2fpasswd",
            "/drift/reports//etc/passwd",
            "/drift/reports/file:%2f%2f%2fetc%2fpasswd",
            f"/drift/reports/{REPORT}%2f..%2f..%2fadmin.key",
            f"/drift/reports/{REPORT}%00.html",
            f"/drift/reports/.{REPORT}",
            f"/drift/reports/{REPORT}%0a",
            "/docs/..%2f..%2fadmin.key",
            "/docs/%2fetc%2fpasswd",
            "/docs/../../../../etc/passwd",
            "/predictions/..%2fadmin.key",
            "/../../../../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
        ],
    )
    def test_no_path_leads_out_of_the_folder(self, linked: Program, path: str) -> None:
        key = (linked.folder.parent / "admin.key").read_text().strip()
        head = f"GET {path} HTTP/1.1\r\nHost: service\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", linked.port), timeout=30) as client:
            client.sendall(head.encode())
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        status = int(answer.split()[1])
        assert status in (404, 422)
        assert key.encode() not in answer
        assert b"root:" not in answer
        assert b'"out"' not in answer


class TestLeaving:
    def test_who_sends_several_requests_and_leaves_breaks_nothing(self, linked: Program) -> None:
        """Uvloop, unlike asyncio, fails where an answer is written to a connection that is gone."""
        head = f"POST /predict/best-move HTTP/1.1\r\nHost: service\r\nContent-Length: {len(DUEL)}\r\n\r\n"
        for number in range(1, 6):
            with socket.create_connection(("127.0.0.1", linked.port), timeout=30) as client:
                client.sendall((head.encode() + DUEL) * number)

        def statuses() -> set[str]:
            lines = [line for line in linked.metrics().splitlines() if line.startswith("api_requests_total")]
            return {line.partition('status="')[2][:3] for line in lines if not line.endswith(" 0.0") and "POST" in line}

        wait_until(statuses, "they are counted")
        assert predict(linked, None).status == 200
        assert not {status for status in statuses() if status.startswith("5")}
        assert "Traceback" not in (linked.folder / "log").read_text()
