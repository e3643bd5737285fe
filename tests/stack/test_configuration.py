"""The files of the containers, with other targets and another pace, are still what Prometheus takes."""

import re
from pathlib import Path

import pytest
import yaml

from api_pokemon.errors import StartError
from api_pokemon.stack import Pace, alert_rules
from api_pokemon.stack.configuration import (
    DOCKER,
    read_document,
    seconds_of,
    write_alertmanager,
    write_prometheus,
)
from tests.stack.promtool import promtool

JOBS = {
    "api": ["127.0.0.1:1", "127.0.0.1:2"],
    "worker": ["127.0.0.1:3"],
    "prometheus": ["127.0.0.1:4"],
    "node": ["127.0.0.1:5"],
    "alertmanager": ["127.0.0.1:6"],
}


def expressions(folder: Path) -> dict[str, tuple[str, str]]:
    """Expression and `for` of every rule in a folder, by its name."""
    return {
        rule.get("alert") or rule["record"]: (rule["expr"], rule.get("for", ""))
        for file in read_document(folder / "prometheus.yml")["rule_files"]
        for group in read_document(folder / file)["groups"]
        for rule in group["rules"]
    }


@pytest.mark.parametrize("speedup", [1, 60, 1000])
def test_prometheus_takes_what_is_written(tmp_path: Path, speedup: float) -> None:
    path = write_prometheus(tmp_path, JOBS, pace=Pace(speedup))
    assert "3 rule files found" in promtool("check", "config", str(path))


def test_only_targets_differ_at_the_usual_pace(tmp_path: Path) -> None:
    written = read_document(write_prometheus(tmp_path, JOBS))
    original = read_document(DOCKER / "prometheus" / "prometheus.yml")
    for name in ("scrape_configs", "alerting"):
        del original[name]
    assert {job["job_name"]: job["static_configs"][0]["targets"] for job in written.pop("scrape_configs")} == JOBS
    assert written.pop("alerting") == {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:6"]}]}]}
    assert written == original
    assert expressions(tmp_path) == expressions(DOCKER / "prometheus")


def test_a_job_without_a_target_is_left_out(tmp_path: Path) -> None:
    written = read_document(write_prometheus(tmp_path, {"api": ["127.0.0.1:1"]}))
    assert [job["job_name"] for job in written["scrape_configs"]] == ["api"]
    assert written["alerting"]["alertmanagers"][0]["static_configs"] == [{"targets": []}]


def test_a_faster_pace_divides_every_duration_of_the_rules_and_no_threshold(tmp_path: Path) -> None:
    write_prometheus(tmp_path, JOBS, pace=Pace(60))
    before, after = expressions(DOCKER / "prometheus"), expressions(tmp_path)
    assert before.keys() == after.keys()
    ranges = 0
    for name, (expression, waits) in before.items():
        faster, waits_less = after[name]
        assert faster == expression.replace("[5m]", "[6s]")
        assert seconds_of(waits_less) == seconds_of(waits) / 60
        ranges += expression.count("[5m]")
    assert ranges == sum(len(re.findall(r"\[", expression)) for expression, _ in before.values()) > 10
    scraping = read_document(tmp_path / "prometheus.yml")["global"]
    assert scraping == dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "1500ms")


def test_however_fast_a_range_holds_four_scrapes() -> None:
    pace = Pace(100_000)
    assert pace.scaled({"scrape_interval": "10s"}) == {"scrape_interval": "1500ms"}
    assert pace.expression("rate(a_total[5m])") == "rate(a_total[6s])"


def test_what_is_short_already_is_never_made_longer() -> None:
    assert Pace(2).scaled({"scrape_interval": "500ms", "expr": "rate(a[2s])"}) == {
        "scrape_interval": "500ms",
        "expr": "rate(a[2s])",
    }


def test_a_name_with_a_duration_in_it_stays() -> None:
    expression = "job:api_request_duration_seconds:p95_5m > 0.5"
    assert Pace(60).expression(expression) == expression


def test_alertmanager_waits_less_too(tmp_path: Path) -> None:
    start = write_alertmanager(tmp_path, pace=Pace(60))
    route = yaml.safe_load((tmp_path / "alertmanager.yml").read_text())["route"]
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("500ms", "5s", "240s")
    assert start.stat().st_mode & 0o100
    assert (tmp_path / "messages.tmpl").exists()


def test_the_alerts_are_read_from_the_files() -> None:
    rules = {rule.name: rule for rule in alert_rules()}
    assert len(rules) == 18
    down = rules["APIDown"]
    assert (down.group, down.file, down.for_seconds) == ("api", "alerts.yml", 60)
    assert down.labels == {"severity": "critical", "component": "api"}


def test_without_a_checkout_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="needs a checkout of the repository"):
        write_prometheus(tmp_path, JOBS, docker=tmp_path / "docker")
