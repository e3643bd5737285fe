"""A request told from its bytes, beside the parser that decides in all other cases."""

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api_pokemon.routes.unread import MOST_BYTES, headers_of_one

PLAIN = b"POST /p HTTP/1.1\r\nHost: here\r\nX-Request-ID: a\r\nContent-Length: 2\r\n\r\n{}"


class _Seen:
    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.begun = self.done = 0

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_message_complete(self) -> None:
        self.done += 1


def test_a_plain_request_is_told() -> None:
    assert headers_of_one(PLAIN) == [(b"host", b"here"), (b"x-request-id", b"a"), (b"content-length", b"2")]


@pytest.mark.parametrize(
    "data", [b"", PLAIN[:-1], PLAIN + b" ", PLAIN[: PLAIN.find(b"\r\n\r\n")], PLAIN.replace(b"Host: here\r\n", b"")]
)
def test_what_is_not_one_request_is_left_to_the_parser(data: bytes) -> None:
    assert headers_of_one(data) is None


@pytest.mark.parametrize(
    "lines",
    [
        b"Host: there",
        b"Host : there",
        b" folded",
        b"a: b\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked",
        b"expect: 100-continue",
        b"Upgrade: h2c",
        b"Connection: close",
        b"a: " + b"b" * MOST_BYTES,
    ],
)
def test_a_request_with_such_a_line_is_left_to_the_parser(lines: bytes) -> None:
    assert headers_of_one(PLAIN.replace(b"Host: here", b"Host: here\r\n" + lines)) is None


@pytest.mark.parametrize("length", [b"", b"+2", b"2, 2", b"3", b"0x2"])
def test_a_request_without_a_plain_length_is_left_to_the_parser(length: bytes) -> None:
    assert headers_of_one(PLAIN.replace(b"Length: 2", b"Length: " + length)) is None


_PIECES = [
    PLAIN,
    b"Host: here\r\n",
    b"Content-Length: 2\r\n",
    b"content-length:0\r\n",
    b"Content-Length: 2 \r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: keep-alive\r\n",
    b" folded\r\n",
    b"a:b\n",
    b"\r\n",
    b"{}",
    b"0\r\n\r\n",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=8).map(b"".join))
@example(b"Host: here\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\n{}")
def test_what_is_told_is_what_the_parser_sees(rest: bytes) -> None:
    data = b"POST /p HTTP/1.1\r\n" + rest
    headers = headers_of_one(data)
    if headers is not None:
        seen = _Seen()
        httptools.HttpRequestParser(seen).feed_data(data)
        assert (seen.begun, seen.done, seen.headers) == (1, 1, headers)
