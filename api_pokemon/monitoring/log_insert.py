"""Inserts rows that are not there yet, many at once, and tells which were not."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, LargeBinary, String, Table, bindparam, column, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from api_pokemon.monitoring.log_rows import Row

_encode = msgspec.json.Encoder().encode


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> set[str]:
    """Insert the rows whose id is not in the table, and return the ids of these.

    Rows go in by their id: two who insert the same ones at the same time then wait for each other, and never both. Of
    rows with the same id, the first one counts.
    """
    by_id = {row["id"]: row for row in reversed(rows)}
    ordered = [by_id[row_id] for row_id in sorted(by_id)]
    if not ordered:
        return set()
    if connection.dialect.name == "postgresql":
        return set(connection.scalars(_from_document(table), {"rows": _encode(ordered).decode()}))
    present = set(connection.scalars(_present(table), {"ids": _encode(list(by_id)).decode()}))
    new = [row for row in ordered if row["id"] not in present]
    if new:
        connection.execute(insert(table), new)
    return by_id.keys() - present


def insert_or_ignore(connection: Connection, table: Table, key: str) -> Any:
    """An insert that passes over what is there already under the same key."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing(index_elements=[key])


@lru_cache
def _present(table: Table) -> Any:
    """Which ids are in a SQLite file, whose writer is alone: nobody else adds some before the rows go in.

    This and the insert of a row are the same texts however many rows there are. A connection keeps its last 128
    statements, each with what it was given: 2 MB for each number of rows that ever came, if one text held them all.
    """
    ids = func.json_each(bindparam("ids", type_=String())).table_valued("value")
    return select(table.c.id).where(table.c.id.in_(select(ids.c.value)))


@lru_cache
def _from_document(table: Table) -> Any:
    """One parameter for all rows: it costs a small part of what sending each value on its own does."""
    is_binary = {name: isinstance(table.c[name].type, LargeBinary) for name in table.c.keys()}  # noqa: SIM118
    columns = [column(name, String() if is_binary[name] else table.c[name].type) for name in is_binary]
    document = bindparam("rows", type_=String()).cast(postgresql.JSON())
    rows = func.json_to_recordset(document).table_valued(*columns).render_derived(name="given", with_types=True)
    values = [func.decode(rows.c[name], "base64") if is_binary[name] else rows.c[name] for name in is_binary]
    return (
        postgresql.insert(table)
        .from_select(list(is_binary), select(*values).order_by(rows.c.id))
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(table.c.id)
    )
