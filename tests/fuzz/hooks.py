"""What Schemathesis cannot be told by its settings."""

from typing import Any

import schemathesis


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Take away "whatever else can fail", or no status would be an undocumented one."""
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("default", None)


@schemathesis.hook
def filter_body(context: schemathesis.HookContext, body: object) -> bool:
    """Leave out 25.0 for 25: an integer to JSON Schema, which cannot forbid it, and not to this service."""
    return not _holds_a_pointed_integer(body)


def _holds_a_pointed_integer(value: object) -> bool:
    match value:
        case float():
            return value.is_integer()
        case dict():
            return any(map(_holds_a_pointed_integer, value.values()))
        case list():
            return any(map(_holds_a_pointed_integer, value))
        case _:
            return False
