"""What a monitoring stack must do to be accepted, criterion by criterion, each with the proof that was seen."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import yaml

from api_pokemon.errors import ApiPokemonError, UnmetError
from api_pokemon.monitoring import metric_specs
from api_pokemon.stack.configuration import Pace, read_document
from api_pokemon.stack.prometheus import PrometheusClient, Rule
from api_pokemon.stack.validate_predictions import Hundred
from api_pokemon.stack.validate_site import Site

Status: TypeAlias = Literal["ok", "failed", "skipped"]

_WITH_REDIS_ALONE = "stream_entries"
_OF_A_STREAM = "stream_up"
"""The API shows it only where events go through Redis."""

_DUEL = {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Surf", "Sludge Bomb", "Tackle"]}


class Finding(NamedTuple):
    """What came of a criterion.

    Parameters
    ----------
    proof
        What was seen: figures where it is met, what is wrong where it is not, why not where it was skipped.
    """

    criterion: str
    status: Status
    proof: str


class Skipped(str):
    """The reason why a criterion cannot be judged here."""

    __slots__ = ()


class Criterion(NamedTuple):
    """Something that a stack must do.

    Parameters
    ----------
    judge
        Returns the proof or a `Skipped`, or raises an error of ours that says what is wrong.
    """

    name: str
    judge: Callable[[], str]

    def find(self) -> Finding:
        """Look whether it is met."""
        try:
            proof = self.judge()
        except ApiPokemonError as error:
            return Finding(self.name, "failed", str(error))
        except (KeyError, TypeError, ValueError, AttributeError) as error:  # JSON, but of something else
            return Finding(self.name, "failed", f"What answers is not what was expected there ({error!r}).")
        return Finding(self.name, "skipped" if isinstance(proof, Skipped) else "ok", proof)


def criteria(site: Site) -> list[Criterion]:
    """All criteria, in the order in which they build on each other."""
    hundred = Hundred(site)
    return [
        Criterion("The API answers", lambda: api_answers(site)),
        Criterion("A worker answers", lambda: worker_answers(site)),
        Criterion("Every metric is shown", lambda: metrics_are_shown(site)),
        Criterion("Everything is scraped", lambda: everything_is_scraped(site)),
        Criterion("Every rule is loaded and works", lambda: rules_work(site)),
        Criterion("Alertmanager hears of alerts", lambda: alertmanager_hears(site)),
        Criterion("Grafana has the dashboards and their data", lambda: grafana_shows(site)),
        Criterion("A best move is predicted", lambda: best_move_is_predicted(site)),
        Criterion("100 predictions reach Prometheus", hundred.reach_prometheus),
        Criterion("100 predictions reach the log", hundred.reach_log),
        Criterion("The account balances", hundred.balance),
    ]


def api_answers(site: Site) -> str:
    site.ask_api("GET", "/health/ready")
    health = site.ask_api("GET", "/health").json()
    return f"version {health['version']}, model {health['model_version']} ({health['engine']})"


def worker_answers(site: Site) -> str:
    if site.urls.worker:
        ready = site.ask("GET", f"{site.urls.worker}/health/ready").json()
        return f"{ready['status']}: log {ready['log']}, stream {ready['stream']}"
    return site.wait(lambda: _workers_up(site.prometheus))


def _workers_up(prometheus: PrometheusClient) -> str:
    """As seen by Prometheus: the port of a worker in a container is not published."""
    up = [sample.value for sample in prometheus.query('up{job="worker"}')]
    if not any(up):
        raise UnmetError(f"None of {len(up)} workers answers Prometheus.")
    return f"{sum(up):.0f} of {len(up)} up, as Prometheus sees them"


def metrics_are_shown(site: Site) -> str:
    """As seen by Prometheus: they may have a port of their own, want a key, or stay within the containers."""
    return site.wait(lambda: _metrics_shown(*map(site.prometheus.families, ("api", "worker"))))


def _metrics_shown(by_api: set[str], by_worker: set[str]) -> str:
    names = {spec.name.removesuffix("_total"): spec.name for spec in metric_specs("api_pokemon")}
    if _OF_A_STREAM not in by_api:
        del names[_WITH_REDIS_ALONE]
    if missing := sorted(name for family, name in names.items() if family not in by_api | by_worker):
        raise UnmetError(f"Neither the API nor a worker shows Prometheus {', '.join(missing)}.")
    without = "" if _WITH_REDIS_ALONE in names else f"; {_WITH_REDIS_ALONE} is there with Redis alone"
    return (
        f"all {len(names)}: {len(by_api & set(names))} by the API, {len(by_worker & set(names))} by the worker{without}"
    )


def everything_is_scraped(site: Site) -> str:
    jobs = [job["job_name"] for job in read_document(site.docker / "prometheus" / "prometheus.yml")["scrape_configs"]]
    return site.wait(lambda: _scraped(site.prometheus, jobs))


def _scraped(prometheus: PrometheusClient, jobs: Sequence[str]) -> str:
    targets = prometheus.targets()
    wrong = [
        f"{target.instance} ({target.job}) is {target.health}{f': {target.last_error}' if target.last_error else ''}"
        for target in targets
        if target.health != "up"
    ]
    wrong += [f"{job} has no target" for job in jobs if job not in {target.job for target in targets}]
    if wrong:
        raise UnmetError("; ".join(wrong))
    return ", ".join(f"{job} {sum(target.job == job for target in targets)}" for job in jobs) + " up"


def rules_work(site: Site) -> str:
    written = _written_rules(site)
    return site.wait(lambda: _rules_work(site.prometheus, written))


def _written_rules(site: Site) -> dict[tuple[str, str], str]:
    """The expression of each rule of the files, by its group and name."""
    folder, pace = site.docker / "prometheus", Pace(site.speedup)
    return {
        (group["name"], rule.get("alert") or rule["record"]): pace.expression(rule["expr"])
        for file in read_document(folder / "prometheus.yml")["rule_files"]
        for group in read_document(folder / file)["groups"]
        for rule in group["rules"]
    }


def _rules_work(prometheus: PrometheusClient, written: Mapping[tuple[str, str], str]) -> str:
    loaded = {(rule.group, rule.name): rule for rule in prometheus.rules()}
    wrong = [f"{name} is not loaded" for group, name in written.keys() - loaded.keys()]
    wrong += [f"{name} is loaded, and not in the files" for group, name in loaded.keys() - written.keys()]
    for key in written.keys() & loaded.keys():
        wrong += _faults(prometheus, loaded[key], written[key])
    if wrong:
        raise UnmetError(f"{'; '.join(sorted(wrong))}. After a change of the files, start Prometheus again.")
    alerts = sum(rule.kind == "alerting" for rule in loaded.values())
    return f"{alerts} alerts and {len(loaded) - alerts} recordings, as in the files, evaluated without an error"


def _faults(prometheus: PrometheusClient, rule: Rule, written: str) -> list[str]:
    if rule.health != "ok":
        return [f"{rule.name} is {rule.health}{f': {rule.last_error}' if rule.last_error else ''}"]
    if prometheus.formatted(rule.query) != prometheus.formatted(written):
        return [f"{rule.name} is loaded with another expression than in the files"]
    return []


def alertmanager_hears(site: Site) -> str:
    status = site.alertmanager.status()
    receivers = yaml.safe_load(status.configuration)["receivers"]
    kinds = {key.partition("_")[0] for receiver in receivers for key in receiver if key.endswith("_configs")}
    told = ", ".join(sorted(kinds)) or "nobody, but shows them at its address"
    return f"{status.version}, tells {told}; {site.wait(lambda: _heard(site))}"


def _heard(site: Site) -> str:
    if not site.prometheus.alertmanagers():
        raise UnmetError("Prometheus has found no Alertmanager to tell of alerts.")
    firing = [alert for alert in site.prometheus.alerts() if alert.state == "firing"]
    known = [dict(alert.labels) for alert in site.alertmanager.alerts()]
    names = sorted({alert.name for alert in firing})
    if unknown := sorted({alert.name for alert in firing if dict(alert.labels) not in known}):
        raise UnmetError(f"Prometheus fires {', '.join(unknown)}, and Alertmanager does not know of it.")
    return f"it knows of all that fire: {', '.join(names)}" if names else "Prometheus tells it, and no alert fires"


def grafana_shows(site: Site) -> str:
    if site.urls.grafana is None:
        return Skipped("There is no Grafana in a stack without containers; with one of your own, add --grafana URL.")
    version = site.ask_grafana("/api/health")["version"]
    state = site.ask_grafana("/api/datasources/uid/prometheus/health")
    if state["status"] != "OK":
        raise UnmetError(f"Grafana cannot use its datasource: {state.get('message')}")
    files = sorted((site.docker / "grafana" / "dashboards").glob("*.json"))
    panels = [_panels_of(site, file) for file in files]
    return f"{version}; datasource healthy; {', '.join(panels)}"


def _panels_of(site: Site, file: Path) -> str:
    expected = json.loads(file.read_text())
    shown = site.ask_grafana(f"/api/dashboards/uid/{expected['uid']}")["dashboard"]
    if missing := sorted(_titles(expected) - _titles(shown)):
        raise UnmetError(f"Dashboard {expected['uid']} lacks {', '.join(missing)}.")
    return f"{expected['uid']} with {len(_titles(expected))} panels"


def _titles(dashboard: Mapping[str, Any]) -> set[str]:
    return {panel["title"] for panel in dashboard["panels"] if panel["type"] != "row"}


def best_move_is_predicted(site: Site) -> str:
    answer = site.ask_api("POST", "/predict/best-move", _DUEL).json()
    best = max(answer["all_moves"], key=lambda move: move["win_probability"])
    chance = answer["win_probability"]
    if answer["recommended_move"] != best["name"] or not 0 <= chance <= 1:
        raise UnmetError(f"Recommended is {answer['recommended_move']} with {chance}, where {best['name']} is best.")
    return (
        f"{answer['pokemon_a_name']} against {answer['pokemon_b_name']}: {best['name']}, "
        f"the best of {len(answer['all_moves'])}, wins {chance:.1%}"
    )
