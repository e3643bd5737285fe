"""What is normal is said, kept, and taken back, on every database."""

import pytest
from sqlalchemy import update

from api_pokemon.monitoring.database import writing
from api_pokemon.monitoring.drift_references import DriftReferences
from api_pokemon.monitoring.drift_tables import drift_references
from api_pokemon.monitoring.errors import NoReferenceError
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.profile_rows import prediction_batch
from api_pokemon.monitoring.profile_table import register
from api_pokemon.monitoring.profiles import profile_rows
from tests.monitoring.drift_log import log
from tests.monitoring.drifting import BASELINE, SPECS, predictions

__all__ = ["log"]

LAYOUT = BASELINE.layout
USUAL = profile_rows(LAYOUT, prediction_batch(SPECS, predictions(300, seed=7)))


@pytest.fixture
def references(log: PredictionLog) -> DriftReferences:
    with writing(log.engine) as connection:
        register(connection, "v1", BASELINE)
        register(connection, "v1", BASELINE)
    return DriftReferences(log.engine)


def test_a_version_begins_with_what_it_brings(references: DriftReferences) -> None:
    (found,) = references.history("v1")
    assert (found.kind, found.is_provisional, found.rows, found.from_seconds) == ("uniform", True, 2000, None)
    assert found.declared_by == "the service"
    assert references.current("v1") == found
    assert references.profile(found, LAYOUT) == BASELINE.profile
    assert (references.current("v2"), references.versions()) == (None, ["v1"])


def test_what_is_declared_counts_until_it_is_taken_back(references: DriftReferences) -> None:
    first = references.current("v1")
    said = references.declare(
        "v1", "window", USUAL, declared_by="ash", reason="a usual day", from_seconds=100.0, to_seconds=400.0
    )
    assert (said.kind, said.declared_by, said.reason, said.rows) == ("window", "ash", "a usual day", 300)
    assert (said.from_seconds, said.to_seconds, said.is_provisional) == (100.0, 400.0, False)
    assert references.current("v1") == said
    assert references.profile(said, LAYOUT) == USUAL

    undone, counts = references.undo("v1", undone_by="misty", now_seconds=5e9)
    assert (undone.reference_id, undone.undone_by, undone.undone_seconds) == (said.reference_id, "misty", 5e9)
    assert counts == first == references.current("v1")
    assert references.history() == [undone, first]
    with pytest.raises(NoReferenceError, match="nothing to undo"):
        references.undo("v1", undone_by="misty", now_seconds=5e9)


def test_made_up_traffic_can_be_gone_back_to_and_that_be_undone(references: DriftReferences) -> None:
    with pytest.raises(NoReferenceError, match="already"):
        references.use_uniform("v1", declared_by="ash")
    said = references.declare("v1", "window", USUAL, declared_by="ash")
    uniform = references.use_uniform("v1", declared_by="misty", reason="it was no usual day")
    assert (uniform.kind, uniform.reason, references.current("v1")) == ("uniform", "it was no usual day", uniform)
    assert references.profile(uniform, LAYOUT) == BASELINE.profile
    assert references.undo("v1", undone_by="ash", now_seconds=5e9)[1] == said
    with pytest.raises(NoReferenceError, match="'v2' has no reference"):
        references.use_uniform("v2", declared_by="ash")


def test_what_chance_does_is_kept(references: DriftReferences) -> None:
    current = references.current("v1")
    assert current is not None
    assert references.limits(current, "some way") == {}
    references.keep_limits(current, "some way", {1000: [0.1, 1 / 3], 100: [0.5, 2.0]})
    references.keep_limits(current, "another", {1000: [0.7, 0.8]})
    assert references.limits(current, "some way") == {100: [0.5, 2.0], 1000: [0.1, 1 / 3]}
    assert references.limits(current, "another") == {1000: [0.7, 0.8]}


def test_what_an_older_version_has_kept_of_chance_does_not_count(
    log: PredictionLog, references: DriftReferences
) -> None:
    """It did not say by which statistic it was found."""
    current = references.current("v1")
    assert current is not None
    with writing(log.engine) as connection:
        connection.execute(update(drift_references).values(limits='{"100":[0.5,2.0]}'))
    assert references.limits(current, "some way") == {}
    references.keep_limits(current, "some way", {100: [0.1, 0.2]})
    assert references.limits(current, "some way") == {100: [0.1, 0.2]}
