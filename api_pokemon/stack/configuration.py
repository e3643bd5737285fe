"""The configuration of the monitoring stack: the files under ``docker/``, with the targets and the pace of one place.

What runs natively, and what the tests run, are the very files of the containers, read here, changed in two ways at
most, and written somewhere else.
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from api_pokemon.errors import StartError

DOCKER = Path(__file__).parents[2] / "docker"

_SHORTEST_SCRAPE_SECONDS = 1.5
"""No scrape can take longer, and ScrapeSlow, which judges more than a second, must still be able to fire."""

_FEWEST_SCRAPES = 4

_EACH_SCRAPE = frozenset(("interval", "scrape_interval", "scrape_timeout", "evaluation_interval"))
_ROUTING = frozenset(("group_wait", "group_interval", "repeat_interval", "resolve_timeout"))
_DURATIONS = _EACH_SCRAPE | _ROUTING | {"for", "keep_firing_for", "refresh_interval"}

_OF_THE_SERVICE = frozenset(("api", "worker"))
"""The jobs that scrape the service itself."""

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_DURATION = r"(?:\d+(?:ms|[smhdwy]))+"
_RANGE = re.compile(rf"(\[)({_DURATION})(?=\])")
_OFFSET = re.compile(rf"(\boffset\s+-?)({_DURATION})")


class AlertRule(NamedTuple):
    """An alert as it stands in a file.

    Parameters
    ----------
    group, file
        Where it stands.
    for_seconds
        How long its condition must hold.
    labels, annotations
        As written, with their templates.
    """

    name: str
    group: str
    file: str
    expression: str
    for_seconds: float
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class Pace:
    """Makes all waiting shorter by one factor, so that a drill takes seconds, and changes nothing else.

    Ranges, ``for`` and intervals go together; thresholds stay. Nothing is scraped or judged more often than every
    1.5 s, and a range never holds fewer than four scrapes: a rate needs two, and one may be late.

    Parameters
    ----------
    speedup
        1 leaves all as it is; 60 makes minutes seconds.

    Examples
    --------
    >>> Pace(60).scaled({"expr": "rate(a_total[5m])", "for": "1m", "scrape_interval": "10s"})
    {'expr': 'rate(a_total[6s])', 'for': '1s', 'scrape_interval': '1500ms'}
    >>> Pace(600).expression("rate(a_total[5m] offset 1h) > 0.5")
    'rate(a_total[6s] offset 6s) > 0.5'
    """

    def __init__(self, speedup: float = 1.0) -> None:
        self._speedup = speedup

    def scaled(self, tree: Any, key: str = "") -> Any:
        """The same document with its durations divided."""
        if self._speedup == 1:
            return tree
        match tree:
            case dict():
                return {name: self.scaled(value, name) for name, value in tree.items()}
            case list():
                return [self.scaled(value) for value in tree]
            case str() if key == "expr":
                return self.expression(tree)
            case str() if key in _DURATIONS:
                return _text(self._divided(tree, _SHORTEST_SCRAPE_SECONDS if key in _EACH_SCRAPE else 0.0))
            case _:
                return tree

    def expression(self, text: str) -> str:
        """The same query with its ranges and offsets divided."""
        shortest = _FEWEST_SCRAPES * _SHORTEST_SCRAPE_SECONDS
        text = _RANGE.sub(lambda match: match[1] + _text(self._divided(match[2], shortest)), text)
        return _OFFSET.sub(lambda match: match[1] + _text(self._divided(match[2], 0.0)), text)

    def _divided(self, duration: str, least_seconds: float) -> float:
        """Never longer than it was."""
        seconds = seconds_of(duration)
        return min(seconds, max(seconds / self._speedup, least_seconds))


def seconds_of(duration: str) -> float:
    """
    >>> seconds_of("1m30s"), seconds_of("500ms"), seconds_of("0")
    (90.0, 0.5, 0.0)
    """
    return float(sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(duration)))


def _text(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def read_document(path: Path) -> Any:
    """Read a file of the configuration.

    Raises
    ------
    StartError
        It is not there: the stack needs the repository, and not just the installed package.
    """
    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise StartError(
            f"{path} cannot be read ({error.strerror}). The stack needs a checkout of the repository: run it from one."
        ) from error


def alert_rules(docker: Path = DOCKER) -> list[AlertRule]:
    """Every alert that Prometheus is told to judge, in the order of the files."""
    return [
        AlertRule(
            rule["alert"],
            group["name"],
            file,
            rule["expr"],
            seconds_of(rule.get("for", "0")),
            rule.get("labels", {}),
            rule.get("annotations", {}),
        )
        for file in read_document(docker / "prometheus" / "prometheus.yml")["rule_files"]
        for group in read_document(docker / "prometheus" / file)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]


def write_prometheus(
    folder: Path,
    targets: Mapping[str, Sequence[str]],
    *,
    pace: Pace | None = None,
    metrics_key: Path | None = None,
    docker: Path = DOCKER,
) -> Path:
    """Write Prometheus' configuration and its rules into a folder.

    Parameters
    ----------
    folder
        Made where it is missing.
    targets
        For each job, the addresses (``host:port``) that take the place of those of the containers. A job without any
        is left out. Those of ``alertmanager`` are also told of alerts.
    metrics_key
        File with the key that the service wants to see before it shows metrics, if it does.

    Returns
    -------
    Path
        The main file.
    """
    pace, source = pace or Pace(), docker / "prometheus"
    document = pace.scaled(read_document(source / "prometheus.yml"))
    document["scrape_configs"] = [
        {
            "job_name": job["job_name"],
            **_without_discovery(job),
            "static_configs": _static(targets[job["job_name"]]),
            **(_authorization(metrics_key) if metrics_key and job["job_name"] in _OF_THE_SERVICE else {}),
        }
        for job in document["scrape_configs"]
        if targets.get(job["job_name"])
    ]
    document["alerting"] = {"alertmanagers": [{"static_configs": _static(targets.get("alertmanager", ()))}]}
    for file in document["rule_files"]:
        _write(folder / file, pace.scaled(read_document(source / file)))
    return _write(folder / "prometheus.yml", document)


def write_alertmanager(folder: Path, *, pace: Pace | None = None, docker: Path = DOCKER) -> Path:
    """Write Alertmanager's configuration into a folder, and what goes with it.

    Returns
    -------
    Path
        The script that starts it.
    """
    source = docker / "alertmanager"
    _write(folder / "alertmanager.yml", (pace or Pace()).scaled(read_document(source / "alertmanager.yml")))
    for name in ("messages.tmpl", "start"):
        shutil.copy(source / name, folder / name)
    return folder / "start"


def _without_discovery(job: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in job.items() if not key.endswith("_sd_configs")}


def _authorization(key: Path) -> dict[str, Any]:
    return {"authorization": {"credentials_file": str(key.absolute())}}


def _static(addresses: Sequence[str]) -> list[dict[str, list[str]]]:
    return [{"targets": list(addresses)}]


def _write(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False, width=4096, allow_unicode=True))
    return path
