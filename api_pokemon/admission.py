"""HTTP with a door in front of the application, at which a request asks once its body is there."""

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api_pokemon.connections import BoundedProtocol
from api_pokemon.response_head import writing_at_once
from api_pokemon.routes.door import Admission, Door, Refusal
from api_pokemon.routes.json_route import MOST_BYTES


class AdmittingProtocol(BoundedProtocol):
    """Asks a door about each request once its body is there, and hands what is admitted to the application.

    So a client that sends slowly holds a connection and nothing else, and a refusal costs neither task nor middleware.
    A body of more than any route takes is refused as soon as that is known.

    Parameters
    ----------
    door
        Decides.
    options
        Those of the protocol of uvicorn.
    """

    body_seconds: ClassVar[float] = 10.0
    """From the headers of a request to the end of its body; beyond it, 408."""

    def __init__(self, door: Door, **options: Any) -> None:
        super().__init__(**options)
        self._door = door
        self._unready: tuple[RequestResponseCycle, ASGI3Application] | None = None
        self._unready_since: float | None = None
        self._admission: Admission | None = None

    def data_received(self, data: bytes) -> None:
        """Refuse without reading, where that can be: on a connection that waits for its next request."""
        refusal = self._door.refuse_unread(data) if self._is_idle else None
        if refusal is None:
            super().data_received(data)
            return
        self._idle_since = self.loop.time()
        self.server_state.total_requests += 1
        self._send(refusal, refusal.body)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self._unready and len(self.cycle.body) > MOST_BYTES:
            self._unready = None
            self._turn_away(self.cycle, self._door.too_large(self.cycle.scope))

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._unready:
            self._begin(*self._unready)

    def on_response_complete(self) -> None:
        if self._admission:
            self._admission.leave()
            self._admission = None
        if self._over_since is not None:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._unready:
            cycle, _ = self._unready
            self._door.gone(cycle.scope, self._waited_seconds())
            self._unready = None
        super().connection_lost(exc)

    def look(self, now_seconds: float) -> None:
        """Also give a request up whose body does not come."""
        super().look(now_seconds)
        if not self._unready:
            return
        cycle, _ = self._unready
        if self._unready_since is None:
            self._unready_since = now_seconds
        elif self._waited_seconds() > self.body_seconds:
            refusal = self._door.too_slow(cycle.scope, self._waited_seconds())
            self._unready = None
            self._turn_away(cycle, refusal)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Also say why a request is refused whose body cannot be read."""
        if self._unready:
            cycle, _ = self._unready
            self._unready = None
            self._door.broken(cycle.scope, self._waited_seconds())
            cycle.response_started = cycle.response_complete = True
        super()._refuse(status, detail)

    def _turn_back(self) -> None:
        self._door.crowded()
        super()._turn_back()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Called by uvicorn once a request's headers are there, and those before it on the connection are answered."""
        self._in_work = cycle
        if not cycle.more_body:
            self._begin(cycle, app)
            return
        if _is_too_large(cycle):
            self._turn_away(cycle, self._door.too_large(cycle.scope))
            return
        self._unready, self._unready_since = (cycle, app), None
        if cycle.waiting_for_100_continue:
            cycle.waiting_for_100_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _begin(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._unready = None
        verdict = self._door.admit(cycle.scope)
        if isinstance(verdict, Refusal):
            self._turn_away(cycle, verdict)
            return
        if verdict.headers:
            cycle.default_headers = [*cycle.default_headers, *verdict.headers]
        self._admission = verdict
        task = self.loop.create_task(cycle.run_asgi(writing_at_once(cycle, app)))
        task.add_done_callback(partial(self._done, verdict))
        self.tasks.add(task)

    def _done(self, admission: Admission, task: asyncio.Task[None]) -> None:
        admission.leave()
        self.tasks.discard(task)

    def _turn_away(self, cycle: RequestResponseCycle, refusal: Refusal) -> None:
        body = b"" if cycle.scope["method"] == "HEAD" else refusal.body
        self._send(refusal, body, closes=cycle.more_body or not cycle.keep_alive)
        cycle.response_started = cycle.response_complete = True
        if self.pipeline:
            self.loop.call_soon(self.on_response_complete)  # or a long pipeline would be a deep recursion
        else:
            self.on_response_complete()

    def _send(self, refusal: Refusal, body: bytes, *, closes: bool = False) -> None:
        """Send it, and close the connection after it, as the server itself may ask for while it stops."""
        headers = self.server_state.default_headers
        closes = closes or any(name == b"connection" for name, _ in headers)
        lines = [b"%b: %b\r\n" % header for header in headers if header[0] != b"connection"]
        end = b"connection: close\r\n\r\n" if closes else b"\r\n"
        self.transport.write(b"".join((refusal.head, *lines, end, body)))
        if closes:
            self._end()

    def _waited_seconds(self) -> float:
        return 0.0 if self._unready_since is None else self.loop.time() - self._unready_since


def _is_too_large(cycle: RequestResponseCycle) -> bool:
    """By what is here of the body, or by what it says that will come."""
    for name, value in cycle.scope["headers"]:
        if name == b"content-length":
            return len(value) > 6 or not value.isdigit() or int(value) > MOST_BYTES
    return len(cycle.body) > MOST_BYTES
