"""A version's baseline: what its monitored rows are measured on, and what they look like under uniform traffic."""

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from api_pokemon.dex import Dex
from api_pokemon.model.monitored_rows import MONITORED_FIELDS, choice_fields, request_fields
from api_pokemon.model.ranking import MoveRanker, Predictor
from api_pokemon.model.registry import BASELINE_FILE, SHIPPED
from api_pokemon.monitoring.drift_baseline import Baseline, make_baseline
from api_pokemon.monitoring.profile_rows import row_batch
from api_pokemon.traffic.scenarios import uniform

logger = logging.getLogger(__name__)

SIZE = 10_000
SEED = 1

Rows: TypeAlias = Sequence[dict[str, Any]]


def uniform_rows(
    dex: Dex, predictor: Predictor, seed: int, progress: Callable[[int, int], None], size: int = SIZE
) -> Iterator[dict[str, Any]]:
    """The monitored rows of uniform traffic: fields of the request, then those of the choice."""
    ranker = MoveRanker(dex, predictor)
    for done, call in enumerate(islice(uniform(dex, Random(seed)), size), start=1):
        ranking = ranker.rank(call.pokemon_a_id, call.pokemon_b_id, call.available_moves, call.available_moves_b)
        yield {**request_fields(ranking, call.language), **choice_fields(ranking)}
        progress(done, size)


def baseline_of(rows: Rows) -> Baseline:
    """The baseline that these rows give."""
    return make_baseline(MONITORED_FIELDS, row_batch(MONITORED_FIELDS, rows, rows))


def may_be_installed(version: str) -> bool:
    """Whether a name that comes from a log may become a path.

    >>> may_be_installed("20261123-1befb5e0"), may_be_installed("../keys"), may_be_installed("")
    (True, False, False)
    """
    return bool(version) and not version.startswith(".") and not {"/", "\\"} & set(version)


def find_baseline(models_dir: Path, version: str) -> Baseline | None:
    """The baseline of a version that is installed here, or ships with the package; None where there is none to read.

    One that was made by an older service may have none.
    """
    if not may_be_installed(version):
        return None
    for folder in (models_dir / version, SHIPPED / version):
        path = folder / BASELINE_FILE
        try:
            return Baseline.decode(path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            logger.warning("%s cannot be read: %s", path, error)
    return None
