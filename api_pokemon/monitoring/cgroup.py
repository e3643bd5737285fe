"""What the kernel allows this process: the limits of its control groups, version 2 or 1."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_NO_LIMIT_BYTES = 1 << 62  # version 1 writes "no limit" as the largest page-aligned number


class CpuLimit(NamedTuple):
    """CPU time used so far, in seconds, and how many CPUs may be used at once."""

    used_seconds: float
    cpus: float


class MemoryLimit(NamedTuple):
    """Memory in use, without the file cache that the kernel would rather drop, and the most that may be in use."""

    used_bytes: int
    limit_bytes: int


class Cgroup:
    """Reads the tightest limits above this process.

    A limit may sit on the process's own group or on any above it, and the nearest need not be the tightest. Within a
    container the kernel may name a group by its path outside; then only the root of the mount can be read, and that is
    the container's own group.

    Parameters
    ----------
    mount
        Where the control groups are mounted.
    membership
        The file that tells which groups the process is in.
    """

    def __init__(self, mount: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> None:
        self._mount = mount
        self._membership = membership

    def cpu(self) -> CpuLimit | None:
        """Return the tightest CPU quota with the use of its group, or None if there is no quota."""
        limits = [_cpu_v2(group) for group in self._groups("")]
        limits += [_cpu_v1(group, self._beside(group, "cpu", "cpuacct")) for group in self._groups("cpu")]
        return min((limit for limit in limits if limit), key=lambda limit: limit.cpus, default=None)

    def memory(self) -> MemoryLimit | None:
        """Return the memory limit with the least room left, or None if there is no limit."""
        limits = [_memory(group, "memory.current", "memory.max", "inactive_file") for group in self._groups("")]
        limits += [
            _memory(group, "memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file")
            for group in self._groups("memory")
        ]
        return min(
            (limit for limit in limits if limit), key=lambda limit: limit.limit_bytes - limit.used_bytes, default=None
        )

    def _groups(self, controller: str) -> Iterator[Path]:
        """Yield the folders from the process's group up to the root; the controller of version 2 has no name."""
        for line in _text(self._membership).splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                root = self._mount / controller
                own = root / path.lstrip("/")
                yield from (group for group in (own, *own.parents) if group.is_relative_to(root) and group.is_dir())

    def _beside(self, group: Path, controller: str, other: str) -> Path:
        return self._mount / other / group.relative_to(self._mount / controller)


def _cpu_v2(group: Path) -> CpuLimit | None:
    quota, _, period = _text(group / "cpu.max").partition(" ")
    used = _stat(group / "cpu.stat", "usage_usec")
    if used is None or not (quota.isdecimal() and period.strip().isdecimal()):
        return None
    return CpuLimit(used / 1e6, int(quota) / int(period))


def _cpu_v1(group: Path, accounting: Path) -> CpuLimit | None:
    quota = _number(group / "cpu.cfs_quota_us")
    period = _number(group / "cpu.cfs_period_us")
    used = _number(accounting / "cpuacct.usage")
    if quota is None or not period or used is None:
        return None
    return CpuLimit(used / 1e9, quota / period)


def _memory(group: Path, usage_file: str, limit_file: str, cache: str) -> MemoryLimit | None:
    limit = _number(group / limit_file)
    used = _number(group / usage_file)
    if limit is None or used is None or limit >= _NO_LIMIT_BYTES:
        return None
    reclaimable = _stat(group / "memory.stat", cache) or 0
    return MemoryLimit(max(0, used - reclaimable), limit)


def _text(file: Path) -> str:
    """Return what the file says, nothing if it is not there: which files there are is how the kernel tells limits."""
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _number(file: Path) -> int | None:
    """Return the natural number in the file; None for ``max``, ``-1`` and no file."""
    text = _text(file)
    return int(text) if text.isdecimal() else None


def _stat(file: Path, key: str) -> int | None:
    for line in _text(file).splitlines():
        name, _, value = line.partition(" ")
        if name == key and value.isdecimal():
            return int(value)
    return None
