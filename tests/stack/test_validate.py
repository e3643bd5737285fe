"""The acceptance walk of a real stack: every criterion is met, and every criterion can fail."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from api_pokemon.errors import StartError
from api_pokemon.stack.configuration import DOCKER
from api_pokemon.stack.validate_criteria import Finding, criteria
from api_pokemon.stack.validate_recap import write_recap
from api_pokemon.stack.validate_site import Site, Urls
from tests.servers import free_port, wait_until
from tests.stack.native_stack import SPEEDUP, NativeStack

API = "The API answers"
WORKER = "A worker answers"
METRICS = "Every metric is shown"
SCRAPED = "Everything is scraped"
RULES = "Every rule is loaded and works"
ALERTMANAGER = "Alertmanager hears of alerts"
GRAFANA = "Grafana has the dashboards and their data"
BEST_MOVE = "A best move is predicted"
IN_PROMETHEUS = "100 predictions reach Prometheus"
IN_LOG = "100 predictions reach the log"
ACCOUNT = "The account balances"

Answers = dict[str, Any]


def urls_of(stack: NativeStack) -> Urls:
    running = stack.running
    return Urls(running.api, running.prometheus, running.alertmanager, running.worker)


@contextmanager
def site(urls: Urls, patience_seconds: float = 30, docker: Path = DOCKER) -> Iterator[Site]:
    with Site(urls, speedup=SPEEDUP, patience_seconds=patience_seconds, docker=docker) as site:
        yield site


def find(site: Site, *names: str) -> list[Finding]:
    return [criterion.find() for criterion in criteria(site) if criterion.name in names]


def failure(site: Site, name: str) -> str:
    """What a criterion says; it must fail."""
    [finding] = find(site, name)
    assert finding.status == "failed", finding
    return finding.proof


def validate(stack: NativeStack, *options: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it on the data folder of a stack."""
    return subprocess.run(
        [sys.executable, "-m", "api_pokemon", "validate", *options],
        env={**os.environ, "API_POKEMON_DATA_DIR": str(stack.data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_running_stack_is_accepted(stack: NativeStack) -> None:
    ran = validate(stack, "--json", "--wait", "60")
    findings = [Finding(**finding) for finding in json.loads(ran.stdout)["findings"]]
    assert ran.returncode == 0, findings
    names = [API, WORKER, METRICS, SCRAPED, RULES, ALERTMANAGER, GRAFANA, BEST_MOVE, IN_PROMETHEUS, IN_LOG, ACCOUNT]
    assert [finding.criterion for finding in findings] == names
    status = {finding.criterion: finding.status for finding in findings}
    assert status == dict.fromkeys(names, "ok") | {GRAFANA: "skipped"}
    proof = {finding.criterion: finding.proof for finding in findings}
    assert proof[SCRAPED] == "api 1, worker 1, prometheus 1, node 1, alertmanager 1 up"
    assert "requests answered with 200 +100" in proof[IN_PROMETHEUS]
    assert proof[ACCOUNT] == "101 accepted, 101 logged, 0 pending, 0 unaccounted for"
    assert ran.stderr.splitlines() == [f"{name} …" for name in names]


def test_a_table_and_the_exit_status_tell_of_a_failure(stack: NativeStack) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    ran = validate(stack, "--wait", "0", "--api", nobody)
    assert ran.returncode == 1
    assert " ".join(ran.stdout.split()).count("│ failed │") == 5
    assert "5 of 11 criteria are not met." in ran.stdout
    assert nobody in ran.stdout


def test_without_the_port_of_the_worker_prometheus_is_asked(stack: NativeStack) -> None:
    with site(urls_of(stack)._replace(worker=None)) as known:
        assert find(known, WORKER) == [Finding(WORKER, "ok", "1 of 1 up, as Prometheus sees them")]


def test_a_worker_that_hangs_is_seen(stack: NativeStack) -> None:
    worker = stack.running.process("worker")
    worker.suspend()
    try:
        with site(urls_of(stack)._replace(worker=None), patience_seconds=2) as known:
            wait_until(lambda: find(known, SCRAPED)[0].status == "failed", "Prometheus sees it")
            assert "(worker) is down: " in failure(known, SCRAPED)
            assert failure(known, WORKER) == "None of 1 workers answers Prometheus."
            assert [finding.status for finding in find(known, IN_PROMETHEUS, IN_LOG, ACCOUNT)] == [
                *("ok", "failed", "failed")
            ]
    finally:
        worker.resume()


def test_what_is_no_api_is_told(stack: NativeStack) -> None:
    with site(urls_of(stack)._replace(api=stack.running.alertmanager), patience_seconds=0) as known:
        assert "/health/ready was answered with 404" in failure(known, API)
        assert "was answered with 404" in failure(known, BEST_MOVE)


@pytest.fixture
def prometheus_files(stack: NativeStack) -> Iterator[Path]:
    """The files that the stack's Prometheus reads; they are put back."""
    folder = stack.data_dir / "stack" / "prometheus"
    before = {path: path.read_text() for path in folder.glob("*.yml")}
    yield folder
    for path, text in before.items():
        path.write_text(text)
    stack.running.process("prometheus").send_signal(signal.SIGHUP)


def change(stack: NativeStack, path: Path, how: Callable[[Any], None]) -> None:
    """Change a file of Prometheus, and have it read."""
    document = yaml.safe_load(path.read_text())
    how(document)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    stack.running.process("prometheus").send_signal(signal.SIGHUP)


def test_rules_that_are_not_those_of_the_files_are_named(stack: NativeStack, prometheus_files: Path) -> None:
    def other_rules(document: Any) -> None:
        rules = document["groups"][0]["rules"]
        rules[0]["expr"] = rules[0]["expr"].replace("0.5", "0.4")
        rules[1]["alert"] = "NobodyKnowsThis"
        document["groups"][1]["rules"][0]["expr"] = "up * on () up"

    change(stack, prometheus_files / "alerts.yml", other_rules)
    with site(urls_of(stack), patience_seconds=0) as known:
        wait_until(lambda: "another expression" in find(known, RULES)[0].proof, "the changed files are read")
        wait_until(lambda: " is unknown" not in find(known, RULES)[0].proof, "all rules are judged")
        told = failure(known, RULES)
    assert "HighAPILatency is loaded with another expression than in the files" in told
    assert "NobodyKnowsThis is loaded, and not in the files" in told
    assert "HighErrorRate is not loaded" in told
    assert "HighModelLatency is err: found duplicate series" in told


def test_a_prometheus_that_asks_and_tells_nobody_is_seen(stack: NativeStack, prometheus_files: Path) -> None:
    def lonely(document: Any) -> None:
        document["alerting"]["alertmanagers"] = []
        document["scrape_configs"] = [job for job in document["scrape_configs"] if job["job_name"] != "api"]

    change(stack, prometheus_files / "prometheus.yml", lonely)
    with site(urls_of(stack), patience_seconds=1) as known:
        wait_until(lambda: find(known, SCRAPED)[0].proof == "api has no target", "the changed file is read")
        wait_until(lambda: find(known, ALERTMANAGER)[0].status == "failed", "it has nobody to tell")
        assert failure(known, ALERTMANAGER) == "Prometheus has found no Alertmanager to tell of alerts."
        assert "has not scraped the predictions of the API" in failure(known, IN_PROMETHEUS)
        told = failure(known, METRICS)
        assert "api_requests_total" in told
        assert "log_up" not in told


def test_an_account_that_does_not_balance_is_told(stack: NativeStack) -> None:
    with site(urls_of(stack)) as known:
        known.ask_api(
            "POST", "/predict/best-move", {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Surf"]}
        )
        found = find(known, IN_PROMETHEUS, IN_LOG, ACCOUNT)
        assert {finding.status for finding in found} == {"ok"}, found
    with closing(sqlite3.connect(stack.data_dir / "log.sqlite", timeout=30)) as log, site(urls_of(stack), 3) as known:
        log.execute("create temp table kept as select * from predictions where rowid = 1")
        assert log.execute("delete from predictions where rowid = 1").rowcount == 1
        log.commit()
        try:
            found = find(known, IN_PROMETHEUS, ACCOUNT)
        finally:
            log.execute("insert into predictions select * from kept")
            log.commit()
    assert found[0].status == "ok"
    assert found[1].status == "failed"
    assert found[1].proof.endswith("has +1 unaccounted for.")


class Grafana(BaseHTTPRequestHandler):
    """Answers as Grafana does: none can be installed where these tests run."""

    answers: Answers

    def do_GET(self) -> None:
        allowed = self.headers["authorization"] == "Basic YWRtaW46YWRtaW4="
        answer = self.answers.get(self.path) if allowed else None
        self.send_response(200 if answer else 404 if allowed else 401)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *words: object) -> None: ...


@contextmanager
def grafana(answers: Answers) -> Iterator[str]:
    handler = type("Answering", (Grafana,), {"answers": answers})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def answers() -> Answers:
    """Those of a Grafana that has everything."""
    boards = [json.loads(path.read_text()) for path in (DOCKER / "grafana" / "dashboards").glob("*.json")]
    return {
        "/api/health": {"version": "13.2.3", "database": "ok"},
        "/api/datasources/uid/prometheus/health": {"status": "OK", "message": "Successfully queried"},
        **{f"/api/dashboards/uid/{board['uid']}": {"dashboard": board} for board in boards},
    }


def asked_of_grafana(answers: Mapping[str, Any]) -> Finding:
    nobody = "http://127.0.0.1:1"
    with grafana(dict(answers)) as url, site(Urls(nobody, nobody, nobody, grafana=url)) as known:
        return find(known, GRAFANA)[0]


def test_a_grafana_with_everything_is_accepted() -> None:
    found = asked_of_grafana(answers())
    assert found.status == "ok"
    assert found.proof.startswith(
        "13.2.3; datasource healthy; api-performance with 6 panels, drift with 10 panels, model-performance with 8 "
    )


def test_a_grafana_without_a_dashboard_a_panel_or_its_data_is_not() -> None:
    without = {path: answer for path, answer in answers().items() if "api-performance" not in path}
    assert "/api/dashboards/uid/api-performance was answered with 404" in asked_of_grafana(without).proof
    poorer = answers()
    del poorer["/api/dashboards/uid/model-performance"]["dashboard"]["panels"][-1]
    assert asked_of_grafana(poorer).proof.startswith("Dashboard model-performance lacks ")
    deaf = answers() | {"/api/datasources/uid/prometheus/health": {"status": "ERROR", "message": "connection refused"}}
    assert asked_of_grafana(deaf).proof == "Grafana cannot use its datasource: connection refused"


def test_what_is_no_grafana_is_told(stack: NativeStack) -> None:
    url = stack.running.node_exporter
    with site(urls_of(stack)._replace(grafana=f"{url}/metrics?")) as known:
        assert failure(known, GRAFANA) == f"What answers at {url}/metrics?/api/health is no Grafana."


def test_nobody_at_all_fails_every_criterion_and_waits_for_none() -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with site(Urls(nobody, nobody, nobody, nobody, nobody), patience_seconds=3600) as known:
        assert {criterion.find().status for criterion in criteria(known)} == {"failed"}


def test_the_recap_gets_the_table_between_its_marks(tmp_path: Path) -> None:
    path = tmp_path / "RECAP.md"
    path.write_text("before\n<!-- api-pokemon validate --recap -->\nold\n<!-- end -->\nafter\n")
    for _ in range(2):
        write_recap([Finding(API, "ok", "a | b\nc")], "this stack", path)
    lines = path.read_text().splitlines()
    assert lines[:2] == ["before", "<!-- api-pokemon validate --recap -->"]
    assert " on this stack (" in lines[2]
    assert lines[3:] == [
        *(
            "",
            "| criterion | status | proof |",
            "|---|---|---|",
            f"| {API} | ok | a \\| b c |",
            "<!-- end -->",
            "after",
        ),
    ]


def test_a_recap_without_its_marks_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "RECAP.md"
    path.write_text("nothing")
    with pytest.raises(StartError, match="has no lines '<!-- api-pokemon validate --recap -->'"):
        write_recap([], "this stack", path)
    assert path.read_text() == "nothing"
