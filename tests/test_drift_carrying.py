"""What was normal for a model version becomes normal for the next one, which answers the same requests again."""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from api_pokemon.drift_carrying import KIND, ask_for_what_is_missing, asked_of_version, carry_over
from api_pokemon.drift_jobs import check_drift
from api_pokemon.errors import DriftError
from api_pokemon.model.registry import METADATA_FILE, SHIPPED, shipped_version
from api_pokemon.monitoring import Prediction
from api_pokemon.monitoring.drift_references import DriftReferences
from api_pokemon.monitoring.jobs import Jobs
from api_pokemon.monitoring.profile_rows import prediction_batch
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.monitoring.profiles import profile_rows
from api_pokemon.stores import log_of, outboxes_of
from api_pokemon.worker import create_worker
from benchmarks.events import duel_predictions
from tests.monitoring.logged_events import START_SECONDS, id_at
from tests.running import Running
from tests.test_worker import accept_all, settings_for, wait_for

NEXT = "next"


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a version that answers as the shipped one does, under another name."""
    monkeypatch.setenv("API_POKEMON_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models" / NEXT
    shutil.copytree(SHIPPED / shipped_version(), folder)
    metadata = json.loads((folder / METADATA_FILE).read_text())
    (folder / METADATA_FILE).write_text(json.dumps(metadata | {"version": NEXT}))
    return tmp_path


def log(data_dir: Path, made: Sequence[Prediction], version: str) -> None:
    settings = settings_for(data_dir)
    accept_all(settings, made, model_version=version)
    with Running(create_worker(settings)):
        wait_for(lambda: all(state.pending == 0 for state in outboxes_of(settings).states()))


def made_before(seconds: float, number: int) -> list[Prediction]:
    """So many predictions, one a second, the last one so long ago."""
    now = time.time() - START_SECONDS
    answers = duel_predictions(200)
    return [replace(answers[n % 200], prediction_id=id_at(now - seconds - n, n)) for n in range(number)]


def tell(share: float, text: str) -> None: ...


def test_the_requests_carry_over_and_the_choices_are_made_again(data_dir: Path) -> None:
    usual = made_before(3600, 1000)
    log(data_dir, usual, shipped_version())
    engine = log_of(settings_for(data_dir)).engine
    references, store = DriftReferences(engine), ProfileStore(engine)
    layout = store.layout(shipped_version())
    assert layout is not None
    window = store.whole_buckets(shipped_version(), layout, time.time() - 7200, time.time())
    stretch = {"from_seconds": window.from_seconds, "to_seconds": window.to_seconds}
    references.declare(shipped_version(), "window", window.profile, declared_by="ash", **stretch)

    log(data_dir, made_before(100, 50), NEXT)
    check_drift({}, tell)
    check_drift({}, tell)
    (job,) = Jobs(engine).page(10, kind=KIND)
    assert job.parameters == {"model_version": NEXT}

    told: list[tuple[float, str]] = []
    assert carry_over(job.parameters, lambda share, text: told.append((share, text)))["rows"] == 1000
    assert told[-1] == (1.0, "1,000 requests answered again")
    carried = references.current(NEXT)
    assert carried is not None
    assert (carried.kind, carried.is_provisional, carried.rows) == ("carried", False, 1000)
    assert carried.reason == f"Carried over from {shipped_version()}: the same requests, answered again."
    own = store.layout(NEXT)
    assert own is not None
    assert references.profile(carried, own) == profile_rows(own, prediction_batch(own.specs, usual))
    assert asked_of_version(engine, carried) == shipped_version()
    assert carry_over(job.parameters, tell)["rows"] == 0


def test_what_was_removed_cannot_be_carried_over(data_dir: Path) -> None:
    log(data_dir, made_before(100, 50), NEXT)
    engine = log_of(settings_for(data_dir)).engine
    references = DriftReferences(engine)
    first = references.current(NEXT)
    assert first is not None
    layout = ProfileStore(engine).layout(NEXT)
    assert layout is not None
    long_ago = {"from_seconds": 1e9, "to_seconds": 1e9 + 3600}
    references.declare("gone", "window", references.profile(first, layout), declared_by="ash", **long_ago)
    with pytest.raises(DriftError, match="Of the 10,000 predictions of the reference only 0 are in the log"):
        carry_over({"model_version": NEXT}, tell)
    assert references.current(NEXT) == first
    assert carry_over({"model_version": "unknown"}, tell)["rows"] == 0


def test_a_later_reference_is_carried_over_although_an_earlier_one_could_not_be(data_dir: Path) -> None:
    log(data_dir, made_before(100, 50), NEXT)
    engine = log_of(settings_for(data_dir)).engine
    references, jobs = DriftReferences(engine), Jobs(engine)
    first, layout = references.current(NEXT), ProfileStore(engine).layout(NEXT)
    assert first is not None
    assert layout is not None
    profile = references.profile(first, layout)
    for number in (1, 2):
        stretch = {"from_seconds": number * 1e9, "to_seconds": number * 1e9 + 3600}
        references.declare("other", "window", profile, declared_by="ash", **stretch)
        assert ask_for_what_is_missing(engine, [NEXT]) == [NEXT]
        assert ask_for_what_is_missing(engine, [NEXT]) == []
        job = jobs.claim([KIND], "ash", 60)
        assert job
        jobs.fail(job, "It is not in the log.")
        assert ask_for_what_is_missing(engine, [NEXT]) == []
        time.sleep(0.01)  # so that the second one is later, to the millisecond
