"""The real Alertmanager, started as in its container, delivers to Slack, Discord and a webhook."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Any

import httpx
import pytest

from api_pokemon.stack import AlertmanagerClient, Pace, RoutedAlert, alert_rules
from api_pokemon.stack.configuration import DOCKER, write_alertmanager
from api_pokemon.stack.deliveries import deliveries_of
from tests.needs import needs
from tests.servers import Server, wait_until
from tests.stack.inbox import Inbox

SECRETS = {"slack": "slack_webhook_url", "discord": "discord_webhook_url", "webhook": "alert_webhook_url"}
APPLETS = ("awk", "cat", "cp", "dirname", "mkdir", "sed")
BEGAN = datetime(2026, 11, 24, 22, 30, 5, tzinfo=UTC)
RULES = {rule.name: rule for rule in alert_rules()}


class Alertmanager(Server):
    """Alertmanager by its start script, sixty times as fast as written.

    Parameters
    ----------
    secrets
        What is in the files of secrets, by their names.
    variables
        More of its environment.
    shell
        What runs the script.
    """

    def __init__(
        self,
        folder: Path,
        secrets: Mapping[str, str],
        variables: Mapping[str, str] | None = None,
        shell: tuple[str, ...] = ("sh",),
    ) -> None:
        super().__init__(folder)
        self._start = write_alertmanager(folder / "config", pace=Pace(60))
        self._variables = variables or {}
        self._shell = shell
        (folder / "secrets").mkdir()
        for name, text in secrets.items():
            (folder / "secrets" / name).write_text(text)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def _command(self) -> list[str]:
        needs(shutil.which("prometheus-alertmanager") or shutil.which("alertmanager"), "Alertmanager")
        options = (f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=", "--storage.path=data")
        return [*self._shell, str(self._start), *options]

    def _environment(self) -> Mapping[str, str]:
        folders = {"SECRETS_DIR": str(self.folder / "secrets"), "RENDERED_DIR": str(self.folder / "rendered")}
        return {**folders, **self._variables}

    def _answers(self) -> bool:
        with AlertmanagerClient(self.url) as client:
            return client.is_ready()

    def raise_alert(self, name: str, *, over: bool = False, description: str = "It is so.", **labels: str) -> None:
        """Tell it of an alert, as Prometheus does, or of its end."""
        self.raise_alerts(name, labels, over=over, description=description)

    def raise_alerts(
        self,
        name: str,
        *each: Mapping[str, str],
        began: datetime = BEGAN,
        over: bool = False,
        description: str = "It is so.",
    ) -> None:
        """Tell it of several at once, which differ in their labels.

        It waits for more of them only where they began just now.
        """
        rule = RULES[name]
        ends = BEGAN + timedelta(minutes=3) if over else datetime.now(UTC) + timedelta(minutes=5)
        alerts = [
            {
                "labels": {"alertname": name, **rule.labels, **labels},
                "annotations": {**rule.annotations, "summary": f"{name} it is", "description": description},
                "startsAt": began.isoformat(),
                "endsAt": ends.isoformat(),
            }
            for labels in each
        ]
        httpx.post(f"{self.url}/api/v2/alerts", json=alerts).raise_for_status()

    def alerts(self) -> list[RoutedAlert]:
        with AlertmanagerClient(self.url) as client:
            return client.alerts()

    def states(self) -> dict[str, str]:
        return {alert.name + alert.labels.get("instance", ""): alert.state for alert in self.alerts()}


@pytest.fixture
def inboxes() -> Iterator[dict[str, Inbox]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(Inbox().opened()) for name in SECRETS}


def secrets_of(inboxes: Mapping[str, Inbox]) -> dict[str, str]:
    return {SECRETS[name]: f"{inbox.url}/services/{name}?a=1&b=2\n" for name, inbox in inboxes.items()}


@pytest.fixture(params=["sh", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, ...]:
    """The words that run a script: with busybox, as in the container, its own small programs are used too."""
    if request.param == "sh":
        return ("sh",)
    busybox = shutil.which("busybox")
    needs(busybox, "busybox (see scripts/prepare_tests)")
    assert busybox
    applets = tmp_path / "applets"
    applets.mkdir()
    for name in APPLETS:
        (applets / name).symlink_to(busybox)
    return ("env", f"PATH={applets}:{os.environ['PATH']}", busybox, "sh")


FIRING = """HighErrorRate it is
12% of the requests of the last 5 minutes were answered with a 5xx status (threshold 5%).
Since 2026-11-24 22:30:05 UTC
Dashboard: https://grafana.example/d/api-performance
Runbook: https://guide.example/MONITORING_GUIDE.md#higherrorrate"""

