"""Duels in parquet files: by id there, by row of the tables here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from api_pokemon.battle.tables import DuelTables
from api_pokemon.errors import ModelError

DUEL_COLUMNS = ("form_a", "move_a", "form_b", "move_b")


def read_duels(path: Path, tables: DuelTables, numbers: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Columns of a file: the duels, as rows of the tables, and the named numbers as they are.

    Raises
    ------
    ModelError
        The file cannot be read, lacks a column, names forms or moves that cannot duel, or tells of draws, which are no
        label.
    """
    try:
        table = pq.read_table(path)
        columns = {name: table[name].to_numpy().astype(np.int64) for name in (*DUEL_COLUMNS, *numbers)}
    except FileNotFoundError as error:
        hint = "" if path.is_absolute() else " The default paths are relative to the repository's root."
        raise ModelError(f"{path} cannot be read: there is no such file.{hint}") from error
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} cannot be read: {error}.") from error
    if "draws" in table.column_names:
        raise ModelError(f"{path} tells of draws, which say nothing about who wins; leave those duels out.")
    for name in DUEL_COLUMNS:
        columns[name] = _rows_of(columns[name], tables.form_row if name.startswith("form") else tables.move_row, path)
    return columns


def to_ids(duels: Mapping[str, NDArray[np.int64]], tables: DuelTables) -> dict[str, NDArray[np.int64]]:
    """Columns with rows of the tables, as the file has them."""
    ids = {"form": np.array(tables.form_ids), "move": np.array(tables.moves.ids)}
    return {name: ids[name[:4]][rows] if name in DUEL_COLUMNS else rows for name, rows in duels.items()}


def _rows_of(ids: NDArray[np.int64], row: Mapping[int, int], path: Path) -> NDArray[np.int64]:
    table = np.full(max(max(row), int(ids.max(initial=0))) + 1, -1, dtype=np.int64)
    table[list(row)] = list(row.values())
    rows: NDArray[np.int64] = table[ids]
    if (rows < 0).any():
        raise ModelError(f"{path} holds the id {ids[rows < 0][0]}, which is no form, or no move that can be chosen.")
    return rows
