"""The compose files and what they build from, as far as they can be held to the code without Docker."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_pokemon.cli import COMMANDS
from api_pokemon.settings import Settings
from api_pokemon.stack import alert_rules
from api_pokemon.worker import JOB_KINDS

ROOT = Path(__file__).parents[1]
COMPOSE, SCALE = ROOT / "docker-compose.yml", ROOT / "docker-compose.scale.yml"
DOCKERFILES = {path.parent.name: path.read_text() for path in sorted(ROOT.glob("docker/*/Dockerfile"))}
WORKFLOW = (ROOT / ".github/workflows/compose.yml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
SET_IN_THE_IMAGE = {"API_POKEMON_HOST", "API_POKEMON_DATA_DIR", "API_POKEMON_COMMIT"}
FIXED = {"API_POKEMON_PORT", "API_POKEMON_WORKER_PORT"}
"""Ports within a container: Prometheus looks there. Outside, API_POKEMON_PORT chooses."""


class Loader(yaml.SafeLoader):
    """Knows Compose's tag for what a second file takes away."""


Loader.add_constructor("!reset", lambda loader, node: None)


def load(path: Path) -> dict[str, Any]:
    return dict(yaml.load(path.read_text(), Loader))  # noqa: S506 -- a SafeLoader


STACK, SCALED = load(COMPOSE), load(SCALE)
SERVICES: dict[str, dict[str, Any]] = {
    **{name: service for name, service in SCALED["services"].items() if "image" in service},
    **STACK["services"],
}
every_service = pytest.mark.parametrize("name", SERVICES)


def variables(text: str) -> set[tuple[str, str]]:
    """(name, default) of every ${NAME:-default}, with an empty default where there is none."""
    return set(re.findall(r"\$\{(\w+)(?::-([^}]*))?\}", text))


def number_of_bytes(text: str) -> int:
    return int(text[:-1]) << {"K": 10, "M": 20, "G": 30}[text[-1].upper()]


def mounts() -> Iterator[tuple[str, str, str]]:
    """(service, source, the rest) of every volume and every file that is no secret."""
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            if isinstance(volume, str):
                source, _, rest = volume.partition(":")
                yield name, source, rest


def test_these_are_the_services() -> None:
    assert set(STACK["services"]) == {
        "api",
        "worker",
        "db",
        "redis",
        "prometheus",
        "alertmanager",
        "grafana",
        "node-exporter",
    }


@every_service
def test_a_service_may_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].partition(":")[0] not in ("root", "0")
    assert not {"privileged", "cap_add", "network_mode"} & service.keys()


@every_service
def test_a_service_writes_to_memory_and_to_volumes_alone(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("tmpfs", [])) <= {"/tmp"}  # noqa: S108 -- within the container
    written = {source for owner, source, rest in mounts() if owner == name and not rest.endswith(":ro")}
    assert written <= STACK["volumes"].keys()


def test_these_are_all_compose_files() -> None:
    assert {path.name for path in ROOT.glob("*compose*.y*ml")} == {COMPOSE.name, SCALE.name}


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_runs_without_root(name: str) -> None:
    _, _, last_stage = DOCKERFILES[name].rpartition("\nFROM ")
    (user,) = re.findall(r"^USER (\S+)$", last_stage, re.MULTILINE)
    assert user.partition(":")[0] not in ("root", "0")


