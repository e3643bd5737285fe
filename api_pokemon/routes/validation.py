"""pydantic's findings in the caller's words: which value is wrong, and what would be right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from api_pokemon.routes.echo import shorten, show

_MOST_ERRORS = 20  # a batch can be wrong in thousands of places; nobody reads on

_REMEDIES = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of this request; leave it out",
    "int_type": "must be a whole number, written without quotes, point or exponent",
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_type": "must be a text",
    "string_too_short": "must have at least {min_length} character",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must hold no control characters",
    "literal_error": "must be {expected}",
    "prediction_id": "must be the `prediction_id` of an answer, a UUID of version 7",
    "time": "must be a time such as 2026-08-01, 2026-08-01T10:30:00Z or 1785580200 (Unix seconds)",
    "list_type": "must be a list",
    "too_short": "must have at least {min_length} item",
    "too_long": "must have at most {max_length} items",
    "model_type": "must be a JSON object",
}
_ABOUT_THE_NAME = ("missing", "extra_forbidden")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One bad value of a request."""

    detail: Annotated[str, Field(description="The bad value, and what would be right.")]
    pointer: Annotated[str, Field(description="Where in the body it stands, as a JSON Pointer in a fragment.")] = ""
    parameter: Annotated[str, Field(description="The path or query parameter that it is.")] = ""


def field_errors(findings: Sequence[Mapping[str, Any]]) -> tuple[FieldError, ...]:
    """The caller's view of pydantic's findings, whose locations start with ``body``, ``path`` or ``query``."""
    return tuple(_field_error(finding) for finding in _innermost(findings)[:_MOST_ERRORS])


def explain(errors: Sequence[FieldError]) -> str:
    """All errors in short: the first, and how many more there are.

    >>> explain([FieldError(detail="limit is 0; it must be at least 1."), FieldError(detail="…")])
    'limit is 0; it must be at least 1. And 1 more error.'
    """
    more = len(errors) - 1
    return errors[0].detail + (f" And {more} more error{'s' if more > 1 else ''}." if more else "")


def _innermost(findings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without the lists that pydantic calls too short because their items are wrong."""
    parents = {finding["loc"][:-1] for finding in findings}
    return [finding for finding in findings if finding["loc"] not in parents]


def _field_error(finding: Mapping[str, Any]) -> FieldError:
    source, *path = finding["loc"]
    template = _REMEDIES.get(finding["type"])
    remedy = template.format(**finding.get("ctx", {})) if template else f"is wrong: {finding['msg']}"
    name = _name(path) if path else "The body"
    if finding["type"] in _ABOUT_THE_NAME:
        detail = f"{name} {remedy}."
    elif source == "body":
        detail = f"{name} is {show(finding['input'])}; it {remedy}."
    else:
        detail = f"{name} is {shorten(finding['input'])}; it {remedy}."
    if source == "body":
        return FieldError(detail=detail, pointer=_pointer(path))
    return FieldError(detail=detail, parameter=str(path[0]))


def _name(path: Iterable[str | int]) -> str:
    """The place as a program would write it: ``duels[3].pokemon_a_id``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{shorten(part)}" for part in path)
    return "".join(parts).removeprefix(".")


def _pointer(path: Iterable[str | int]) -> str:
    """The place by RFC 6901: ``#/duels/3/pokemon_a_id``."""
    parts = (shorten(str(part)).replace("~", "~0").replace("/", "~1") for part in path)
    return "#" + "".join(f"/{part}" for part in parts)
