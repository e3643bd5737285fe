"""Players whose habits change are noticed, and left in peace again: with all that runs, on Redis and PostgreSQL.

All scenarios, and how many windows each takes, are in `tests/test_drift_scenarios.py`; `make demo-drift` shows them.
"""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

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
PATIENCE_SECONDS = 180
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


def wait_for_check(stack: NativeStack, what: str, **wanted: object) -> dict[str, Any]:
    """The first check of the worker in which this is so."""
    found: list[dict[str, Any]] = []

    def is_so() -> bool:
        found[:] = told(stack, "drift", "status")
        return any(wanted.items() <= {**check, "detected": detected(check)}.items() for check in found)

    wait_until(is_so, what, PATIENCE_SECONDS)
    return found[0]


def rows_in_window(stack: NativeStack) -> int:
    return int(told(stack, "drift", "status")[0]["rows"])


def detected(check: Mapping[str, Any]) -> bool:
    return any(group["verdict"] == group["verdict_before"] == "drift" for group in check["groups"])


def deliveries(stack: NativeStack) -> list[Delivery]:
    """About drift from what was declared normal."""
    with urlopen(f"{stack.running.deliveries}/deliveries", timeout=30) as answer:
        found = [Delivery(**document) for document in json.load(answer)]
    return [each for each in found if each.alert == "DataDriftDetected" and each.labels["reference"] == "window"]


def statuses(stack: NativeStack) -> list[str]:
    return [each.status for each in deliveries(stack)]


def wait_until_drained(stack: NativeStack) -> None:
    folder = OutboxFolder(stack.data_dir / "outbox")
    wait_until(lambda: not any(state.pending for state in folder.states()), "the outbox is empty", PATIENCE_SECONDS)


def test_drift_is_detected_alerted_delivered_explained_and_over_again(stack: NativeStack, postgres_url: str) -> None:
    with playing(stack, "players", seed=1):
        wait_for_check(stack, "players are compared with the provisional reference", reference_kind="uniform")
        wait_until(lambda: rows_in_window(stack) >= ENOUGH_ROWS, "a window is full", PATIENCE_SECONDS)
        now = time.time()
        stretch = ("--from", str(now - 3 * WINDOW_SECONDS), "--to", str(now))
        (reference,) = told(stack, "drift", "reference", "use-window", *stretch, "--reason", "as players are")
        assert (reference["kind"], reference["rows"] >= ENOUGH_ROWS) == ("window", True)
        check = wait_for_check(stack, "players are compared with themselves", reference_kind="window")
        assert (check["verdict"], detected(check), deliveries(stack)) == ("no_drift", False, [])

    stopped = time.time()
    with playing(stack, "drift-types", seed=2):
        check = wait_for_check(stack, "drift is detected", detected=True, reference_kind="window")
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
    check = DriftChecker(engine, WINDOW_SECONDS).check(model_version, began + 2 * WINDOW_SECONDS)
    engine.dispose()
    return check is not None and any(group.is_detected for group in check.groups)
