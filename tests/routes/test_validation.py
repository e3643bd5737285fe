from typing import Any

import pytest

from api_pokemon.routes.validation import FieldError, explain, field_errors


def finding(kind: str, *location: str | int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "loc": location, "msg": "Something {else}", "input": 7, **more}


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (finding("missing", "body", "a"), FieldError(detail="a is missing.", pointer="#/a")),
        (
            finding("less_than_equal", "body", "duels", 3, "a", ctx={"le": 5}),
            FieldError(detail="duels[3].a is 7; it must be at most 5.", pointer="#/duels/3/a"),
        ),
        (finding("model_type", "body"), FieldError(detail="The body is 7; it must be a JSON object.", pointer="#")),
        (
            finding("int_parsing", "query", "limit", input="x"),
            FieldError(detail="limit is x; it must be a whole number.", parameter="limit"),
        ),
        (
            finding("unheard_of", "body", "a"),
            FieldError(detail="a is 7; it is wrong: Something {else}.", pointer="#/a"),
        ),
        (
            finding("extra_forbidden", "body", "a/b~c\n"),
            FieldError(detail="a/b~c\\n is not a field of this request; leave it out.", pointer="#/a~1b~0c\\n"),
        ),
    ],
)
def test_what_is_wrong_in_the_callers_words(found: dict[str, Any], error: FieldError) -> None:
    assert field_errors([found]) == (error,)


def test_a_list_is_not_too_short_because_its_items_are_wrong() -> None:
    findings = [
        finding("string_type", "body", "moves", 0),
        finding("too_short", "body", "moves", ctx={"min_length": 1}),
    ]
    assert [error.pointer for error in field_errors(findings)] == ["#/moves/0"]


@pytest.mark.parametrize(("count", "text"), [(1, "x."), (2, "x. And 1 more error."), (3, "x. And 2 more errors.")])
def test_explain(count: int, text: str) -> None:
    assert explain([FieldError(detail="x.")] * count) == text
