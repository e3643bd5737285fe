"""`api-pokemon stack` as a user starts and stops it."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import psutil

from api_pokemon.errors import UnreachableError
from api_pokemon.stack import Delivery, DeliveryReceiver, PrometheusClient, alert_rules, running_stack
from tests.servers import free_port, wait_until
from tests.stack.native_stack import NativeStack, needs_programs


def deliveries(stack: NativeStack, alert: str) -> list[Delivery]:
    told = httpx.get(f"{stack.running.deliveries}/deliveries").json()
    return [delivery for delivery in (Delivery(**document) for document in told) if delivery.alert == alert]


def test_everything_is_scraped(stack: NativeStack) -> None:
    with closing(stack.prometheus) as prometheus:
        wait_until(lambda: up(prometheus) == ["alertmanager", "api", "node", "prometheus", "worker"], "all are up")


def up(prometheus: PrometheusClient) -> list[str]:
    return sorted(target.job for target in prometheus.targets() if target.health == "up")


def test_every_rule_is_loaded_and_works(stack: NativeStack) -> None:
    with closing(stack.prometheus) as prometheus:
        wait_until(lambda: {rule.health for rule in prometheus.rules()} == {"ok"}, "all rules work")
        loaded = [(rule.group, rule.name) for rule in prometheus.rules() if rule.kind == "alerting"]
    assert sorted(loaded) == sorted((rule.group, rule.name) for rule in alert_rules())


def test_metrics_are_shown_on_their_own_port_to_who_has_a_key(stack: NativeStack) -> None:
    assert httpx.get(f"{stack.url}/metrics").status_code == 404
    assert httpx.get(f"{stack.running.metrics}/metrics").status_code == 401


def test_an_alert_is_delivered_and_told_in_the_terminal_and_so_is_its_end(stack: NativeStack) -> None:
    worker = stack.running.process("worker")
    worker.suspend()
    try:
        wait_until(lambda: deliveries(stack, "WorkerDown"), "the alert is delivered")
    finally:
        worker.resume()
    wait_until(lambda: len(deliveries(stack, "WorkerDown")) == 2, "its end is delivered")
    firing, resolved = deliveries(stack, "WorkerDown")
    assert (firing.status, resolved.status) == ("firing", "resolved")
    assert firing.annotations["summary"] == "No worker is up"
    assert resolved.ends_at_seconds
    assert resolved.ends_at_seconds > resolved.starts_at_seconds == firing.starts_at_seconds
    assert "FIRING    WorkerDown (warning): None answers Prometheus" in stack.output
    assert "RESOLVED  WorkerDown (warning): it is over" in stack.output


def test_a_program_that_dies_is_started_again(stack: NativeStack) -> None:
    before = stack.running.process("prometheus").pid
    stack.running.process("prometheus").kill()
    with closing(stack.prometheus) as prometheus:
        wait_until(lambda: _pid(stack) not in (None, before) and prometheus.is_ready(), "Prometheus is back")


def _pid(stack: NativeStack) -> int | None:
    try:
        return stack.running.process("prometheus").pid
    except UnreachableError:
        return None


def test_a_second_one_on_the_same_folder_is_refused(stack: NativeStack) -> None:
    told = refusal(API_POKEMON_DATA_DIR=str(stack.data_dir))
    assert f"process {stack.running.pid}" in told
    assert "API_POKEMON_DATA_DIR" in told
    assert running_stack(stack.data_dir)


def test_ctrl_c_ends_all_of_it_and_leaves_no_trace_of_running(tmp_path: Path) -> None:
    stack = NativeStack(tmp_path)
    stack.start()
    processes = [stack.running.process(name) for name in ("serve", "worker", "prometheus", "alertmanager")]
    assert stack.stop() == 0
    assert not any(process.is_running() for process in processes)
    assert not running_stack(stack.data_dir)
    assert not (stack.data_dir / "stack.json").exists()


def test_its_programs_end_with_it_even_if_it_is_killed(tmp_path: Path) -> None:
    stack = NativeStack(tmp_path)
    stack.start()
    children = psutil.Process(stack.running.pid).children()
    assert len(children) == 5
    psutil.Process(stack.running.pid).kill()
    wait_until(lambda: not any(child.is_running() for child in children), "all children have ended")
    assert not running_stack(stack.data_dir)
    stack.stop()


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    needs_programs()
    with DeliveryReceiver(0) as taken:
        ports = ("--prometheus-port", str(free_port()), "--alertmanager-port", str(taken.port))
        told = refusal(*ports, **settings(tmp_path))
    assert told == (
        f"api-pokemon: Port {taken.port} on 127.0.0.1 is taken by another program. "
        "Stop that one, or set --alertmanager-port to a free port."
    )
    assert list(tmp_path.iterdir()) == []


def test_two_programs_cannot_share_a_port(tmp_path: Path) -> None:
    needs_programs()
    port = free_port()
    told = refusal("--prometheus-port", str(port), "--alertmanager-port", str(port), **settings(tmp_path))
    assert f"Port {port} on 127.0.0.1 is taken" in told
    assert "--alertmanager-port" in told


def test_a_secret_that_is_no_url_stops_the_start_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "slack_webhook_url").write_text("hooks.example/t0p")
    stack = NativeStack(tmp_path / "stack", options=("--secrets", str(tmp_path)))
    stack.launch()
    wait_until(lambda: not stack.is_running, "it gives up")
    assert stack.stop() is None
    assert "alertmanager ended with exit status 78 before it was ready; stopping\n" in stack.output
    assert "alertmanager: alertmanager/start: " in stack.output
    assert "slack_webhook_url holds no URL that begins with https://" in stack.output
    assert "t0p" not in stack.output


def settings(folder: Path) -> dict[str, str]:
    """Of a service that gets in nobody's way."""
    ports = {name: str(free_port()) for name in ("API_POKEMON_PORT", "API_POKEMON_WORKER_PORT")}
    return {"API_POKEMON_DATA_DIR": str(folder), **ports}


def test_a_speedup_below_one_is_refused() -> None:
    assert "greater than or equal to 1" in refusal("--speedup", "0.5")


def test_missing_programs_are_named_with_how_to_get_them(tmp_path: Path) -> None:
    told = refusal(PATH=str(tmp_path), API_POKEMON_DATA_DIR=str(tmp_path))
    assert "Not installed: prometheus, prometheus-alertmanager, prometheus-node-exporter." in told
    assert "sudo apt-get install prometheus prometheus-alertmanager prometheus-node-exporter" in told


def refusal(*options: str, **settings: str) -> str:
    """What `api-pokemon stack` says when it does not start."""
    command = [sys.executable, "-m", "api_pokemon", "stack", *options]
    ran = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    assert ran.returncode in (1, 2)
    return " ".join(ran.stderr.split())
