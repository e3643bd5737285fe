"""A small disk, which can be full."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_BLOCK_BYTES = 1 << 20


def may_mount() -> bool:
    """Whether this process may do so where it stays its own affair."""
    return os.geteuid() == 0 and shutil.which("unshare") is not None


class Disk:
    """A file system in memory.

    Parameters
    ----------
    folder
        Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    @contextlib.contextmanager
    def mounted(self, megabytes: int) -> Iterator["Disk"]:
        self.folder.mkdir(parents=True, exist_ok=True)
        owner = self.folder.stat()
        options = f"size={megabytes}m,mode=755,uid={owner.st_uid},gid={owner.st_gid}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "chaos", str(self.folder)], check=True)
        try:
            yield self
        finally:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self) -> None:
        """Take all space that is left; again where some became free since."""
        file = os.open(self._filler, os.O_WRONLY | os.O_CREAT, 0o644)
        size, block = os.fstat(file).st_size, _BLOCK_BYTES
        while block >= 4096:
            try:
                os.posix_fallocate(file, size, block)
                size += block
            except OSError:
                block //= 2
        os.close(file)

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)
