"""The jobs that keep profiles whole and few, and check them for drift."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from api_pokemon.dex import load_dex
from api_pokemon.model import open_model
from api_pokemon.model.baseline import SEED, baseline_of, uniform_rows
from api_pokemon.monitoring.drift_baseline import Baseline
from api_pokemon.monitoring.profile_recount import Recount
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.settings import Settings
from api_pokemon.startup import read_settings
from api_pokemon.stores import baselines_of, bucket_seconds_of, log_of

Progress = Callable[[float, str], None]


def keep_profiles(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    """Make up for what was logged without a profile, join old profiles, and remove those of removed predictions."""
    settings = read_settings()
    engine = log_of(settings).engine
    found = baselines_of(settings)

    def baseline(version: str) -> Baseline | None:
        return found(version) or _make_baseline(settings, version, progress)

    recount = Recount(engine, baseline, bucket_seconds=bucket_seconds_of(settings))
    caught_up = recount.catch_up(lambda text: progress(0.0, text))
    store = ProfileStore(engine)
    return {
        "caught_up": caught_up,
        "removed": store.remove_old(time.time()),
        "joined": store.compact(time.time()),
    }


def _make_baseline(settings: Settings, version: str, progress: Progress) -> Baseline | None:
    """That of a version which an older service has made, by asking it."""
    folder = settings.data_dir / "models" / version
    if not folder.is_dir():
        return None
    dex = load_dex()

    def tell(done: int, total: int) -> None:
        if done % 100 == 0:
            progress(done / total, f"{version}: asked for its baseline")

    return baseline_of(list(uniform_rows(dex, open_model(dex, folder), SEED, tell)))
