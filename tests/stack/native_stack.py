"""The whole native stack as tests start it: `api-pokemon stack`, sixty times as fast as written."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from api_pokemon.errors import StartError
from api_pokemon.stack import (
    AlertmanagerClient,
    PrometheusClient,
    RunningStack,
    need_running_stack,
    running_stack,
)
from api_pokemon.stack.programs import find_programs
from tests.needs import needs
from tests.servers import Server, free_port

SPEEDUP = 60


def needs_programs() -> None:
    """Skip the test where Prometheus or one of its companions is missing."""
    try:
        find_programs()
    except StartError as error:
        needs(None, f"{error} (see scripts/prepare_tests)")


class NativeStack(Server):
    """`api-pokemon stack` on ports of its own.

    Parameters
    ----------
    folder
        For all that it writes.
    speedup
        By how much all waiting is shorter.
    settings
        More variables of its environment.
    options
        More words of its command line.
    """

    stop_signal = signal.SIGINT

    def __init__(
        self,
        folder: Path,
        *,
        speedup: float = SPEEDUP,
        settings: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        super().__init__(folder)
        self.data_dir = folder / "data"
        self._settings = settings or {}
        names = ("prometheus", "alertmanager", "node-exporter", "deliveries")
        self.ports = {name: free_port() for name in names}
        self._options = (
            *(word for name, port in self.ports.items() for word in (f"--{name}-port", str(port))),
            *("--speedup", str(speedup)),
            *options,
        )

    @property
    def url(self) -> str:
        """Of the API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> RunningStack:
        return need_running_stack(self.data_dir)

    @property
    def prometheus(self) -> PrometheusClient:
        return PrometheusClient(f"http://127.0.0.1:{self.ports['prometheus']}")

    @property
    def alertmanager(self) -> AlertmanagerClient:
        return AlertmanagerClient(f"http://127.0.0.1:{self.ports['alertmanager']}")

    @property
    def output(self) -> str:
        """What it has written to the terminal."""
        return (self.folder / "log").read_text()

    def _command(self) -> list[str]:
        needs_programs()
        return [sys.executable, "-m", "api_pokemon", "stack", *self._options]

    def _environment(self) -> Mapping[str, str]:
        return {
            "API_POKEMON_PORT": str(self.port),
            "API_POKEMON_WORKER_PORT": str(free_port()),
            "API_POKEMON_DATA_DIR": str(self.data_dir),
            "API_POKEMON_TABLEBASE": "false",
            "PYTHONUNBUFFERED": "1",
            **self._settings,
        }

    def _answers(self) -> bool:
        """Once it has said that all is up."""
        return running_stack(self.data_dir) is not None and "is up, and watched" in self.output
