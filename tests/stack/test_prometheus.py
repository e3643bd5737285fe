"""The client asks a real Prometheus, which scrapes nothing but itself."""

import shutil
from collections.abc import Iterator
from time import time

import pytest

from api_pokemon.errors import QueryError, UnreachableError
from api_pokemon.stack import DeliveryReceiver, PrometheusClient
from api_pokemon.stack.configuration import Pace, write_prometheus
from tests.needs import needs
from tests.servers import Server, free_port, wait_until


class Prometheus(Server):
    """Prometheus with the rules of the service, and nothing of the service."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        needs(shutil.which("prometheus"), "prometheus (see scripts/prepare_tests)")
        targets = {"prometheus": [f"127.0.0.1:{self.port}"], "node": [f"127.0.0.1:{free_port()}"]}
        path = write_prometheus(self.folder / "config", targets, pace=Pace(60))
        options = (f"--config.file={path}", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{self.port}")
        return ["prometheus", *options]

    def _answers(self) -> bool:
        with PrometheusClient(self.url) as client:
            return client.is_ready()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusClient]:
    with Prometheus(tmp_path_factory.mktemp("prometheus")) as server, PrometheusClient(f"{server.url}/") as client:
        wait_until(lambda: len(client.query("up")) == 2, "both targets were scraped")
        yield client


def test_a_query_has_samples(client: PrometheusClient) -> None:
    samples = {sample.labels["job"]: sample for sample in client.query("up")}
    assert {job: sample.value for job, sample in samples.items()} == {"prometheus": 1, "node": 0}
    assert samples["node"].labels["__name__"] == "up"
    assert abs(samples["node"].time_seconds - time()) < 60


def test_a_scalar_is_one_sample_without_labels(client: PrometheusClient) -> None:
    (sample,) = client.query("1 / 8", time_seconds=1000)
    assert sample == ({}, 0.125, 1000)


def test_a_query_of_the_past_is_of_then(client: PrometheusClient) -> None:
    assert client.query("up", time_seconds=time() - 3600) == []


def test_one_value_is_asked_for_plainly(client: PrometheusClient) -> None:
    assert client.value("sum(up)") == 1
    assert client.value("no_such_metric") is None
    assert str(client.value("0 / 0")) == "nan"
    with pytest.raises(QueryError, match="'up' has 2 values where one was expected"):
        client.value("up")


def test_a_range_has_a_value_at_each_step(client: PrometheusClient) -> None:
    (series,) = client.query_range("vector(7)", 1000, 1030, 10)
    assert [(sample.time_seconds, sample.value) for sample in series] == [(1000, 7), (1010, 7), (1020, 7), (1030, 7)]


def test_targets_tell_what_is_wrong_with_them(client: PrometheusClient) -> None:
    targets = {target.job: target for target in client.targets()}
    assert (targets["prometheus"].health, targets["prometheus"].last_error) == ("up", "")
    assert targets["node"].health == "down"
    assert "connection refused" in targets["node"].last_error


def test_rules_tell_their_state(client: PrometheusClient) -> None:
    def firing() -> set[str]:
        return {rule.name for rule in client.rules() if rule.state == "firing"}

    wait_until(lambda: firing() == {"APIDown", "WorkerDown"}, "nobody is there to answer")
    rules = {rule.name: rule for rule in client.rules()}
    assert (rules["APIDown"].kind, rules["APIDown"].group, rules["APIDown"].health) == ("alerting", "api", "ok")
    assert rules["job:api_errors_per_request:ratio_rate5m"].kind == "recording"


def test_alerts_tell_since_when(client: PrometheusClient) -> None:
    wait_until(lambda: {alert.state for alert in client.alerts()} == {"firing"}, "they fire")
    (down,) = (alert for alert in client.alerts() if alert.name == "APIDown")
    assert down.labels["severity"] == "critical"
    assert down.annotations["summary"] == "The API is down"
    assert 0 < time() - down.active_at_seconds < 600


def test_a_wrong_query_is_told_with_what_is_wrong(client: PrometheusClient) -> None:
    with pytest.raises(QueryError, match=r"cannot answer query \{'query': 'sum\(up'\}: .*unclosed left parenthesis"):
        client.query("sum(up")


def test_where_nobody_answers_it_says_so() -> None:
    with PrometheusClient(f"http://127.0.0.1:{free_port()}") as client:
        assert not client.is_ready()
        with pytest.raises(UnreachableError, match=r"No Prometheus answers at http://127.0.0.1:\d+ .*make stack"):
            client.rules()


def test_where_something_else_answers_it_says_so() -> None:
    is_none = pytest.raises(UnreachableError, match="is no Prometheus")
    with DeliveryReceiver(0) as other, PrometheusClient(other.url) as client, is_none:
        client.targets()
