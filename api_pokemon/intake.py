"""What a client sends, taken in no faster than it is answered.

Uvicorn parses all that comes, and keeps each request until those before it are answered: 256 kB of the shortest would
become 14,000 requests and 35 MB, and refusals would pile up where nobody reads them. Here what comes is parsed piece
by piece; while requests wait for those before them, the rest waits as it is, and nothing more is read.
"""

from typing import Any

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

PIECE_BYTES = 4096


class HeldFlow(FlowControl):
    """Reads nothing while what was read before is held back, whoever asks for more."""

    is_held = False

    def hold(self) -> None:
        self.is_held = True
        self.pause_reading()

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()


class UnhurriedProtocol(HttpToolsProtocol):
    """Uvicorn's, with bounds for what one connection can have under way.

    Beside that, a client that goes away is gone for the request in work too, where it has sent others behind it; and
    one that asks for another protocol, of which there is none here, is answered as if it had not.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.flow: HeldFlow
        self._in_work: RequestResponseCycle | None = None
        self._idle_since: float | None = None
        """Since the last answer, by the loop's clock; None once anything more came. What came before may be unread."""
        self._unparsed = b""
        self._declined: bytes | None = None
        """The head of a request that asks for another protocol, without that."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = HeldFlow(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._in_work:
            self._in_work.disconnected = True
            self._in_work.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._idle_since = None
        for start in range(0, len(data), PIECE_BYTES):
            if self._is_behind:
                self._unparsed = data[start:]
                break
            self.parse(data[start : start + PIECE_BYTES])
        if self._unparsed:
            self.flow.hold()

    def parse(self, data: bytes) -> None:
        """Take in one piece; a protocol that refuses something does so here."""
        try:
            self.parser.feed_data(data)
            return
        except httptools.HttpParserUpgrade as upgrade:
            end = upgrade.args[0]
        head, self._declined = self._declined or b"", None
        self.parse(head + data[end:])

    def on_headers_complete(self) -> None:
        # The parser would take all that follows for the other protocol, the body too; by CONNECT, a tunnel begins.
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._declined = self._head_without_upgrade()
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self._declined is None:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """As uvicorn does it, but for its timer: who looks at all connections finds those that are idle for long."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since = self.loop.time()
        if self.flow.is_held:
            self.loop.call_soon(self._go_on)  # others have their turn in between

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.flow.is_held:
            self.loop.call_soon(self._go_on)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._in_work = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def _is_behind(self) -> bool:
        """Whether requests wait for those before them, or answers for the client to read."""
        return bool(self.pipeline) or self.flow.write_paused

    def _go_on(self) -> None:
        if self._is_behind or self.transport.is_closing() or not self.flow.is_held:
            return
        self.flow.is_held = False
        data, self._unparsed = self._unparsed, b""
        self.data_received(data)
        self.flow.resume_reading()

    def _head_without_upgrade(self) -> bytes:
        first = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        lines = (b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade")
        return b"".join((first, *lines, b"\r\n"))
