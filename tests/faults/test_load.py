"""With true processes, which are gone when they shall be."""

import os
import subprocess
import sys

import psutil
import pytest

from api_pokemon.errors import ImpossibleFaultError
from api_pokemon.faults.load import CpuBurn, MemoryPressure
from api_pokemon.monitoring.cgroup import MemoryLimit
from tests.servers import wait_until

MIB = 1 << 20


class Limits:
    def __init__(self, limit: MemoryLimit | None) -> None:
        self.limit = limit

    def memory(self) -> MemoryLimit | None:
        return self.limit


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_every_cpu_is_burnt_at_the_lowest_priority() -> None:
    before = children()
    burn = CpuBurn()
    burn.begin(1.0, 60)
    try:
        burn.begin(1.0, 60)  # goes on
        burners = [child for child in children() if child not in before]
        assert len(burners) == len(os.sched_getaffinity(0))
        wait_until(lambda: all(burner.nice() == 19 for burner in burners), "they give way")
        used = [sum(burner.cpu_times()[:2]) for burner in burners]
        wait_until(lambda: all(sum(b.cpu_times()[:2]) > u for b, u in zip(burners, used, strict=True)), "they burn")
    finally:
        burn.end()
    assert children() == before


def test_memory_is_held_up_to_the_share_of_the_limit() -> None:
    before = children()
    pressure = MemoryPressure(Limits(MemoryLimit(used_bytes=100 * MIB, limit_bytes=400 * MIB)))
    pressure.begin(0.5, 60)
    try:
        pressure.begin(0.5, 60)  # goes on
        (holder,) = (child for child in children() if child not in before)
        assert 100 * MIB < holder.memory_info().rss < 150 * MIB
    finally:
        pressure.end()
    assert children() == before


def test_some_memory_is_always_left() -> None:
    before = children()
    pressure = MemoryPressure(Limits(MemoryLimit(used_bytes=40 * MIB, limit_bytes=160 * MIB)))
    pressure.begin(0.95, 60)
    try:
        (holder,) = (child for child in children() if child not in before)
        assert holder.memory_info().rss < 56 * MIB + 40 * MIB
    finally:
        pressure.end()


@pytest.mark.parametrize("limit", [None, MemoryLimit(0, psutil.virtual_memory().total)])
def test_the_memory_of_a_whole_machine_is_left_alone(limit: MemoryLimit | None) -> None:
    before = children()
    with pytest.raises(ImpossibleFaultError, match="No control group limits the memory"):
        MemoryPressure(Limits(limit)).begin(0.9, 60)
    assert children() == before


def test_they_end_with_the_process_that_started_them() -> None:
    program = (
        "from api_pokemon.faults.load import CpuBurn; b = CpuBurn(); b.begin(1.0, 60); print('on', flush=True); input()"
    )
    command = (sys.executable, "-c", program)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as service:
        assert service.stdout
        service.stdout.readline()
        burners = psutil.Process(service.pid).children()
        assert burners
        service.kill()
    wait_until(lambda: not any(burner.is_running() for burner in burners), "the burners are gone")
