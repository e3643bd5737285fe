import pytest

from api_pokemon.faults import api_faults, worker_faults
from api_pokemon.stack import alert_rules
from api_pokemon.stack.drill.recipes import RECIPES, FaultOn, Recipe, ThresholdLowered

BY_NAME = {recipe.alert: recipe for recipe in RECIPES}


def test_every_alert_has_one() -> None:
    assert sorted(BY_NAME) == sorted(rule.name for rule in alert_rules())
    assert len(BY_NAME) == len(RECIPES)


def test_the_faults_that_they_need_exist() -> None:
    """Those of `stack` know the service from outside alone, so the names stand in both."""
    faults = {"api": api_faults("redis://localhost"), "worker": worker_faults()}
    known = {(process, status.name) for process, of in faults.items() for status in of.statuses()}
    used = {(cause.process, cause.fault) for cause in causes() if isinstance(cause, FaultOn)}
    assert used <= known
    assert known - used == {("api", "memory-pressure"), ("api", "slow-metrics")}


def test_only_a_lowered_threshold_is_delivery_only() -> None:
    for recipe in RECIPES:
        for way in recipe.ways:
            assert way.delivery_only == (way.causes == (ThresholdLowered(recipe.alert),))
        assert not recipe.ways[0].delivery_only


def causes() -> list[object]:
    return [cause for recipe in RECIPES for way in recipe.ways for cause in way.causes]


@pytest.mark.parametrize(
    ("first", "second", "can"),
    [
        ("HighErrorRate", "HighAPILatency", True),
        ("HighErrorRate", "WorkerDown", True),
        ("APIDown", "WorkerDown", True),
        ("HighErrorRate", "NoPredictions", False),
        ("HighErrorRate", "APIDown", False),
        ("ScrapeSlow", "WorkerDown", False),
    ],
)
def test_what_contradicts_runs_one_after_the_other(first: str, second: str, can: bool) -> None:
    assert BY_NAME[first].can_run_beside(BY_NAME[second]) is can
    assert BY_NAME[second].can_run_beside(BY_NAME[first]) is can


def test_every_claim_is_one_that_others_know() -> None:
    claims = {(what, how) for recipe in RECIPES for what, how in recipe.claims.items()}
    assert claims == {
        *(("api", "runs"), ("api", "stopped"), ("worker", "runs"), ("worker", "stopped")),
        *(("predictions", "disturbed"), ("predictions", "quick")),
    }
    assert all(isinstance(recipe, Recipe) for recipe in RECIPES)
