"""The model that ships with the package keeps its promises."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from api_pokemon.dex import Dex
from api_pokemon.model import ModelPredictor, open_model
from api_pokemon.model.baseline import SEED, baseline_of, uniform_rows
from api_pokemon.model.evaluation import Evaluation, evaluate
from api_pokemon.model.features import FEATURES
from api_pokemon.model.registry import BASELINE_FILE, DUEL_RULES, SHIPPED, file_sha256, shipped_version
from api_pokemon.model.sample import load_sample
from api_pokemon.model.truth import load_truth
from tests.model.conftest import BATTLES, TRUTH

MOST_BYTES = 4_000_000


@pytest.fixture(scope="module")
def folder() -> Path:
    return SHIPPED / shipped_version()


@pytest.fixture(scope="module")
def shipped(dex: Dex, folder: Path) -> ModelPredictor:
    return open_model(dex, folder)


@pytest.fixture(scope="module")
def result(shipped: ModelPredictor) -> Evaluation:
    return evaluate(shipped.features, shipped.score, load_truth(TRUTH, shipped.tables))


def test_one_version_ships_and_is_small() -> None:
    assert [path.name for path in SHIPPED.iterdir()] == [shipped_version()]
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*")) <= MOST_BYTES


def test_it_was_made_from_the_committed_battles(shipped: ModelPredictor, folder: Path) -> None:
    metadata = shipped.metadata
    assert metadata.version == folder.name
    assert metadata.data_sha256 == file_sha256(BATTLES)
    assert metadata.battles == int(np.sum(pq.read_table(BATTLES, columns=["battles"])["battles"].to_numpy(), dtype=int))
    assert (metadata.features, metadata.duel_rules) == (FEATURES, DUEL_RULES)
    assert metadata.commit
    assert not metadata.commit.endswith("-dirty")


def test_it_says_of_itself_what_is_measured(shipped: ModelPredictor, result: Evaluation) -> None:
    assert result.metrics() == pytest.approx(shipped.metadata.metrics, abs=1e-6)


def test_it_is_as_good_as_promised(result: Evaluation) -> None:
    model = result.accuracies["model"]
    assert model.above_floor <= 0.0020
    assert model.calibration_error <= 0.005
    assert result.regret.model <= 0.005
    assert max(abs(result.worst_reply.bias_low), abs(result.worst_reply.bias_high)) <= 0.01


def test_its_sample_holds_rows_of_all_kinds(folder: Path) -> None:
    rows = pq.read_table(folder / "rows.parquet")
    assert rows.num_rows == 10_000
    for name, kinds in {"language": 2, "opponent_assumption": 2, "moves_first": 3, "learnable": 2}.items():
        assert len(rows[name].unique()) == kinds
    confidence = rows["confidence"].to_numpy()
    assert 0.85 < confidence.mean() < 0.95


def test_its_sample_is_what_it_answers(dex: Dex, shipped: ModelPredictor, folder: Path) -> None:
    """Where this fails after a change of monitored rows: ``python -m tests.model.shipped_baseline``."""
    some = 100
    rows = list(uniform_rows(dex, shipped, SEED, lambda done, total: None, some))
    assert load_sample(folder)[:some] == rows


def test_its_baseline_is_that_of_its_sample(folder: Path) -> None:
    """Where this fails after a change of profiles: ``python -m tests.model.shipped_baseline``."""
    assert (folder / BASELINE_FILE).read_bytes() == baseline_of(load_sample(folder)).encode()
