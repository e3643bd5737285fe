"""The job that removes predictions which are too old, or too many."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from api_pokemon.startup import read_settings
from api_pokemon.stores import log_of

_DAY_SECONDS = 86_400


def remove_old_predictions(parameters: Mapping[str, Any], progress: Callable[[float, str], None]) -> Mapping[str, Any]:
    """Remove what the settings do not want kept, in batches so small that the worker goes on logging between them."""
    settings = read_settings()
    keep_days, keep_predictions = settings.log_keep_days, settings.log_keep_predictions
    if not (keep_days or keep_predictions):
        return {"removed": 0}
    log = log_of(settings)
    removed = 0
    while batch := log.remove_old(
        older_than_seconds=time.time() - keep_days * _DAY_SECONDS if keep_days else None,
        keep_at_most=keep_predictions or None,
    ):
        removed += batch
        progress(0.0, f"{removed} removed")
    return {"removed": removed}
