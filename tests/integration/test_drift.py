"""Players whose habits change are noticed, and those who stay the same are left in peace, in both deployments."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.deployment import API_POKEMON, DEPLOYMENTS, Deployment
from tests.servers import wait_until

WINDOW_SECONDS = 10
ENOUGH_ROWS = 500
SETTINGS = {"API_POKEMON_DRIFT_WINDOW_SECONDS": str(WINDOW_SECONDS), "API_POKEMON_DRIFT_CHECK_SECONDS": "5"}
PATIENCE_SECONDS = 120


@pytest.fixture(params=list(DEPLOYMENTS))
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    with DEPLOYMENTS[request.param](tmp_path, SETTINGS) as deployment:
        yield deployment


@contextlib.contextmanager
def playing(deployment: Deployment, scenario: str, seed: int) -> Iterator[None]:
    """A client of a scenario at every API process, each with calls of its own, until the end of the block."""
    options = ["--scenario", scenario, "--requests", "100000", "--rate", str(100 / len(deployment.apis))]
    clients = [
        subprocess.Popen(
            [*API_POKEMON, "traffic", "--url", api.url, "--seed", str(10 * seed + number), *options],
            cwd=deployment.data_dir,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number, api in enumerate(deployment.apis)
    ]
    try:
        yield
    finally:
        for client in clients:
            client.terminate()
            client.wait()


def samples(deployment: Deployment, name: str, **labels: str) -> list[float]:
    """What each worker tells."""
    return [
        sample.value
        for worker in deployment.workers
        for family in text_string_to_metric_families(worker.metrics())
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def detected(deployment: Deployment, group: str) -> list[float]:
    return samples(deployment, "drift_detected", group=group, reference="window")


def wait_for_checks(deployment: Deployment, number: int) -> None:
    """Until so many more checks were made."""
    before = sum(samples(deployment, "drift_checks_total")) / len(deployment.workers)

    def are_made() -> bool:
        made = samples(deployment, "drift_checks_total")
        return sum(made) / len(deployment.workers) >= before + number

    wait_until(are_made, f"{number} checks", PATIENCE_SECONDS)


def test_drift_is_detected_and_over_again(deployment: Deployment) -> None:
    workers = len(deployment.workers)
    with playing(deployment, "players", seed=1):
        wait_until(
            lambda: any(rows >= ENOUGH_ROWS for rows in samples(deployment, "drift_window_rows")),
            "a window is full",
            PATIENCE_SECONDS,
        )
        wait_for_checks(deployment, 2)
        now = time.time()
        stretch = ("--from", str(now - 6 * WINDOW_SECONDS), "--to", str(now))
        (reference,) = deployment.told("drift", "reference", "use-window", *stretch, "--reason", "as players are")
        assert reference["kind"] == "window"
    with playing(deployment, "players", seed=2):
        wait_until(lambda: len(detected(deployment, "request")) == workers, "it is compared", PATIENCE_SECONDS)
        for _ in range(2):
            wait_for_checks(deployment, 1)
            assert set(detected(deployment, "request") + detected(deployment, "choice")) == {0}
    with playing(deployment, "drift-types", seed=3):
        wait_until(lambda: detected(deployment, "request") == [1] * workers, "drift is detected", PATIENCE_SECONDS)
        (check,) = deployment.told("drift", "status")
        drifted = {name for group in check["groups"] for name in group["drifted"]}
        assert drifted & {"attacker_type", "defender_type", "attacker", "defender"}
    with playing(deployment, "players", seed=4):
        wait_until(lambda: detected(deployment, "request") == [0] * workers, "it is over", PATIENCE_SECONDS)
    deployment.wait_until_drained()
    assert deployment.told("drift", "verify")["differences"] == []
