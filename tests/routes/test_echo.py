from typing import Any

import pytest

from api_pokemon.routes.echo import shorten, show


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("Évoli 25", "Évoli 25"),
        ("a\tb\r\n\x1b[31m", "a\\tb\\r\\n\\x1b[31m"),
        ("\u2028\u202e\ud800\x7f", "\\u2028\\u202e\\ud800\\x7f"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("\0" * 81, "\\x00" * 19 + "\\x0…"),
    ],
)
def test_shorten(text: str, shown: str) -> None:
    assert shorten(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (False, "false"),
        (-3, "-3"),
        (2**128 - 1, str(2**128 - 1)),
        (-(2**200), "an integer of 201 bits"),
        (float("nan"), "nan"),
        (1.5, "1.5"),
        ("a\0", '"a\\x00"'),
        ([], "a list of 0"),
        ((1,), "a list of 1"),
        ({"a": 1}, "an object of 1"),
    ],
)
def test_show(value: Any, shown: str) -> None:
    assert show(value) == shown
