"""The gateway of several replicas, on ports of this machine."""

import contextlib
import os
import re
import shutil
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tests.needs import needs
from tests.servers import Server, free_port

COMMITTED = Path(__file__).parents[2] / "docker/gateway/haproxy.cfg"


class Gateway(Server):
    """HAProxy as `docker/gateway/haproxy.cfg` has it, but that replicas are found by their ports, and not by name.

    Parameters
    ----------
    folder
        For its files.
    replicas
        The ports of the API processes.
    """

    def __init__(self, folder: Path, replicas: Sequence[int]) -> None:
        super().__init__(folder)
        self._replicas = replicas
        self._health_port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def launch(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "haproxy.cfg").write_text(self._configuration())
        super().launch()

    def _configuration(self) -> str:
        servers = "\n".join(f"    server api-{port} 127.0.0.1:{port}" for port in self._replicas)
        changes = (
            (r"resolvers docker\n(?:    .*\n)+", ""),
            (r" resolvers docker init-addr none", ""),
            (r"    server-template api .*", servers),
            (r"bind :8000", f"bind 127.0.0.1:{self.port}"),
            (r"bind 127\.0\.0\.1:8404", f"bind 127.0.0.1:{self._health_port}"),
        )
        text = COMMITTED.read_text()
        for pattern, replacement in changes:
            text, times = re.subn(pattern, replacement, text)
            assert times == 1, pattern
        return text

    def _command(self) -> list[str]:
        program = shutil.which("haproxy", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
        needs(program, "haproxy (see scripts/prepare_tests)")
        assert program
        return [program, "-db", "-f", str(self.folder / "haproxy.cfg")]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/health/ready", timeout=5):
            return True
        return False
