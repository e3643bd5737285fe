"""A small HTTP client that measures: keep-alive connections, nothing parsed that is not needed.

General clients spend about a millisecond of processor time on a request, several times what the service needs for its
answer; measured through them, a latency is mostly their own.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

import httptools

from api_pokemon.errors import UnreachableError


class Client:
    """Sends POST requests over at most `connections` connections at a time.

    Parameters
    ----------
    url
        Of the service, as ``http://127.0.0.1:8000``.
    connections
        A request waits while all of them are in use.
    headers
        Sent with every request.
    """

    def __init__(self, url: str, *, connections: int, headers: Mapping[str, str] | None = None) -> None:
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise UnreachableError(f"{url!r} is not the URL of a service; one looks like http://127.0.0.1:8000.")
        self._url = url
        self._host = address.hostname
        self._port = address.port or (443 if address.scheme == "https" else 80)
        self._tls = ssl.create_default_context() if address.scheme == "https" else None
        self._path = address.path.rstrip("/")
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._netloc = address.netloc.rpartition("@")[2]
        self._idle: list[_Connection] = []
        self._slots = asyncio.Semaphore(connections)

    async def check(self) -> None:
        """Raise `UnreachableError` where nothing accepts a connection at the URL."""
        try:
            self._idle.append(await self._connect())
        except OSError as error:
            raise UnreachableError(
                f"No service answers at {self._url}. Start one with `api-pokemon up`, or name another with --url."
            ) from error

    def request(self, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """The bytes of a POST request with a JSON body."""
        extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            f"POST {self._path}{path} HTTP/1.1\r\nHost: {self._netloc}\r\n{self._headers}{extra}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def send(self, request: bytes) -> int:
        """Send the request and return the answer's status, once its last byte is here; OSError where none comes."""
        async with self._slots:
            connection = self._idle.pop() if self._idle else await self._connect()
            try:
                status = await connection.send(request)
            except BaseException:
                connection.close()
                raise
            if connection.reusable:
                self._idle.append(connection)
            return status

    def close(self) -> None:
        for connection in self._idle:
            connection.close()

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port, ssl=self._tls)
        return connection


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self.reusable = True
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[int] | None = None

    async def send(self, request: bytes) -> int:
        self._answer = asyncio.get_running_loop().create_future()
        if not self.reusable:
            raise ConnectionResetError("closed while idle")
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self.reusable = False
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.reusable = self._parser.should_keep_alive() and not self._transport.is_closing()
        if self._answer and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc if isinstance(exc, OSError) else ConnectionResetError("closed unanswered"))
