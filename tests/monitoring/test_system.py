from pathlib import Path
from threading import Event, active_count

import psutil
import pytest
from prometheus_client import CollectorRegistry

from api_pokemon.monitoring import Cgroup, SystemMetrics, SystemProbe
from api_pokemon.monitoring.system import SystemSample

NAMES = ("system_cpu_usage_percent", "system_memory_usage_bytes", "system_memory_available_bytes")


@pytest.fixture
def group(tmp_path: Path):
    """A container of two CPUs and 1,000 bytes; call it to set what it has used."""
    (tmp_path / "self").write_text("0::/\n")

    def use(cpu_seconds: float, memory_bytes: int, quota: str = "200000 100000") -> Cgroup:
        (tmp_path / "cpu.max").write_text(quota)
        (tmp_path / "cpu.stat").write_text(f"usage_usec {cpu_seconds * 1e6:.0f}")
        (tmp_path / "memory.max").write_text("1000")
        (tmp_path / "memory.current").write_text(str(memory_bytes))
        return Cgroup(tmp_path, tmp_path / "self")

    return use


def test_cpu_is_a_share_of_what_is_allowed_since_the_last_reading(group, clock) -> None:
    probe = SystemProbe(group(10.0, 300), clock)
    assert probe.read() is None
    clock.now += 5
    group(14.0, 400)
    assert probe.read() == SystemSample(40.0, 400, 600)
    clock.now += 5
    group(14.5, 1200)
    assert probe.read() == SystemSample(5.0, 1200, 0)


def test_a_burst_above_the_quota_is_a_hundred_percent(group, clock) -> None:
    probe = SystemProbe(group(0, 0), clock)
    probe.read()
    clock.now += 1
    group(2.5, 0)
    assert probe.read() == SystemSample(100.0, 0, 1000)


def test_a_changed_quota_starts_anew(group, clock) -> None:
    probe = SystemProbe(group(10.0, 300), clock)
    probe.read()
    clock.now += 5
    group(11.0, 300, quota="100000 100000")
    assert probe.read() is None
    clock.now += 5
    group(12.0, 300, quota="100000 100000")
    assert probe.read() == SystemSample(20.0, 300, 700)


def test_a_limit_beyond_the_host_limits_nothing(group, tmp_path: Path, clock) -> None:
    probe = SystemProbe(group(0, 1), clock)
    probe.read()
    clock.now += 1
    (tmp_path / "memory.max").write_text(str(psutil.virtual_memory().total))
    sample = probe.read()
    assert sample is not None
    assert sample.memory_usage_bytes > 1_000_000


def test_the_host_is_read_where_nothing_limits(tmp_path: Path, clock) -> None:
    probe = SystemProbe(Cgroup(tmp_path, tmp_path / "none"), clock)
    probe.read()
    clock.now += 1
    sample = probe.read()
    assert sample is not None
    total = psutil.virtual_memory().total
    assert 0 <= sample.cpu_usage_percent <= 100
    assert 0 < sample.memory_usage_bytes < total
    assert sample.memory_usage_bytes + sample.memory_available_bytes == total


class CountedProbe(SystemProbe):
    """Tells the same every time, and when it has been asked often enough."""

    def __init__(self, enough: int) -> None:
        self.readings = 0
        self.enough = enough
        self.done = Event()

    def read(self) -> SystemSample | None:
        self.readings += 1
        if self.readings > self.enough:
            self.done.set()
        return SystemSample(1.0, 2.0, 3.0)


def test_a_thread_samples_until_it_is_stopped(registry: CollectorRegistry) -> None:
    threads = active_count()
    probe = CountedProbe(enough=3)
    metrics = SystemMetrics(registry, interval_seconds=0.001, probe=probe)
    assert [registry.get_sample_value(name) for name in NAMES] == [None, None, None]
    metrics.start()
    metrics.start()
    assert active_count() == threads + 1
    assert probe.done.wait(timeout=30)
    assert [registry.get_sample_value(name) for name in NAMES] == [1.0, 2.0, 3.0]
    metrics.stop()
    metrics.stop()
    readings = probe.readings
    assert active_count() == threads
    assert [registry.get_sample_value(name) for name in NAMES] == [None, None, None]
    assert probe.readings == readings


def test_it_can_be_started_again(registry: CollectorRegistry) -> None:
    probe = CountedProbe(enough=1)
    metrics = SystemMetrics(registry, interval_seconds=0.001, probe=probe)
    for _ in range(2):
        probe.done.clear()
        metrics.start()
        assert probe.done.wait(timeout=30)
        metrics.stop()
