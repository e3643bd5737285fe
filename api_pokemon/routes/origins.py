"""Web pages of other origins that may call the API from a browser."""

from collections.abc import Iterable, Sequence
from typing import Any

from api_pokemon.routes.keys import HEADER
from api_pokemon.routes.rate_limit import RATE_HEADERS

_SHOWN = ("X-Request-ID", "Retry-After", "Content-Language", *RATE_HEADERS)
_EVERY = "*"


def cors_options(origins: Sequence[str]) -> dict[str, Any]:
    """For the middleware. No credentials: a page may send the key that it was given, none that the browser keeps."""
    return {
        "allow_origins": origins,
        "allow_methods": ("GET", "POST"),
        "allow_headers": (HEADER, "X-Request-ID"),
        "expose_headers": _SHOWN,
    }


class Origins:
    """Lets a page read why it was refused before the middleware was asked.

    Parameters
    ----------
    allowed
        Origins such as ``https://page.example``; ``*`` is all.

    Examples
    --------
    >>> origins = Origins(["https://page.example"])
    >>> origins.lines([(b"origin", b"https://page.example")]).splitlines()[0]
    b'access-control-allow-origin: https://page.example'
    >>> origins.lines([(b"origin", b"https://other.example")])
    b''
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(origin.encode() for origin in allowed)
        shown = ", ".join(_SHOWN).encode()
        self._lines = b"access-control-allow-origin: %b\r\naccess-control-expose-headers: " + shown + b"\r\n"
        self._allows_all = _EVERY.encode() in self._allowed

    def lines(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The lines of a head that the page of a request needs; none where it may not call, or there is none."""
        origin = next((value for name, value in headers if name == b"origin"), None) if self._allowed else None
        if origin is None:
            return b""
        if self._allows_all:
            return self._lines % _EVERY.encode()
        return self._lines % origin + b"vary: Origin\r\n" if origin in self._allowed else b""
