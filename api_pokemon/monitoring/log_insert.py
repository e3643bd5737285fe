"""Inserts rows that are not there yet, many at once, and tells which were not."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, LargeBinary, String, Table, bindparam, column, func, select
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
    insert = insert_or_ignore(connection, table, "id")
    return set(connection.scalars(insert.returning(table.c.id), ordered))


def insert_or_ignore(connection: Connection, table: Table, key: str) -> Any:
    """An insert that passes over what is there already under the same key."""
    insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing(index_elements=[key])


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
