"""Processes that use up CPU or memory, and end with the one that started them."""

import os
import subprocess
import sys
from contextlib import suppress
from typing import Protocol

import psutil

from api_pokemon.errors import ImpossibleFaultError
from api_pokemon.monitoring.cgroup import MemoryLimit

_FOLLOW = "from api_pokemon.lifeline import follow_parent; follow_parent(0)"
_BURN = f"import os; {_FOLLOW}; os.nice(19)\nwhile True: pass"
_HOLD = f"""
import signal, sys
from pathlib import Path
{_FOLLOW}
Path("/proc/self/oom_score_adj").write_text("1000")  # if memory runs out all the same, it is this process that goes
block = bytearray(b"\\1") * int(sys.argv[1])  # written, or it would not be in use
print("held", flush=True)
signal.pause()
"""

_LEFT_BYTES = 64 << 20
"""So much stays free at least, or the service itself might be short of memory."""


class MemoryLimits(Protocol):
    """Tells what the kernel allows, as :class:`~api_pokemon.monitoring.Cgroup` does."""

    def memory(self) -> MemoryLimit | None: ...


class CpuBurn:
    """Keeps every CPU that this process may use busy, giving way to all who need one."""

    def __init__(self) -> None:
        self._burners: list[subprocess.Popen[bytes]] = []

    def begin(self, level: float, seconds: float) -> None:
        if not self._burners:
            self._burners = [_start(_BURN) for _ in os.sched_getaffinity(0)]

    def end(self) -> None:
        burners, self._burners = self._burners, []
        for burner in burners:
            _end(burner)


class MemoryPressure:
    """Holds memory until a share of the limit is in use.

    Parameters
    ----------
    limits
        Of this process. Where there are none it is refused: the memory of a whole machine belongs to others, too.
    """

    def __init__(self, limits: MemoryLimits) -> None:
        self._limits = limits
        self._holder: subprocess.Popen[bytes] | None = None
        self._held = 0.0

    def begin(self, level: float, seconds: float) -> None:
        if self._holder is not None and level == self._held:
            return
        self.end()
        limit = self._limits.memory()
        if limit is None or limit.limit_bytes >= psutil.virtual_memory().total:
            raise ImpossibleFaultError(
                "No control group limits the memory of this process, and filling the whole machine could harm others. "
                "Run the service with a memory limit."
            )
        wanted = min(int(level * limit.limit_bytes), limit.limit_bytes - _LEFT_BYTES) - limit.used_bytes
        if wanted > 0:
            self._holder = _start(_HOLD, str(wanted))
            self._held = level
            if self._holder.stdout is None or not self._holder.stdout.readline():
                self.end()
                raise ImpossibleFaultError(f"{wanted:,} bytes could not be had.")

    def end(self) -> None:
        holder, self._holder = self._holder, None
        if holder is not None:
            _end(holder)


def _start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (sys.executable, "-c", program, *arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()
    process.wait()
