"""The whole drill, as a user has it: every alert is caused in a running stack, fires, is delivered, and ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import psutil
import pytest
import yaml

from api_pokemon.stack import alert_rules
from api_pokemon.stack.drill.recipes import RECIPES
from tests.servers import free_port, wait_until
from tests.stack.limited import limited
from tests.stack.native_stack import NativeStack

MIB = 1 << 20
NAMES = [recipe.alert for recipe in RECIPES]
MEMORY = ("HighMemoryUsage", "LowMemoryAvailable")
SETTINGS = {
    "API_POKEMON_FAULTS": "true",
    "API_POKEMON_OUTBOX_MAX_BYTES": str(2 * MIB),
    "API_POKEMON_DRIFT_CHECK_SECONDS": "5",
    "API_POKEMON_METRICS_PORT": str(free_port()),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeStack]:
    with NativeStack(tmp_path_factory.mktemp("drilled"), settings=SETTINGS) as stack:
        yield stack


@pytest.fixture(scope="module")
def is_limited(stack: NativeStack) -> Iterator[bool]:
    """Whether the API has limits of its own; else its CPU and memory are those of a machine that others use, too."""
    with limited(stack.running.process("serve").pid, memory_bytes=1024 * MIB, cpus=0.3) as is_limited:
        if is_limited:
            wait_until(lambda: 0 < memory(stack) <= 1024 * MIB, "the API sees its limit")
        yield is_limited


def memory(stack: NativeStack) -> float:
    with closing(stack.prometheus) as prometheus:
        return prometheus.value("system_memory_usage_bytes + system_memory_available_bytes") or 0


def drill(stack: NativeStack, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "api_pokemon", "drill", *words],
        env={**os.environ, "API_POKEMON_DATA_DIR": str(stack.data_dir), "COLUMNS": "160", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def faults_on(stack: NativeStack, url: str) -> set[str]:
    """What is still broken in a process."""
    key = {"X-API-Key": (stack.data_dir / "admin.key").read_text().strip()}
    faults = httpx.get(f"{url}/faults", headers=key, timeout=30).json()["faults"]
    return {fault["name"] for fault in faults if fault["remaining_seconds"] is not None}


def stopped(stack: NativeStack) -> list[str]:
    names = ("serve", "worker")
    return [name for name in names if stack.running.process(name).status() == psutil.STATUS_STOPPED]


def expressions(stack: NativeStack) -> dict[str, str]:
    """Of the alerts, as their files have them now."""
    files = sorted((stack.data_dir / "stack" / "prometheus").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text()).get("groups", ())]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"] if "alert" in rule}


def is_whole(stack: NativeStack) -> bool:
    urls = (stack.running.api, stack.running.worker)
    return not stopped(stack) and not any(faults_on(stack, url) for url in urls)


def test_every_alert_has_its_recipe() -> None:
    assert sorted(NAMES) == sorted(rule.name for rule in alert_rules())


def test_every_alert_fires_is_delivered_and_ends(stack: NativeStack, is_limited: bool) -> None:
    before = expressions(stack)
    # Where the API shares the CPU with all else, a busy machine would decide.
    names = ["--all"] if is_limited else [name for name in NAMES if name != "HighCPUUsage"]
    told, progress = drill(stack, *names, "--json", "--limit-seconds", "120").communicate(timeout=600)
    results: list[dict[str, Any]] = json.loads(told)
    assert [result["problem"] for result in results] == [""] * len(results), told + progress
    assert {result["alert"] for result in results} == set(NAMES if is_limited else names)
    for result in results:
        assert 0 < result["fired_seconds"] <= result["delivered_seconds"]
        assert result["resolved_seconds"] > 0
        assert result["delivery_only"] == (result["alert"] in MEMORY and not is_limited)
    assert is_whole(stack)
    assert expressions(stack) == before
    with closing(stack.prometheus) as prometheus:
        wait_until(lambda: len([t for t in prometheus.targets() if t.health == "up"]) == 5, "all answer again")


def test_an_alert_that_cannot_fire_fails_the_drill(stack: NativeStack) -> None:
    """As one about a job that nothing is scraped for."""
    file = stack.data_dir / "stack" / "prometheus" / "mlops_alerts.yml"
    before = file.read_text()
    document = yaml.safe_load(before)
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    next(rule for rule in rules if rule["alert"] == "WorkerDown")["expr"] = 'up{job="workers"} == 0'
    file.write_text(yaml.safe_dump(document))
    try:
        reload_rules(stack)
        process = drill(stack, "WorkerDown", "--limit-seconds", "10")
        told, _ = process.communicate(timeout=120)
    finally:
        file.write_text(before)
        reload_rules(stack)
    assert process.returncode == 1
    assert "did not fire within 10 s" in told
    assert is_whole(stack)


def reload_rules(stack: NativeStack) -> None:
    stack.running.process("prometheus").send_signal(signal.SIGHUP)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_whatever_ends_the_drill_nothing_stays_behind(stack: NativeStack, number: signal.Signals) -> None:
    before = expressions(stack)
    process = drill(stack, "HighErrorRate", "HighMemoryUsage", "WorkerDown")
    wait_until(lambda: stopped(stack) == ["worker"] and faults_on(stack, stack.running.api), "all is broken")
    process.send_signal(number)
    told, progress = process.communicate(timeout=60)
    if number is signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert process.returncode == 130
        assert "Interrupted; putting everything back." in progress
        assert "interrupted" in told
        assert is_whole(stack)
    wait_until(lambda: is_whole(stack) and expressions(stack) == before, "nothing is broken any more")