RESOLVED = """Over: HighErrorRate it is
12% of the requests of the last 5 minutes were answered with a 5xx status (threshold 5%).
Since 2026-11-24 22:30:05 UTC until 2026-11-24 22:33:05 UTC
Dashboard: https://grafana.example/d/api-performance
Runbook: https://guide.example/MONITORING_GUIDE.md#higherrorrate"""


def test_all_three_are_told_of_an_alert_and_of_its_end(
    tmp_path: Path, inboxes: dict[str, Inbox], shell: tuple[str, ...]
) -> None:
    links = {"GRAFANA_URL": "https://grafana.example/", "RUNBOOK_BASE_URL": "https://guide.example"}
    description = "12% of the requests of the last 5 minutes were answered with a 5xx status (threshold 5%)."
    with Alertmanager(tmp_path / "alertmanager", secrets_of(inboxes), links, shell) as alertmanager:
        alertmanager.raise_alert("HighErrorRate", description=description, job="api")
        wait_until(lambda: all(len(inbox.messages) == 1 for inbox in inboxes.values()), "all are told")
        alertmanager.raise_alert("HighErrorRate", over=True, description=description, job="api")
        wait_until(lambda: all(len(inbox.messages) == 2 for inbox in inboxes.values()), "all are told of its end")
    for name, inbox in inboxes.items():
        assert inbox.paths == [f"/services/{name}?a=1&b=2"] * 2
    slack = [message["attachments"][0] for message in inboxes["slack"].messages]
    assert [(text["title"], text["text"], text["color"]) for text in slack] == [
        ("FIRING: HighErrorRate (critical)", FIRING, "danger"),
        ("RESOLVED: HighErrorRate (critical)", RESOLVED, "good"),
    ]
    assert {text["title_link"] for text in slack} == {"https://grafana.example/d/api-performance"}
    discord = [message["embeds"][0] for message in inboxes["discord"].messages]
    assert [(text["title"], text["description"]) for text in discord] == [
        ("FIRING: HighErrorRate (critical)", FIRING),
        ("RESOLVED: HighErrorRate (critical)", RESOLVED),
    ]
    told = [deliveries_of(json.dumps(message).encode(), time()) for message in inboxes["webhook"].messages]
    assert [[(each.alert, each.status, each.receiver) for each in message] for message in told] == [
        [("HighErrorRate", "firing", "everyone")],
        [("HighErrorRate", "resolved", "everyone")],
    ]


def test_without_a_receiver_it_starts_and_shows_alerts(tmp_path: Path, shell: tuple[str, ...]) -> None:
    with Alertmanager(tmp_path / "alertmanager", {"slack_webhook_url": " \n"}, shell=shell) as alertmanager:
        alertmanager.raise_alert("HighErrorRate", job="api")
        wait_until(lambda: alertmanager.states() == {"HighErrorRate": "active"}, "it shows the alert")
        assert [f"{name} is off" in alertmanager.log for name in ("Slack", "Discord", "webhook")] == [True] * 3
        with AlertmanagerClient(alertmanager.url) as client:
            assert "_configs" not in client.status().configuration


@pytest.mark.parametrize("given", SECRETS)
def test_each_receiver_is_on_by_itself(tmp_path: Path, inboxes: dict[str, Inbox], given: str) -> None:
    secrets = secrets_of({given: inboxes[given]})
    with Alertmanager(tmp_path / "alertmanager", secrets) as alertmanager:
        alertmanager.raise_alert("LowModelConfidence", job="api")
        wait_until(lambda: inboxes[given].messages, "it is told")
        with AlertmanagerClient(alertmanager.url) as client:
            configuration = client.status().configuration
    assert [name for name in SECRETS if f"{name}_configs" in configuration] == [given]
    assert inboxes[given].url not in configuration or given == "webhook"
    links = r"Dashboard: http://localhost:3000/d/model-performance\nRunbook: MONITORING_GUIDE.md#lowmodelconfidence"
    assert links in json.dumps(inboxes[given].messages[0]) or given == "webhook"


