"""What is left where watchdogs are killed, too, is put right by the next drill."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from api_pokemon.errors import StartError
from api_pokemon.stack import RunningStack
from api_pokemon.stack.configuration import Pace, write_prometheus
from api_pokemon.stack.drill.mending import mend
from api_pokemon.stack.drill.site import Native
from api_pokemon.stack.drill.watchdog import lower_threshold, stop_process
from api_pokemon.stack.running import announced, holding
from tests.servers import wait_until

PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGHUP, lambda *_: print('read', flush=True)); print('up', flush=True)\n"
    "while True: signal.pause()"
)


@pytest.fixture
def native(tmp_path: Path) -> Native:
    """As if this process were a stack."""
    began_seconds = psutil.Process().create_time()
    write_prometheus(tmp_path, {}, pace=Pace(60))
    return Native(RunningStack(os.getpid(), began_seconds, 60, *[""] * 7), tmp_path)


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Iterator["subprocess.Popen[str]"]:
    """One of its programs, by its name."""
    command = [sys.executable, "-c", PROGRAM, request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        yield process
        process.kill()


def kill_watchdogs() -> None:
    watchdogs = [
        child for child in psutil.Process().children() if "api_pokemon.stack.drill.watchdog" in child.cmdline()
    ]
    assert watchdogs
    for watchdog in watchdogs:
        watchdog.kill()


@pytest.mark.parametrize("program", ["worker"], indirect=True)
def test_a_process_that_was_left_stopped_goes_on(native: Native, program: "subprocess.Popen[str]") -> None:
    process = psutil.Process(program.pid)
    stopped = stop_process(process)
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "it is stopped")
    kill_watchdogs()
    stopped.undo()
    assert process.status() == psutil.STATUS_STOPPED
    assert mend(native) == ["worker was left stopped, and goes on"]
    wait_until(lambda: process.status() != psutil.STATUS_STOPPED, "it goes on")
    assert mend(native) == []


@pytest.mark.parametrize("program", ["prometheus"], indirect=True)
def test_a_threshold_that_was_left_lowered_is_as_written(native: Native, program: "subprocess.Popen[str]") -> None:
    files = ("alerts.yml", "mlops_alerts.yml")
    before = [(native.rules_folder / file).read_text() for file in files]
    for file, alert in zip(files, ("LowMemoryAvailable", "OutboxNearlyFull"), strict=True):
        lowered = lower_threshold(native.rules_folder / file, alert, psutil.Process(program.pid))
        kill_watchdogs()
        lowered.undo()
    assert all((native.rules_folder / file).read_text() != text for file, text in zip(files, before, strict=True))
    assert mend(native) == [
        f"the threshold of {alert} was left lowered, and is as written"
        for alert in ("LowMemoryAvailable", "OutboxNearlyFull")
    ]
    assert [(native.rules_folder / file).read_text() for file in files] == before
    assert program.stdout
    assert program.stdout.readline() == "read\n"
    assert mend(native) == []


def test_a_stack_is_drilled_once_at_a_time(native: Native, tmp_path: Path) -> None:
    with announced(native.running, tmp_path):
        refused = pytest.raises(StartError, match="is being drilled already")
        with holding(tmp_path), refused, holding(tmp_path):
            pass
        with holding(tmp_path):
            pass


def test_a_rule_that_is_not_there_is_left_alone(native: Native) -> None:
    for file in ("alerts.yml", "mlops_alerts.yml"):
        (native.rules_folder / file).write_text("groups: []")
    assert mend(native) == []
