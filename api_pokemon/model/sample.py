"""A sample of a version's monitored rows: what they look like when nothing has changed."""

from collections.abc import Callable
from dataclasses import fields
from itertools import islice
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from api_pokemon.dex import Dex
from api_pokemon.model.monitored_rows import ChoiceFields, RequestFields, choice_fields, request_fields
from api_pokemon.model.ranking import MoveRanker, Predictor
from api_pokemon.model.registry import ROWS_FILE
from api_pokemon.traffic.scenarios import uniform

SIZE = 10_000


def save_sample(
    dex: Dex, predictor: Predictor, seed: int, folder: Path, progress: Callable[[int, int], None], size: int = SIZE
) -> None:
    """Write ``rows.parquet``: what a version's rows look like under uniform traffic."""
    ranker = MoveRanker(dex, predictor)
    columns: dict[str, list[object]] = {
        field.name: [] for kind in (RequestFields, ChoiceFields) for field in fields(kind)
    }
    for done, call in enumerate(islice(uniform(dex, Random(seed)), size), start=1):
        ranking = ranker.rank(call.pokemon_a_id, call.pokemon_b_id, call.available_moves, call.available_moves_b)
        for group in (request_fields(ranking, call.language), choice_fields(ranking)):
            for field in fields(group):
                columns[field.name].append(getattr(group, field.name))
        progress(done, size)
    pq.write_table(pa.table(columns), folder / ROWS_FILE, compression="zstd", compression_level=19)
