"""Connections within bounds: how many, how long the head of a request may be, and how long it may take to come.

What a request costs is the application's business; this is about those who never finish one. A look at all connections
each second finds them, so that a request itself costs no timer.
"""

import asyncio
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

import httptools

from api_pokemon.intake import UnhurriedProtocol
from api_pokemon.monitoring import new_id
from api_pokemon.routes.asgi import NO_CONTENT_POLICY, REQUEST_ID, SECURITY_HEADERS
from api_pokemon.routes.problems import MEDIA_TYPE, bare_problem

_OF_A_LINE = len(b": \r\n")
_OVER_HTTP = b"".join(b"%b: %b\r\n" % header for header in (*SECURITY_HEADERS, NO_CONTENT_POLICY))


def most_connections() -> int:
    """As many as take half of the files that this process may open, and 4,096 at most."""
    return min(4096, max(64, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may take.

    Parameters
    ----------
    connections
        At the same time; who comes then gets 503.
    head_bytes, headers
        Of one request, its first line included; beyond them, 431.
    head_seconds
        From the first byte of a request to the end of its headers; beyond it, 408. As long may a connection be silent
        before it ever sends anything.
    unread_seconds
        For which a client may take in nothing of an answer.
    linger_seconds
        For which what still comes is read and thrown away, once a request was refused before its end.
    """

    connections: int = 4096
    head_bytes: int = 16 * 1024
    headers: int = 100
    head_seconds: float = 10.0
    unread_seconds: float = 30.0
    linger_seconds: float = 2.0


class _RefusedError(Exception):
    """Out of a callback of the parser, to stop it."""


class BoundedProtocol(UnhurriedProtocol):
    """HTTP within limits; what it refuses, it tells in the form of all other problems."""

    limits: ClassVar[Limits] = Limits(most_connections())

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._in_head = False
        self._came_bytes = 0
        self._first_bytes = 0
        """Of what came together with the beginning of the head; what was before it may be among them."""
        self._later_bytes = 0
        self._waits_since: float | None = None
        self._unsent_since: tuple[int, float] = (0, 0.0)
        self._is_deaf = False
        """Whether what still comes is thrown away: something was refused."""
        self._over_since: float | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._turn_back()

    def parse(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._came_bytes = len(data)
        self._later_bytes += self._came_bytes
        try:
            super().parse(data)
            if self._in_head and self._later_bytes > self.limits.head_bytes:  # the end of one may begin a long pipeline
                self._refuse_head()
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, _RefusedError):
                self._refuse_head()
            else:
                self._refuse(HTTPStatus.BAD_REQUEST, "Invalid HTTP request received.")

    def on_message_begin(self) -> None:
        if self._is_deaf:
            raise _RefusedError
        super().on_message_begin()
        self._in_head = True
        self._first_bytes, self._later_bytes = self._came_bytes, 0
        self._waits_since = None

    def on_headers_complete(self) -> None:
        self._in_head = False
        is_much = self._first_bytes + self._later_bytes > self.limits.head_bytes
        if len(self.headers) > self.limits.headers or (is_much and self._is_long()):
            raise _RefusedError
        super().on_headers_complete()

    def _is_long(self) -> bool:
        """Whether the head has too many bytes; to be asked only where so many have come, for it counts them."""
        head_bytes = len(self.url) + sum(len(name) + len(value) + _OF_A_LINE for name, value in self.headers)
        return head_bytes > self.limits.head_bytes

    def look(self, now_seconds: float) -> None:
        """Close the connection if it has waited for too long; called from time to time, with the time of the loop."""
        self._look_at_unsent(now_seconds)
        if self._over_since is not None:
            if now_seconds - self._over_since > self.limits.linger_seconds:
                self.transport.close()
        elif self._is_answering or self.flow.is_held:
            self._waits_since = None
        elif self._idle_since is not None and not self._in_head:
            self._waits_since = None
            if now_seconds - self._idle_since > self.timeout_keep_alive:
                self.transport.close()
        elif self._waits_since is None:
            self._waits_since = now_seconds
        elif now_seconds - self._waits_since > self.limits.head_seconds:
            if self._in_head:
                self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The headers of the request did not come in time.")
            else:
                self.transport.close()

    def _look_at_unsent(self, now_seconds: float) -> None:
        unsent, (before, since_seconds) = self.transport.get_write_buffer_size(), self._unsent_since
        if not unsent or unsent < before or not before:
            self._unsent_since = (unsent, now_seconds)
        elif now_seconds - since_seconds > self.limits.unread_seconds:
            self.transport.abort()

    @property
    def _is_idle(self) -> bool:
        """Whether all that came is read and answered, and more may come."""
        is_behind = self._in_head or self._is_deaf or self._is_behind or self.flow.is_held
        return self._idle_since is not None and not is_behind

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse_head(self) -> None:
        self._refuse(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"The head of the request has more than {self.limits.head_bytes} bytes or {self.limits.headers} headers.",
        )

    def _turn_back(self) -> None:
        self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections; try again.")
        self.transport.close()

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Say why, and end. Where answers are under way, end after them; nothing can be said in between."""
        if self._is_deaf or self.transport.is_closing():
            return
        if self._is_answering:
            self._is_deaf = True
            self.cycle.keep_alive = False
            if self.cycle.more_body:  # which will not come any more
                self.transport.close()
            return
        body = bare_problem(status, detail)
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n"
        self.transport.write(head.encode() + _OVER_HTTP + b"%b: %b\r\n" % (REQUEST_ID, new_id().encode()))
        self.transport.write(b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        self._end()

    def _end(self) -> None:
        """Close, once the client has read the answer and closes too, or a moment later.

        To close with bytes that are not read resets the connection, and the client may lose the answer.
        """
        self._is_deaf = True
        self._over_since = self.loop.time()
        self.transport.write_eof()


def look_at_all(connections: Iterable[object]) -> None:
    """Close those that have waited for too long; in the loop that runs, each second or so."""
    now_seconds = asyncio.get_running_loop().time()
    for connection in tuple(connections):
        if isinstance(connection, BoundedProtocol):
            connection.look(now_seconds)
