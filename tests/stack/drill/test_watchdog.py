"""What the drill does to processes and files is undone, also when the drill is killed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from api_pokemon.stack import alert_rules
from api_pokemon.stack.drill.watchdog import Sign, lower_threshold, lowered, stop_process
from tests.servers import wait_until

RULES = """\
groups:
- name: system
  rules:
  - alert: HighMemoryUsage
    expr: instance:system_memory_usage:ratio > 0.85
  - alert: LowMemoryAvailable
    expr: system_memory_available_bytes < 512 * 1024 * 1024
"""
RELOADED = (
    "import signal, sys; signal.signal(signal.SIGHUP, lambda *_: print('read', flush=True)); print('up', flush=True)\n"
)
HOLDER = """
import sys, psutil
from pathlib import Path
from api_pokemon.stack.drill.watchdog import lower_threshold, stop_process
process = psutil.Process(int(sys.argv[1]))
held = [lower_threshold(Path(sys.argv[2]), "HighMemoryUsage", process), stop_process(process)]
print("done", flush=True)
input()
"""


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    """A process that says when it would read its configuration again."""
    program = f"{RELOADED}while True: signal.pause()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        yield process
        process.kill()


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "alerts.yml"
    path.write_text(RULES)
    return path


def expressions(rules: Path) -> list[str]:
    return [rule["expr"] for rule in yaml.safe_load(rules.read_text())["groups"][0]["rules"]]


def is_stopped(process: "subprocess.Popen[str]") -> bool:
    return psutil.Process(process.pid).status() == psutil.STATUS_STOPPED


def test_a_process_is_stopped_until_that_is_undone(process: "subprocess.Popen[str]") -> None:
    stopped = stop_process(psutil.Process(process.pid))
    wait_until(lambda: is_stopped(process), "it is stopped")
    for _ in range(2):
        stopped.undo()
    wait_until(lambda: not is_stopped(process), "it goes on")


def test_thresholds_are_lowered_one_beside_the_other_and_come_back(
    process: "subprocess.Popen[str]", rules: Path
) -> None:
    prometheus = psutil.Process(process.pid)
    usage = lower_threshold(rules, "HighMemoryUsage", prometheus)
    available = lower_threshold(rules, "LowMemoryAvailable", prometheus)
    assert expressions(rules) == ["instance:system_memory_usage:ratio > -Inf", "system_memory_available_bytes < +Inf"]
    usage.undo()
    assert expressions(rules)[1] == "system_memory_available_bytes < +Inf"
    available.undo()
    assert rules.read_text() == RULES
    assert process.stdout
    assert process.stdout.readline() == "read\n"


def test_all_is_undone_when_the_drill_is_killed(process: "subprocess.Popen[str]", rules: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(process.pid), str(rules)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "done\n"
        wait_until(lambda: is_stopped(process), "it is stopped")
        assert rules.read_text() != RULES
        holder.kill()
    wait_until(lambda: not is_stopped(process) and rules.read_text() == RULES, "all is as before")


def test_another_process_of_the_same_number_is_left_alone(process: "subprocess.Popen[str]") -> None:
    sign = Sign.of(psutil.Process(process.pid))
    assert process.stdout
    sign._replace(began_seconds=sign.began_seconds - 60).send(psutil.signal.SIGHUP)
    sign.send(psutil.signal.SIGHUP)
    assert process.stdout.readline() == "read\n"
    process.kill()
    assert process.stdout.read() == ""


@pytest.mark.parametrize("name", ["HighMemoryUsage", "LowMemoryAvailable", "OutboxNearlyFull"])
def test_the_threshold_of_what_may_be_lowered_is_found(name: str) -> None:
    expression = next(rule.expression for rule in alert_rules() if rule.name == name)
    assert lowered(expression).endswith((" > -Inf", " < +Inf"))
    assert lowered(expression)[:-7].strip() == expression.strip().rpartition(lowered(expression)[-6])[0].strip()
