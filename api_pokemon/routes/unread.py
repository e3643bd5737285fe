"""A request told from its bytes alone, without a parser and its callbacks.

For a server that has more to refuse than it can parse. Only what is beyond doubt is told: where one request ends and
the next one begins is nothing to guess about, so whatever is not plain is left to the parser.
"""

import re

from api_pokemon.routes.rate_limit import Header

MOST_BYTES = 4096
"""Of a request that is looked at; all limits for heads and bodies are beyond that."""

_LINES = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ \t]*[!-~][ -~]*\r\n)+")
_LINE = re.compile(rb"([^:]+):[ \t]*([^\r]*)\r\n")
_DECIDES = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"te", b"trailer"})
_KEEPS_OPEN = b"keep-alive"


def headers_of_one(data: bytes) -> list[Header] | None:
    """The headers, with names in lower case, of the one request of HTTP/1.1 with a body that these bytes are.

    Returns
    -------
    list of (name, value), or None
        None where there is less of a request, or more than one, and where anything about it is unusual: a header given
        twice, one that decides about the connection or the form of the body, a character that is not ASCII.

    Examples
    --------
    >>> headers_of_one(b"POST / HTTP/1.1\\r\\nHost: here\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
    [(b'host', b'here'), (b'content-length', b'2')]
    >>> headers_of_one(b"POST / HTTP/1.1\\r\\nHost: here\\r\\nContent-Length: 2\\r\\n\\r\\n{} ") is None
    True
    """
    begin, end = data.find(b"\r\n") + 2, data.find(b"\r\n\r\n") + 2
    if not 2 < begin < end or len(data) > MOST_BYTES or not _LINES.fullmatch(data, begin, end):
        return None
    headers = [(name.lower(), value) for name, value in _LINE.findall(data, begin, end)]
    fields = dict(headers)
    if len(fields) < len(headers) or b"host" not in fields or not _DECIDES.isdisjoint(fields):
        return None
    length = fields.get(b"content-length", b"")
    if not length.isdigit() or int(length) != len(data) - end - 2:
        return None
    return headers if fields.get(b"connection", _KEEPS_OPEN).lower() == _KEEPS_OPEN else None
