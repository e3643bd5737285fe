"""The jobs that keep profiles whole and few, and check them for drift."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from api_pokemon.drift_carrying import ask_for_what_is_missing
from api_pokemon.errors import ModelDamagedError, ModelMissingError
from api_pokemon.monitoring.drift_baseline import Baseline
from api_pokemon.monitoring.drift_checking import DriftChecker
from api_pokemon.monitoring.drift_detection import DriftOptions
from api_pokemon.monitoring.profile_catch_up import CatchUp
from api_pokemon.monitoring.profile_recount import Recount
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.settings import Settings
from api_pokemon.startup import read_settings
from api_pokemon.stores import baselines_of, bucket_seconds_of, log_of

logger = logging.getLogger(__name__)

Progress = Callable[[float, str], None]

_DAY_SECONDS = 86_400

_CATCH_UP_SECONDS = 240
"""Of the ten minutes that the job has: the rest is for what else it does, and for the hour of rows in hand."""


def check_drift(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    """Compare the latest window of each model version with its reference, and keep what was found."""
    settings = read_settings()
    checked = checker_of(settings).run(last_bucket(settings, time.time()))
    provisional = [check.model_version for check in checked if check.reference_kind == "uniform"]
    ask_for_what_is_missing(log_of(settings).engine, provisional)
    return {check.model_version: check.verdict for check in checked}


def keep_profiles(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    """Make up for what was logged without a profile, join old profiles, and remove those of removed predictions."""
    settings = read_settings()
    engine = log_of(settings).engine
    found = baselines_of(settings)

    def baseline(version: str) -> Baseline | None:
        return found(version) or _make_baseline(settings, version, progress)

    store, now_seconds = ProfileStore(engine), time.time()
    watched_seconds = 2 * settings.drift_window_seconds + _DAY_SECONDS
    removed, joined = store.remove_old(now_seconds, watched_seconds), store.compact(now_seconds)
    recount = Recount(engine, baseline, bucket_seconds=bucket_seconds_of(settings))
    caught_up = CatchUp(engine, recount).run(_CATCH_UP_SECONDS, lambda text: progress(0.0, text))
    return {**caught_up._asdict(), "removed": removed, "joined": joined}


def _make_baseline(settings: Settings, version: str, progress: Progress) -> Baseline | None:
    """That of a version which an older service has made, by asking it."""
    folder = settings.data_dir / "models" / version
    from api_pokemon.dex import load_dex  # which the other jobs need not wait for
    from api_pokemon.model import open_model
    from api_pokemon.model.baseline import SEED, baseline_of, may_be_installed, uniform_rows

    if not may_be_installed(version) or not folder.is_dir():
        return None
    dex = load_dex()

    def tell(done: int, total: int) -> None:
        if done % 100 == 0:
            progress(done / total, f"{version}: asked for its baseline")

    try:
        predictor = open_model(dex, folder)
    except (ModelMissingError, ModelDamagedError) as error:
        logger.warning("%s has no baseline, and cannot make one: %s", version, error)
        return None
    return baseline_of(list(uniform_rows(dex, predictor, SEED, tell)))


def last_bucket(settings: Settings, now_seconds: float) -> float:
    """The end of the last bucket that is over: where the latest window ends."""
    return now_seconds // bucket_seconds_of(settings) * bucket_seconds_of(settings)


def checker_of(settings: Settings) -> DriftChecker:
    """Checks for drift in the log's database."""
    return DriftChecker(log_of(settings).engine, settings.drift_window_seconds, drift_options_of(settings))


def drift_options_of(settings: Settings) -> DriftOptions:
    """How drift is told."""
    return DriftOptions(number=settings.drift_number_statistic, category=settings.drift_category_statistic)
