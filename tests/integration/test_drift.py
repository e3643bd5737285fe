"""Players whose habits change are noticed, and left in peace again: with all that runs, on Redis and PostgreSQL.

All scenarios, and how many windows each takes, are in `tests/test_drift_scenarios.py`; `make demo-drift` shows them.
"""

import contextlib
import json
import math
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import func, select

from api_pokemon.monitoring import OutboxFolder
from api_pokemon.monitoring.database import connect, reading
from api_pokemon.monitoring.drift_checking import DriftChecker
from api_pokemon.monitoring.log_schema import predictions
from api_pokemon.monitoring.report_folder import ReportFolder
from api_pokemon.stack import Delivery
from tests.integration.deployment import API_POKEMON
from tests.servers import RedisServer, wait_until
from tests.stack.native_stack import NativeStack

WINDOW_SECONDS = 10
ENOUGH_ROWS = 300
ENOUGH_FOR_REFERENCE = 2000
PATIENCE_SECONDS = 180
LOOK_SECONDS = 0.5
FORMS = {"attacker_type", "defender_type", "attacker", "defender"}


@pytest.fixture
def stack(tmp_path: Path, redis_server: RedisServer, postgres_url: str) -> Iterator[NativeStack]:
    settings = {
        "API_POKEMON_DRIFT_WINDOW_SECONDS": str(WINDOW_SECONDS),
        "API_POKEMON_DRIFT_CHECK_SECONDS": "5",
        "API_POKEMON_DRIFT_REPORT_SECONDS": "0",
        "API_POKEMON_STREAM_URL": redis_server.url,
        "API_POKEMON_LOG_URL": postgres_url,
    }
    with NativeStack(tmp_path / "stack", settings=settings) as stack:
        yield stack


def environment(stack: NativeStack) -> Mapping[str, str]:
    return {**os.environ, **stack._environment()}


@contextlib.contextmanager
def playing(stack: NativeStack, scenario: str, seed: int) -> Iterator[None]:
    """A client of a scenario until the end of the block."""
    options = ["--scenario", scenario, "--requests", "100000", "--rate", "100", "--seed", str(seed)]
    client = subprocess.Popen(
        [*API_POKEMON, "traffic", "--url", stack.url, *options],
        cwd=stack.data_dir,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        client.terminate()
        client.wait()


def told(stack: NativeStack, *command: str) -> Any:
    """What a command prints as JSON; it must end well."""
    words = [*API_POKEMON, *command, "--json"]
    printed = subprocess.run(words, env=environment(stack), cwd=stack.data_dir, check=True, stdout=subprocess.PIPE)
    return json.loads(printed.stdout)


def checks(stack: NativeStack) -> list[dict[str, Any]]:
    """The latest of each model version, as the API tells it."""
    key = {"X-API-Key": (stack.data_dir / "admin.key").read_text().strip()}
    answer = httpx.get(f"{stack.url}/drift/status", headers=key, timeout=30)
    return list(answer.raise_for_status().json()["versions"])


def wait_for_check(
    stack: NativeStack, what: str, *, reference: str, rows: int = 0, is_detected: bool | None = None
) -> dict[str, Any]:
    """The first check of the worker against such a reference, of so many rows at least, that tells so."""

    def fits(check: dict[str, Any]) -> bool:
        return (
            check["reference"]["kind"] == reference
            and check["window"]["rows"] >= rows
            and is_detected in (None, detected(check))
        )

    found: list[dict[str, Any]] = []

    def comes() -> bool:
        found[:] = filter(fits, checks(stack))
        return bool(found)

    wait_until(comes, what, PATIENCE_SECONDS, LOOK_SECONDS)
    return found[0]


def detected(check: Mapping[str, Any]) -> bool:
    return any(group["is_detected"] for group in check["groups"])


def deliveries(stack: NativeStack) -> list[Delivery]:
    """About drift from what was declared normal."""
    answer = httpx.get(f"{stack.running.deliveries}/deliveries", timeout=30)
    found = [Delivery(**document) for document in answer.json()]
    return [each for each in found if each.alert == "DataDriftDetected" and each.labels["reference"] == "window"]


def statuses(stack: NativeStack) -> list[str]:
    return [each.status for each in deliveries(stack)]


def logged(url: str) -> int:
    with psycopg.connect(url) as connection:
        (count,) = connection.execute("select count(*) from predictions").fetchone() or (0,)
    return int(count)


def wait_until_drained(stack: NativeStack) -> None:
    folder = OutboxFolder(stack.data_dir / "outbox")
    wait_until(lambda: not any(state.pending for state in folder.states()), "the outbox is empty", PATIENCE_SECONDS)


def test_drift_is_detected_alerted_delivered_explained_and_over_again(stack: NativeStack, postgres_url: str) -> None:
    began = time.time()
    with playing(stack, "players", seed=1):
        wait_for_check(stack, "a window is full", reference="uniform", rows=ENOUGH_ROWS)
        wait_until(lambda: logged(postgres_url) >= ENOUGH_FOR_REFERENCE, "enough is logged", PATIENCE_SECONDS)
        stretch = ("--from", str(began), "--to", str(time.time()))
        (reference,) = told(stack, "drift", "reference", "use-window", *stretch, "--reason", "as players are")
        assert (reference["kind"], reference["rows"] >= ENOUGH_ROWS) == ("window", True)
        check = wait_for_check(stack, "players are compared with themselves", reference="window")
        assert (check["verdict"], detected(check), deliveries(stack)) == ("no_drift", False, [])

    stopped = time.time()
    with playing(stack, "drift-types", seed=2):
        check = wait_for_check(stack, "drift is detected", reference="window", is_detected=True)
        assert FORMS & {name for group in check["groups"] for name in group["drifted"]}
        wait_until(lambda: "firing" in statuses(stack), "it is delivered", PATIENCE_SECONDS)
        report = told(stack, "drift", "report")
    drifting = [field for field in report["fields"] if field["verdict"] == "drift"]
    assert report["verdict"] == "drift"
    assert FORMS & {field["name"] for field in drifting if field["evidently_drift"]}
    page = ReportFolder(stack.data_dir / "reports").file(report["report_id"], "html")
    assert page
    assert "attacker_type" in page.read_text()

    with playing(stack, "players", seed=3):
        wait_until(lambda: statuses(stack)[-1] == "resolved", "it is over", PATIENCE_SECONDS)
    wait_until_drained(stack)
    assert told(stack, "drift", "verify")["differences"] == []
    assert is_detected_within_two_windows(postgres_url, check["model_version"], stopped)


def is_detected_within_two_windows(url: str, model_version: str, stopped: float) -> bool:
    """Whether a check does so whose windows end two windows after the first prediction since a time.

    The worker's own checks are asked for above, and come by the clock.
    """
    engine = connect(url)
    with reading(engine) as connection:
        first = select(func.min(predictions.c.made_at)).where(predictions.c.made_at > stopped)
        began = connection.execute(first).scalar_one()
    check = DriftChecker(engine, WINDOW_SECONDS).check(model_version, math.ceil(began) + 2 * WINDOW_SECONDS)
    engine.dispose()
    return check is not None and any(group.is_detected for group in check.groups)
