"""A sample of a version's monitored rows: what they look like when nothing has changed."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from api_pokemon.dex import Dex
from api_pokemon.model.baseline import SIZE, baseline_of, uniform_rows
from api_pokemon.model.ranking import Predictor
from api_pokemon.model.registry import BASELINE_FILE, ROWS_FILE


def save_sample(
    dex: Dex, predictor: Predictor, seed: int, folder: Path, progress: Callable[[int, int], None], size: int = SIZE
) -> None:
    """Write ``rows.parquet``, what a version's rows look like under uniform traffic, and the baseline of these rows."""
    rows = list(uniform_rows(dex, predictor, seed, progress, size))
    pq.write_table(pa.Table.from_pylist(rows), folder / ROWS_FILE, compression="zstd", compression_level=19)
    (folder / BASELINE_FILE).write_bytes(baseline_of(rows).encode())


def load_sample(folder: Path) -> list[dict[str, object]]:
    """The rows that :func:`save_sample` has written."""
    rows: list[dict[str, object]] = pq.read_table(folder / ROWS_FILE).to_pylist()
    return rows
