"""Three API processes on three ports and two workers, on one Redis and one PostgreSQL."""

from pathlib import Path
from uuid import UUID

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.deployment import assert_nothing_is_lost, stack
from tests.integration.load import Load

ANSWERS = 2000


def test_a_fleet_counts_and_logs_what_the_clients_got(tmp_path: Path) -> None:
    with stack(tmp_path, apis=3, workers=2) as fleet:
        with Load(fleet.ports, clients=9, pause_seconds=0.005, seed=4) as load:
            load.wait_for(ANSWERS)
        assert load.cut == load.not_connected == 0
        assert_nothing_is_lost(fleet, load)
        assert sorted(fleet.logged()) == sorted(map(UUID, load.acknowledged))
        metrics = [api.metrics() for api in fleet.apis]
    assert all(_sum(text, "model_predictions_total") > 0 for text in metrics)
    for name in ("model_predictions_total", "events_accepted_total"):
        assert sum(_sum(text, name) for text in metrics) == len(load.acknowledged)


def _sum(text: str, name: str) -> float:
    families = text_string_to_metric_families(text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)