def test_what_is_only_for_the_record_disturbs_nobody(tmp_path: Path, inboxes: dict[str, Inbox]) -> None:
    with Alertmanager(tmp_path / "alertmanager", secrets_of(inboxes)) as alertmanager:
        alertmanager.raise_alert("ScrapeSlow", job="node", instance="node:9100")
        alertmanager.raise_alert("HighErrorRate", job="api")
        wait_until(lambda: len(inboxes["webhook"].messages) == 2, "both are recorded")
        wait_until(lambda: inboxes["slack"].messages and inboxes["discord"].messages, "one of them is told")
    assert [message["attachments"][0]["title"] for message in inboxes["slack"].messages] == [
        "FIRING: HighErrorRate (critical)"
    ]
    assert len(inboxes["discord"].messages) == 1


def test_instances_of_one_alert_come_in_one_message(tmp_path: Path, inboxes: dict[str, Inbox]) -> None:
    with Alertmanager(tmp_path / "alertmanager", secrets_of(inboxes)) as alertmanager:
        instances = [{"job": "api", "instance": f"api-{number}"} for number in range(3)]
        alertmanager.raise_alerts("HighCPUUsage", *instances, began=datetime.now(UTC))
        wait_until(lambda: inboxes["discord"].messages, "they are told")
    text = inboxes["discord"].messages[0]["embeds"][0]["description"]
    assert text.count("HighCPUUsage it is\nIt is so.\nSince ") == 3
    assert text.count("\n\n") == 2


def test_where_the_api_is_down_nothing_else_is_told_of_it(tmp_path: Path, inboxes: dict[str, Inbox]) -> None:
    with Alertmanager(tmp_path / "alertmanager", secrets_of(inboxes)) as alertmanager:
        alertmanager.raise_alert("APIDown", job="api")
        wait_until(lambda: alertmanager.states() == {"APIDown": "active"}, "it knows that the API is down")
        silenced = ("HighAPILatency", "HighErrorRate", "HighModelLatency", "LowModelConfidence", "NoPredictions")
        for name in silenced:
            alertmanager.raise_alert(name, job="api")
        alertmanager.raise_alert("APIDown", job="api", instance="api-1")
        alertmanager.raise_alert("HighMemoryUsage", job="api", instance="api-1")
        alertmanager.raise_alert("WorkerDown", job="worker")
        expected = {
            **dict.fromkeys((*silenced, "APIDownapi-1"), "suppressed"),
            **dict.fromkeys(("APIDown", "HighMemoryUsageapi-1", "WorkerDown"), "active"),
        }
        wait_until(lambda: alertmanager.states() == expected, "what follows from it is suppressed")


def test_one_instance_that_is_down_silences_nothing(tmp_path: Path) -> None:
    with Alertmanager(tmp_path / "alertmanager", {}) as alertmanager:
        alertmanager.raise_alert("APIDown", job="api", instance="api-1")
        alertmanager.raise_alert("HighErrorRate", job="api")
        expected = {"APIDownapi-1": "active", "HighErrorRate": "active"}
        wait_until(lambda: alertmanager.states() == expected, "both are active")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("hooks.example/services/t0p", "holds no URL that begins with https:// or http://"),
        ("https://hooks.example/t0p\nhttps://hooks.example/t0p\n", "holds more than a URL"),
        ('https://hooks.example/t0p"', "holds more than a URL"),
    ],
)
def test_a_secret_that_is_no_url_is_named_and_not_shown(
    tmp_path: Path, shell: tuple[str, ...], text: str, complaint: str
) -> None:
    needs(shutil.which("prometheus-alertmanager") or shutil.which("alertmanager"), "Alertmanager")
    (tmp_path / "discord_webhook_url").write_text(text)
    told = refusal(*shell, SECRETS_DIR=str(tmp_path), RENDERED_DIR=str(tmp_path / "rendered"))
    assert f"{tmp_path}/discord_webhook_url {complaint}" in told
    assert "t0p" not in told


def test_without_alertmanager_it_says_how_to_get_it(tmp_path: Path) -> None:
    for name in ("dirname", "sed"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    told = refusal(str(shutil.which("sh")), PATH=str(tmp_path))
    assert "sudo apt-get install prometheus-alertmanager" in told


def refusal(*shell: str, **variables: str) -> str:
    command = [*shell, str(DOCKER / "alertmanager" / "start"), "--version"]
    ran = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    assert ran.returncode == 78
    return ran.stderr


def test_the_committed_configuration_is_a_valid_one() -> None:
    needs(shutil.which("amtool"), "amtool (see scripts/prepare_tests)")
    path = DOCKER / "alertmanager" / "alertmanager.yml"
    told: Any = subprocess.run(["amtool", "check-config", path], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