@every_service
def test_a_service_comes_back_and_fills_no_disk(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert set(service["networks"]) <= STACK["networks"].keys()


@every_service
def test_a_service_has_limits(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert 0 < float(limits["cpus"]) <= 1
    assert 64 << 20 <= number_of_bytes(limits["memory"]) <= 2 << 30
    assert limits["pids"] > 0


@every_service
def test_a_service_tells_whether_it_works(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


@every_service
def test_who_is_waited_for_tells_when_it_is_ready(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert "healthcheck" in SERVICES[other]
        assert how["condition"] in ("service_started", "service_healthy")


@every_service
def test_only_this_machine_reaches_a_port(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{\w+:-(\d+)\}:\1", port)


def test_the_documented_ports_are_published() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert {name: published.rpartition(":")[2] for name, (published,) in ports.items()} == {
        "api": "8000",
        "db": "5432",
        "prometheus": "9090",
        "alertmanager": "9093",
        "grafana": "3000",
        "node-exporter": "9100",
        "gateway": "8000",
    }


def test_versions_are_pinned() -> None:
    images = {service["image"] for service in SERVICES.values() if "build" not in service}
    assert len(images) == 7
    bases = {name: set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) for name, text in DOCKERFILES.items()}
    assert {name: len(found) for name, found in bases.items()} == {"api": 1, "worker": 1}
    for image in (*images, *bases["api"], *bases["worker"]):
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+(\.\d+)?(-[\w.-]+)?", image), image


def test_volumes_are_named_and_used() -> None:
    named = {source for _, source, _ in mounts() if not source.startswith(("/", "."))}
    assert named == set(STACK["volumes"])


def test_files_of_ours_are_there_and_cannot_be_written() -> None:
    ours = [(source, rest) for _, source, rest in mounts() if source.startswith(".")]
    assert len(ours) >= 5
    for source, rest in ours:
        assert (ROOT / source).exists(), source
        assert rest.endswith(":ro"), source


def test_the_host_is_only_looked_at() -> None:
    looked_at = [(name, rest) for name, source, rest in mounts() if source.startswith("/")]
    assert {name for name, _ in looked_at} == {"node-exporter"}
    assert all(rest.startswith("/host/") and rest.endswith(":ro") for _, rest in looked_at)


def test_what_is_asked_of_the_host_is_collected() -> None:
    """The name of a metric of node-exporter begins with that of its collector, but for these."""
    collectors = {"memory": "meminfo", "network": "netdev", "disk": "diskstats", "load": "loadavg"}
    files = [*(ROOT / "docker/prometheus").glob("*.yml"), *(ROOT / "docker/grafana/dashboards").glob("*.json")]
    asked = {name for file in files for name in re.findall(r"\bnode_([a-z]+)_", file.read_text())}
    assert len(asked) >= 5
    for name in asked:
        assert f"--collector.{collectors.get(name, name)}" in SERVICES["node-exporter"]["command"]


def test_api_and_worker_are_two_images_with_one_folder() -> None:
    api, worker = SERVICES["api"], SERVICES["worker"]
    for key in ("user", "environment", "init"):
        assert api[key] == worker[key]
    for name, text in DOCKERFILES.items():
        assert SERVICES[name]["build"] == {**api["build"], "dockerfile": f"docker/{name}/Dockerfile"}
        assert f"USER {api['user']}\n" in text
        assert "API_POKEMON_DATA_DIR=/data\n" in text
        # A volume takes its owner from the folder that it is mounted over first.
        assert "install --directory --owner api-pokemon --group api-pokemon --mode 0700 /data /data/reports\n" in text
    assert api["image"] != worker["image"]


def test_the_worker_writes_reports_and_the_api_reads_them() -> None:
    assert SERVICES["api"]["volumes"] == ["data:/data", "reports:/data/reports:ro"]
    assert SERVICES["worker"]["volumes"] == ["data:/data", "reports:/data/reports"]
    assert "requirements-reports.txt" in DOCKERFILES["worker"]
    assert "reports.txt" not in DOCKERFILES["api"]


def test_every_setting_reaches_the_containers() -> None:
    known = {f"API_POKEMON_{name.upper()}" for name in Settings.model_fields}
    given = {name for name in SERVICES["api"]["environment"] if name.startswith("API_POKEMON_")}
    for text in DOCKERFILES.values():
        assert {name for name in SET_IN_THE_IMAGE if f"{name}=" in text} == SET_IN_THE_IMAGE
    assert given | SET_IN_THE_IMAGE | FIXED == known
    assert not given & (SET_IN_THE_IMAGE | FIXED)


def test_every_variable_has_a_default_and_is_explained() -> None:
    used = variables(COMPOSE.read_text()) | variables(SCALE.read_text())
    assert len({name for name, _ in used}) == len(used) >= 10
    for name, default in used:
        assert default, name
        assert re.search(rf"^# {name}=", EXAMPLE, re.MULTILINE), name


def test_no_secret_is_committed() -> None:
    secret = {name: default for name, default in variables(COMPOSE.read_text()) if re.search("PASSWORD|_FILE", name)}
    assert secret == {
        "POSTGRES_PASSWORD": "change-me",
        "GRAFANA_ADMIN_PASSWORD": "admin",
        "METRICS_KEY_FILE": "/dev/null",
        "SLACK_WEBHOOK_URL_FILE": "/dev/null",
        "DISCORD_WEBHOOK_URL_FILE": "/dev/null",
        "ALERT_WEBHOOK_URL_FILE": "/dev/null",
    }
    given = {
        mount["target"].rpartition("/")[2]: mount
        for mount in SERVICES["alertmanager"]["volumes"]
        if isinstance(mount, dict)
    }
    assert set(given) == {"slack_webhook_url", "discord_webhook_url", "alert_webhook_url"}
    for name, mount in given.items():
        assert mount["source"] == f"${{{name.upper()}_FILE:-/dev/null}}"
        assert mount["read_only"] is True
        assert mount["bind"] == {"create_host_path": False}
    ignored = ["git", "check-ignore", ".env", "secrets/slack_webhook_url"]
    assert subprocess.run(ignored, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split() == ignored[2:]


def test_the_images_are_built_from_what_they_need() -> None:
    kept = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = {
        source.partition("/")[0]
        for line in re.findall(r"^COPY (?!--from)(.+)$", "\n".join(DOCKERFILES.values()), re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert copied == set(kept)
    assert all((ROOT / name).exists() for name in kept)
    assert "api_pokemon/requirements.txt" in DOCKERFILES["api"]


def test_memory_suffices_for_what_is_done_in_it() -> None:
    def memory(name: str) -> int:
        return number_of_bytes(SERVICES[name]["deploy"]["resources"]["limits"]["memory"])

    assert memory("worker") >= (256 << 20) + max(kind.memory_bytes for kind in JOB_KINDS)
    (low,) = (rule.expression for rule in alert_rules() if rule.name == "LowMemoryAvailable")
    mebibytes = re.fullmatch(r".* < (\d+) \* 1024 \* 1024", low)
    assert mebibytes
    assert memory("api") >= 2 * int(mebibytes[1]) << 20, "an alert would fire for ever"
    command = SERVICES["redis"]["command"]
    data = command[command.index("--maxmemory") + 1]
    assert memory("redis") >= 2 * number_of_bytes(data.removesuffix("b"))


def test_prometheus_finds_all_that_it_scrapes() -> None:
    jobs = yaml.safe_load((ROOT / "docker/prometheus/prometheus.yml").read_text())["scrape_configs"]
    names = {name for job in jobs for found in job.get("dns_sd_configs", []) for name in found["names"]}
    assert names == {"api", "worker", "node-exporter", "alertmanager"}
    assert all("monitoring" in SERVICES[name]["networks"] for name in (*names, "prometheus"))
    assert set(SERVICES["prometheus"]["depends_on"]) == names


def test_the_gateway_takes_the_place_of_the_api() -> None:
    believed = {
        "API_POKEMON_TRUSTED_PROXIES": "${API_POKEMON_TRUSTED_PROXIES:-10.0.0.0/8,172.16.0.0/12,192.168.0.0/16}"
    }
    assert SCALED["services"]["api"] == {"ports": None, "environment": believed}
    assert "http-request set-header X-Forwarded-For %[src]" in (ROOT / "docker/gateway/haproxy.cfg").read_text()
    assert SERVICES["gateway"]["ports"] == SERVICES["api"]["ports"]
    assert "server-template api 10 api:8000\n" in (ROOT / "docker/gateway/haproxy.cfg").read_text()
    assert set(SERVICES["gateway"]["networks"]) <= set(SERVICES["api"]["networks"])


@pytest.mark.parametrize("workflow", sorted((ROOT / ".github/workflows").iterdir()), ids=lambda path: path.name)
def test_a_workflow_pins_its_actions(workflow: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", workflow.read_text())
    assert used
    for action, version in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", version)


def test_the_workflow_walks_through_the_stack() -> None:
    has_validate = "validate" in {command.name for command in COMMANDS}
    assert ("api-pokemon validate" in WORKFLOW) == has_validate
    dashboards = {path.stem.replace("_", "-") for path in (ROOT / "docker/grafana/dashboards").glob("*.json")}
    assert dashboards <= set(re.findall(r"[\w-]+", WORKFLOW))
