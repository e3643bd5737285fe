"""Schemathesis against services that run: who asks, what is asked, and what came of it."""

import json
import subprocess
import sys
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SETTINGS = Path(__file__).with_name("schemathesis.toml")


@dataclass
class Tally:
    """How many cases each operation got, by the status that it answered."""

    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    @property
    def cases(self) -> int:
        return sum(map(Counter.total, self.statuses.values()))

    def add(self, events: Path) -> None:
        """Count what a run of Schemathesis has written down."""
        for line in events.read_text().splitlines():
            scenario = json.loads(line).get("ScenarioFinished")
            if scenario:
                self._add_scenario(scenario["recorder"])

    def _add_scenario(self, recorder: Mapping[str, Any]) -> None:
        for number, interaction in recorder.get("interactions", {}).items():
            case = recorder["cases"][number]["value"]
            response = interaction["response"]
            self.statuses[f"{case['method']} {case['path']}"][response["status_code"] if response else 0] += 1


@dataclass(frozen=True)
class Target:
    """A service, as one kind of caller sees it.

    Parameters
    ----------
    name
        Of the caller, for people.
    document_url
        Where the OpenAPI document is.
    headers
        What the caller sends with each request.
    options
        More words for Schemathesis.
    """

    name: str
    document_url: str
    headers: Mapping[str, str]
    options: Sequence[str] = ()


def operations_of(document_url: str) -> list[str]:
    """Each operation of an OpenAPI document, as a tally names it."""
    with urllib.request.urlopen(document_url) as answer:
        document = json.load(answer)
    return [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]


def run(target: Target, tally: Tally, folder: Path, *, examples: int, seed: int) -> str:
    """Send some hundreds of cases, at most so many made-up ones an operation; returns what is wrong, or nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    events = folder / "events.ndjson"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS)),
        *("run", target.document_url, "--seed", str(seed), "--max-examples", str(examples), "--no-color"),
        *("--report", "ndjson", "--report-ndjson-path", str(events)),
        *(word for name, value in target.headers.items() for word in ("--header", f"{name}: {value}")),
        *target.options,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if events.exists():
        tally.add(events)
    if done.returncode == 0:
        return ""
    report = done.stdout + done.stderr
    return report[max(report.find("FAILURES"), report.find("ERRORS"), 0) :]
