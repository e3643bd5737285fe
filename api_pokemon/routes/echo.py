"""What a caller sent, made fit to be shown again."""

from typing import Any

_LONGEST = 80
_MOST_BITS = 128  # Python refuses to write integers of 4,300 digits, and nobody would read them


def shorten(text: str) -> str:
    r"""The text in at most 80 characters, with whatever cannot be printed escaped.

    >>> shorten("a\x00b"), shorten("\ud800"), len(shorten("x" * 1000))
    ('a\\x00b', '\\ud800', 80)
    """
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: _LONGEST + 1])
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def show(value: Any) -> str:
    """A JSON value as it would be written, shortened; objects and lists only by their kind and size.

    >>> show(True), show("Surf"), show([1, 2]), show(None), show(10**40)
    ('true', '"Surf"', 'a list of 2', 'null', 'an integer of 133 bits')
    """
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f'"{shorten(value)}"'
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {len(value)}"
        case int() if value.bit_length() > _MOST_BITS:
            return f"an integer of {value.bit_length()} bits"
        case _:
            return shorten(str(value))
