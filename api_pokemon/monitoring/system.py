"""CPU and memory of what this process may use, sampled in the background."""

from collections.abc import Callable, Iterable
from threading import Event, Thread
from time import monotonic
from typing import NamedTuple

import psutil
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from api_pokemon.monitoring import catalogue
from api_pokemon.monitoring.cgroup import Cgroup, CpuLimit, MemoryLimit

_FIRST_INTERVAL_SECONDS = 0.25


class SystemSample(NamedTuple):
    """One reading; the CPU in percent of what may be used, over the time since the reading before."""

    cpu_usage_percent: float
    memory_usage_bytes: float
    memory_available_bytes: float


class SystemProbe:
    """Reads the control group where it is limited, and the host where it is not.

    CPU use is a difference between two readings, so that no reading ever waits: the first one has nothing to compare
    with, and gives none.

    Parameters
    ----------
    cgroup
        The limits of this process.
    clock
        Any clock that does not go back, in seconds.
    """

    def __init__(self, cgroup: Cgroup | None = None, clock: Callable[[], float] = monotonic) -> None:
        self._cgroup = cgroup or Cgroup()
        self._clock = clock
        self._before: tuple[float, CpuLimit] | None = None

    def read(self) -> SystemSample | None:
        """Return what was used since the last call, or None at the first one or when the limits have changed."""
        now, cpu = self._clock(), self._cgroup.cpu() or _host_cpu()
        before, self._before = self._before, (now, cpu)
        if before is None or before[1].cpus != cpu.cpus or now <= before[0]:
            return None
        percent = 100 * (cpu.used_seconds - before[1].used_seconds) / ((now - before[0]) * cpu.cpus)
        used, limit = self._memory()
        return SystemSample(min(max(percent, 0.0), 100.0), used, max(0, limit - used))

    def _memory(self) -> MemoryLimit:
        host = psutil.virtual_memory()
        limit = self._cgroup.memory()
        if limit is None or limit.limit_bytes >= host.total:
            return MemoryLimit(host.total - host.available, host.total)
        return limit


def _host_cpu() -> CpuLimit:
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # already within user and nice
    return CpuLimit(sum(times) - idle - guests, psutil.cpu_count() or 1)


class SystemMetrics:
    """Shows the latest sample, which a thread of its own takes every few seconds.

    Scrapes and requests never measure anything. The series appear with the first sample, a quarter of a second after
    :meth:`start`, and go away with :meth:`stop`: an old reading is worse than none.

    Parameters
    ----------
    registry
        Where the metrics are exposed.
    interval_seconds
        The time between two samples.
    probe
        What to read.
    """

    def __init__(
        self, registry: CollectorRegistry, interval_seconds: float = 5.0, probe: SystemProbe | None = None
    ) -> None:
        self._interval = interval_seconds
        self._probe = probe or SystemProbe()
        self._sample: SystemSample | None = None
        self._stopping = Event()
        self._thread: Thread | None = None
        registry.register(self)

    def start(self) -> None:
        """Begin to sample; a second call changes nothing."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = Thread(target=self._run, name="system-metrics", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the sampling and wait for the thread, which is at most one reading away."""
        if self._thread is not None:
            self._stopping.set()
            self._thread.join()
            self._thread = None
            self._sample = None

    def describe(self) -> Iterable[Metric]:
        return [spec.gauges() for spec in _SPECS]

    def collect(self) -> Iterable[Metric]:
        sample = self._sample
        for spec, value in zip(_SPECS, sample or (), strict=False):
            family = spec.gauges()
            family.add_metric([], value)
            yield family

    def _run(self) -> None:
        self._probe.read()
        pause = min(_FIRST_INTERVAL_SECONDS, self._interval)
        while not self._stopping.wait(pause):
            self._sample = self._probe.read()
            pause = self._interval


_SPECS = (catalogue.SYSTEM_CPU_USAGE, catalogue.SYSTEM_MEMORY_USAGE, catalogue.SYSTEM_MEMORY_AVAILABLE)
