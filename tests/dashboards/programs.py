"""Prometheus and node-exporter, natively, as servers of a test's own."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.dashboards.exported import PROMETHEUS
from tests.servers import Server, program_path


class NodeExporter(Server):
    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        return [program_path("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{self.port}"]

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/metrics").is_success
        return False

    def metrics(self) -> str:
        return httpx.get(f"{self.url}/metrics").text


class Prometheus(Server):
    """A Prometheus with the configuration and the rules of the stack, at another pace and with targets of this machine.

    Parameters
    ----------
    targets
        Addresses by job.
    interval_seconds
        Between two scrapes, and between two evaluations of a rule.
    """

    def __init__(self, folder: Path, targets: Mapping[str, list[str]], interval_seconds: int) -> None:
        super().__init__(folder)
        self._targets = targets
        self._interval_seconds = interval_seconds

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def launch(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(self._configuration()))
        super().launch()

    def _configuration(self) -> dict[str, Any]:
        configuration: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        pace = f"{self._interval_seconds}s"
        configuration["global"] |= {"scrape_interval": pace, "scrape_timeout": pace, "evaluation_interval": pace}
        configuration["rule_files"] = [str(PROMETHEUS / name) for name in configuration["rule_files"]]
        del configuration["alerting"]
        configuration["scrape_configs"] = [
            {"job_name": job, "static_configs": [{"targets": targets}]} for job, targets in self._targets.items()
        ]
        return configuration

    def _command(self) -> list[str]:
        return [
            program_path("prometheus"),
            "--config.file=prometheus.yml",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--storage.tsdb.path=data",
            "--enable-feature=exemplar-storage",
        ]

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/-/ready").is_success
        return False

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API; an error is one of the test."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", (answer, parameters)
        return answer["data"]
