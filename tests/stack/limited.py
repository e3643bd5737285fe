"""A control group with limits, for a process that a test has started, where the kernel lets us make one."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tests.servers import wait_until

_MOUNT = Path("/sys/fs/cgroup")
_PERIOD_MICROSECONDS = 100_000


@contextlib.contextmanager
def limited(pid: int, *, memory_bytes: int, cpus: float) -> Iterator[bool]:
    """Hold a process, and what it starts, to these limits meanwhile; tells whether that could be done."""
    name = f"api-pokemon-test-{os.getpid()}"
    quota = round(cpus * _PERIOD_MICROSECONDS)
    unified = {"memory.max": memory_bytes, "cpu.max": f"{quota} {_PERIOD_MICROSECONDS}"}
    separate = {
        "memory": {"memory.limit_in_bytes": memory_bytes},
        # The shares let it reach its quota on a machine that others keep busy.
        "cpu": {"cpu.cfs_period_us": _PERIOD_MICROSECONDS, "cpu.cfs_quota_us": quota, "cpu.shares": 8192},
        "cpuacct": {},
    }
    is_unified = (_MOUNT / "cgroup.controllers").exists()
    groups = (
        {_MOUNT / name: unified} if is_unified else {_MOUNT / part / name: limits for part, limits in separate.items()}
    )
    with contextlib.ExitStack() as made:
        try:
            for group, limits in groups.items():
                made.enter_context(_group(group))
                for file, value in limits.items():
                    (group / file).write_text(str(value))
            for group in groups:
                (group / "cgroup.procs").write_text(str(pid))
        except OSError:
            yield False
            return
        yield True


@contextlib.contextmanager
def _group(path: Path) -> Iterator[None]:
    path.mkdir()
    try:
        yield
    finally:
        for pid in (path / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (path.parent / "cgroup.procs").write_text(pid)
        wait_until(lambda: _is_removed(path), f"{path} is gone")


def _is_removed(path: Path) -> bool:
    """What has just ended may still be in it."""
    with contextlib.suppress(OSError):
        path.rmdir()
    return not path.exists()
