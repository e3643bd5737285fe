"""Shows drift for real: players change their habits, that is noticed, alerted, delivered, and over again.

    python -m benchmarks.drift_demo                                  # all four scenarios: `make demo-drift`
    python -m benchmarks.drift_demo drift-types --window-seconds 60

Starts the native stack with its waiting sixty times shorter and windows of some seconds, and lets the client play
``players``; declares them normal, and plays on: nothing may be told. Then each scenario is played until its alert was
delivered and a report on it is written, and players again until that is told to be over. Prints when each thing was
first seen. Ends with status 1 where normal players raised an alert, or a scenario was not detected by a check whose
windows end within two of when it began, not delivered, not confirmed by the report, or not over.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from api_pokemon.traffic.players import DRIFTS
from tests.stack.native_stack import NativeStack

_COMMAND = (sys.executable, "-m", "api_pokemon")
_RATE = 60
_MOST_WINDOWS = 2.0
_PATIENCE_WINDOWS = 8
_SCENARIOS = tuple(f"drift-{name}" for name in DRIFTS)
_ALERTS = ("DataDriftDetected", "PredictionDriftDetected")


class Demonstration:
    """The stack, and what is seen of it.

    Parameters
    ----------
    stack
        Running.
    window_seconds
        Length of its windows.
    """

    def __init__(self, stack: NativeStack, window_seconds: int) -> None:
        self._stack = stack
        self._window_seconds = window_seconds
        self._seed = 0

    @contextlib.contextmanager
    def playing(self, scenario: str) -> Iterator[None]:
        """Let a client play, with questions of its own each time."""
        self._seed += 1
        words = ["traffic", "--scenario", scenario, "--rate", str(_RATE), "--requests", "1000000"]
        client = subprocess.Popen(
            [*_COMMAND, *words, "--seed", str(self._seed), "--url", self._stack.url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            client.terminate()
            client.wait()

    def told(self, *words: str) -> Any:
        """What a command prints as JSON."""
        environment = {**os.environ, **self._stack._environment()}
        command = [*_COMMAND, "drift", *words, "--json"]
        return json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)

    def deliveries(self, since: float) -> list[tuple[str, str]]:
        """(alert, status) of what was delivered about drift since a time."""
        with urlopen(f"http://127.0.0.1:{self._stack.ports['deliveries']}/deliveries", timeout=10) as answer:
            found = json.load(answer)
        new = [each for each in found if each["received_at_seconds"] >= since and each["alert"] in _ALERTS]
        return [(each["alert"], each["status"]) for each in new]

    def learn(self) -> None:
        """Let players play for four windows, and declare that normal."""
        with self.playing("players"):
            time.sleep(4 * self._window_seconds + 5)
            now = time.time()
            stretch = ("--from", str(now - 4 * self._window_seconds), "--to", str(now))
            (reference,) = self.told("reference", "use-window", *stretch, "--reason", "players, as they are")
        print(f"reference: {reference['rows']:,} predictions of players", flush=True)

    def leave_in_peace(self, windows: int) -> bool:
        """Let players play on; whether nothing was told."""
        with self.playing("players"):
            time.sleep(3 * self._window_seconds)  # until what was told of the provisional reference is over
            since = time.time()
            time.sleep(windows * self._window_seconds)
            told = [alert for alert, status in self.deliveries(since) if status == "firing"]
        print(f"players, {windows} windows: {', '.join(told) or 'nothing is told'}", flush=True)
        return not told

    def show(self, scenario: str) -> bool:
        """Play a scenario until it is told and explained, and players until that is over; whether all came in time."""
        began = time.time()
        with self.playing(scenario):
            check = self._first_check_that_detects()
            windows = (check["to_seconds"] - began) / self._window_seconds
            in_time = _detects(check) and windows <= _MOST_WINDOWS
            delivered = self._wait(lambda: any(status == "firing" for _, status in self.deliveries(began)))
            explained = self._explain()
        alerts = sorted({alert for alert, _ in self.deliveries(began)})
        over_from = time.time()
        with self.playing("players"):
            over = self._wait(lambda: self._is_over(began))
            time.sleep(max(over_from + 2.5 * self._window_seconds - time.time(), 0))  # no window sees it any more
        print(
            f"{scenario}: {'detected' if in_time else 'not detected in time, but'} after {windows:.1f} windows, "
            f"{', '.join(alerts) or 'no alert'} delivered after {_since(delivered, began)}, over "
            f"{_since(over, over_from)} after players were back; {explained}",
            flush=True,
        )
        return in_time and None not in (delivered, explained, over)

    def _first_check_that_detects(self) -> Any:
        """The last one where none does in the time of some windows."""
        deadline = time.time() + _PATIENCE_WINDOWS * self._window_seconds
        while True:
            (check,) = self.told("status")
            if _detects(check) or time.time() > deadline:
                return check
            time.sleep(0.5)

    def _is_over(self, since: float) -> bool:
        last = dict(self.deliveries(since))
        return bool(last) and set(last.values()) == {"resolved"}

    def _explain(self) -> str | None:
        """What a report says of the fields that are furthest from the reference; None where it does not see drift."""
        report = self.told("report")
        drifting = [field for field in report["fields"] if field["verdict"] == "drift"]
        confirmed = [field["name"] for field in drifting if field["evidently_drift"]]
        if report["verdict"] != "drift" or not confirmed:
            return None
        furthest = sorted(drifting, key=lambda field: -field["statistic"])[:3]
        shown = ", ".join(f"{field['name']} {field['statistic']:.2f}" for field in furthest)
        return f"the report: {len(drifting)} fields drift, of which Evidently sees {len(confirmed)}; {shown}"

    def _wait(self, condition: Callable[[], bool]) -> float | None:
        """When it came true; None where it did not in the time of some windows."""
        deadline = time.time() + _PATIENCE_WINDOWS * self._window_seconds
        while time.time() < deadline:
            if condition():
                return time.time()
            time.sleep(1)
        return None


def _detects(check: Any) -> bool:
    return any(group["verdict"] == group["verdict_before"] == "drift" for group in check["groups"])


def _since(moment: float | None, began: float) -> str:
    return "never" if moment is None else f"{moment - began:.0f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"default: {', '.join(_SCENARIOS)}")
    parser.add_argument("--window-seconds", type=int, default=30)
    parser.add_argument("--peaceful-windows", type=int, default=10, help="of players, before the first scenario")
    options = parser.parse_args()
    settings = {
        "API_POKEMON_DRIFT_WINDOW_SECONDS": str(options.window_seconds),
        "API_POKEMON_DRIFT_CHECK_SECONDS": "5",
    }
    with tempfile.TemporaryDirectory(prefix="drift-") as folder, NativeStack(Path(folder), settings=settings) as stack:
        print(f"windows of {options.window_seconds} s, {_RATE} predictions per second", flush=True)
        demonstration = Demonstration(stack, options.window_seconds)
        demonstration.learn()
        went_well = [demonstration.leave_in_peace(options.peaceful_windows)]
        went_well += [demonstration.show(scenario) for scenario in options.scenarios or _SCENARIOS]
    return 0 if all(went_well) else 1


if __name__ == "__main__":
    sys.exit(main())
