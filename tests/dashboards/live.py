"""The native stack, looked at while it is empty, then while the client plays traffic whose numbers are known."""

import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
from numpy.typing import NDArray

from api_pokemon.routes.keys import digest_of
from api_pokemon.stack import Pace, PrometheusClient
from api_pokemon.stack.configuration import seconds_of
from tests.dashboards.grafana import Grafana
from tests.integration.deployment import API_POKEMON
from tests.servers import RedisServer, wait_until
from tests.stack.native_stack import NativeStack

SPEEDUP = 10
SCRAPE_SECONDS = seconds_of(Pace(SPEEDUP).scaled("10s", "scrape_interval"))
QUIET_SECONDS = 4 * SCRAPE_SECONDS + 0.5  # a rate looks back over four scrapes
PANEL_MINUTE_SECONDS = 60 / SPEEDUP
FAILING = 0.1

_KEY = "a key of this test"
_SETTINGS = {
    "API_POKEMON_FAULTS": "true",
    "API_POKEMON_ADMIN_KEYS": digest_of(_KEY).hex(),
    "API_POKEMON_ANONYMOUS_PREDICT": "true",
    "API_POKEMON_DRIFT_CHECK_SECONDS": "5",
    "API_POKEMON_DRIFT_WINDOW_SECONDS": "10",
}


class Answers(NamedTuple):
    """What the client counted."""

    good: int
    failed: int


@dataclass(frozen=True)
class Seen:
    """Three looks, and the truth.

    Parameters
    ----------
    empty
        Before the first request.
    busy
        Until the last answer.
    whole
        From before the traffic until no rate looks back to it.
    before
        What was answered before the traffic: a counter near 0 is no rule, for Prometheus never extrapolates it below.
    played
        The traffic.
    ids, probabilities
        What the prediction log has of it.
    """

    empty: Grafana
    busy: Grafana
    whole: Grafana
    before: Answers
    played: Answers
    ids: list[str]
    probabilities: NDArray[np.float64]


@contextmanager
def watched(folder: Path) -> Iterator[Seen]:
    """Run it all; what was seen can be looked at as long as it runs."""
    with (
        RedisServer(folder / "redis") as redis,
        NativeStack(
            folder / "stack", speedup=SPEEDUP, settings={**_SETTINGS, "API_POKEMON_STREAM_URL": redis.url}
        ) as stack,
        closing(stack.prometheus) as prometheus,
    ):
        wait_until(lambda: prometheus.value("count(up == 1)") == 5, "all is scraped")
        wait_until(lambda: prometheus.query("instance:system_memory_usage:ratio"), "the rules are at work")
        yield _watch(stack, prometheus)


def _watch(stack: NativeStack, prometheus: PrometheusClient) -> Seen:
    def look(since: float) -> Grafana:
        return Grafana(prometheus, SCRAPE_SECONDS, SPEEDUP, since, time.time())

    began = time.time()
    time.sleep(QUIET_SECONDS)
    empty = look(began)
    _fail(stack, FAILING)
    before = _play(stack, 200, per_second=0)
    _wait_until_counted(prometheus, before.good)
    wait_until(lambda: prometheus.query("drift_window_rows"), "drift is checked", seconds=60)
    time.sleep(PANEL_MINUTE_SECONDS + SCRAPE_SECONDS)  # what a panel of whole minutes looks back
    began = time.time()
    played = _play(stack, 600, per_second=100)
    busy = look(began)
    _wait_until_counted(prometheus, before.good + played.good)
    time.sleep(QUIET_SECONDS)
    time.sleep(PANEL_MINUTE_SECONDS - time.time() % PANEL_MINUTE_SECONDS)  # to the end of what such a panel shows
    whole = look(began)
    wait_until(lambda: len(_logged(stack, 0)) == before.good + played.good, "all predictions are logged")
    ids, probabilities = zip(*_logged(stack, began), strict=True)
    return Seen(empty, busy, whole, before, played, list(ids), np.array(probabilities))


def _wait_until_counted(prometheus: PrometheusClient, predictions: int) -> None:
    counted = "sum(model_predictions_total)"
    wait_until(lambda: prometheus.value(counted) == predictions, "all predictions are scraped", seconds=10)


def _fail(stack: NativeStack, share: float) -> None:
    """Let a share of the predictions fail."""
    parameters = {"level": share, "seconds": 120}
    answer = httpx.put(f"{stack.url}/faults/failing-handler", params=parameters, headers={"X-API-Key": _KEY})
    assert answer.is_success, answer.text


def _play(stack: NativeStack, requests: int, *, per_second: float) -> Answers:
    """Run the client that people run; return what it tells."""
    options = ["--url", stack.url, "--requests", str(requests), "--rate", str(per_second)]
    command = [*API_POKEMON, "traffic", *options]
    told = subprocess.run(command, cwd=stack.data_dir, capture_output=True, text=True, check=True).stdout
    counted = dict(re.findall(r"^(\d{3}) .+? (\d+) \(", told, re.MULTILINE))
    answers = Answers(int(counted["200"]), int(counted["500"]))
    assert sum(answers) == requests, told
    return answers


def _logged(stack: NativeStack, since: float) -> list[tuple[str, float]]:
    with closing(sqlite3.connect(stack.data_dir / "log.sqlite")) as file:
        return list(file.execute("select id, probability from predictions where made_at > ?", (since,)))
