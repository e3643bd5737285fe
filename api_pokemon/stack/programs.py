"""Prometheus, Alertmanager and node-exporter as programs of this machine."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import httpx

from api_pokemon.errors import StartError
from api_pokemon.supervisor import Child

_PACKAGES = {
    "prometheus": ("prometheus",),
    "prometheus-alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "prometheus-node-exporter": ("prometheus-node-exporter", "node_exporter"),
}
"""What each of Debian's packages is called as a program, there and elsewhere."""


_RESEND_SECONDS = 60.0
"""After which Prometheus tells Alertmanager again, as it would anyway; part of the pace."""


class Program(NamedTuple):
    """A program that is to run.

    Parameters
    ----------
    name
        In messages, and of its log.
    command
        It and its arguments.
    port
        Of 127.0.0.1.
    ready_path
        Answers 200 once it does its work.
    """

    name: str
    command: tuple[str, ...]
    port: int
    ready_path: str

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}{self.ready_path}", timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def child(self, logs: Path, after: str | None = None) -> Child:
        """It as a child of a supervisor; the kernel ends it with us, even if we are killed."""
        return Child(self.name, (*_ended_with_us(), *self.command), after=after, log=logs / f"{self.name}.log")


class Programs(NamedTuple):
    """Where the programs are."""

    prometheus: str
    alertmanager: str
    node_exporter: str


def find_programs() -> Programs:
    """Find the programs.

    Raises
    ------
    StartError
        Naming all that are missing, and how to get them.
    """
    found = {package: _find(names) for package, names in _PACKAGES.items()}
    missing = [package for package, path in found.items() if path is None]
    if missing:
        raise StartError(
            f"Not installed: {', '.join(missing)}. On Debian or Ubuntu: sudo apt-get install {' '.join(missing)} "
            "(where systemd then starts them, stop them, or choose other ports here). Or run the stack in containers."
        )
    return Programs(*(path for path in found.values() if path))


def _find(names: Sequence[str]) -> str | None:
    return next((program for name in names if (program := shutil.which(name))), None)


def prometheus(program: str, configuration: Path, data: Path, port: int, speedup: float = 1.0) -> Program:
    """Prometheus on a configuration, with what it has stored."""
    options = (
        f"--config.file={configuration}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        f"--rules.alert.resend-delay={max(1, round(_RESEND_SECONDS / speedup))}s",
    )
    return Program("prometheus", (program, *options), port, "/-/ready")


def alertmanager(start: Path, secrets: Path, data: Path, port: int) -> Program:
    """Alertmanager by its start script, with the receivers that the secrets switch on.

    Parameters
    ----------
    secrets
        Folder of the files `slack_webhook_url`, `discord_webhook_url` and `alert_webhook_url`, each of which may be
        missing.
    """
    variables = (f"SECRETS_DIR={secrets}", f"RENDERED_DIR={start.parent / 'rendered'}")
    options = (
        f"--storage.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",  # or it looks for others of its kind, on every network
    )
    return Program("alertmanager", ("env", *variables, "sh", str(start), *options), port, "/-/ready")


def node_exporter(program: str, port: int) -> Program:
    """node-exporter, which tells of the machine."""
    return Program("node-exporter", (program, f"--web.listen-address=127.0.0.1:{port}"), port, "/metrics")


def _ended_with_us() -> tuple[str, ...]:
    """Words before a command; none where `setpriv` is missing, as on no Linux distribution that we know."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()
