"""Takes what Alertmanager delivers to a plain webhook, so that alerts are seen where nobody else listens."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import time
from typing import Any, NamedTuple, Self

_LARGEST_BODY_BYTES = 4 << 20


class Delivery(NamedTuple):
    """One alert of one delivery.

    Parameters
    ----------
    status
        ``firing`` or ``resolved``.
    starts_at_seconds, ends_at_seconds
        Unix times; the end is None while the alert fires.
    received_at_seconds
        Unix time at which it came here.
    receiver
        The receiver of Alertmanager's configuration that it was sent to.
    """

    alert: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at_seconds: float
    ends_at_seconds: float | None
    received_at_seconds: float
    receiver: str

    def __str__(self) -> str:
        severity = self.labels.get("severity", "no severity")
        at = datetime.fromtimestamp(self.received_at_seconds).astimezone().strftime("%H:%M:%S")
        told = self.annotations.get("description") if self.status == "firing" else "it is over"
        return f"{at}  {self.status.upper():8}  {self.alert} ({severity}): {told}"


def deliveries_of(body: bytes, received_at_seconds: float) -> list[Delivery]:
    """Read what Alertmanager sends to a webhook (its version 4).

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError
        It is something else.
    """
    document = json.loads(body)
    return [
        Delivery(
            alert["labels"]["alertname"],
            alert["status"],
            alert["labels"],
            alert["annotations"],
            _seconds(alert["startsAt"]),
            _seconds(alert["endsAt"]) if alert["status"] == "resolved" else None,
            received_at_seconds,
            document["receiver"],
        )
        for alert in document["alerts"]
    ]


class DeliveryReceiver:
    """A small HTTP server: POST takes a delivery, ``GET /deliveries`` answers the last ones, as JSON.

    It runs between entering and leaving its context, in a thread of its own.

    Parameters
    ----------
    port
        Of 127.0.0.1; 0 takes a free one, which `port` then tells.
    tell
        Called with each delivery; prints it, for one.
    most
        How many deliveries are kept.

    Raises
    ------
    OSError
        By the constructor, where the port cannot be had.
    """

    def __init__(self, port: int, tell: Callable[[Delivery], None] = lambda delivery: None, most: int = 1000) -> None:
        self._kept: deque[Delivery] = deque(maxlen=most)
        self._tell = tell
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.receiver = self
        self.port: int = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.05,), name="deliveries", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __iter__(self) -> Iterator[Delivery]:
        """What came, the oldest first."""
        return iter(tuple(self._kept))

    def take(self, body: bytes) -> None:
        for delivery in deliveries_of(body, time()):
            self._kept.append(delivery)
            self._tell(delivery)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: DeliveryReceiver


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _LARGEST_BODY_BYTES:
            self._answer(HTTPStatus.BAD_REQUEST, {"error": "a body of known length, of at most 4 MiB, is wanted"})
            return
        try:
            self.server.receiver.take(self.rfile.read(int(length)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, {"error": f"not what Alertmanager sends to a webhook: {error!r}"})
        else:
            self._answer(HTTPStatus.OK, {"status": "taken"})

    def do_GET(self) -> None:
        if self.path != "/deliveries":
            self._answer(HTTPStatus.NOT_FOUND, {"error": "there is GET /deliveries, and POST for Alertmanager"})
        else:
            self._answer(HTTPStatus.OK, [delivery._asdict() for delivery in self.server.receiver])

    def _answer(self, status: HTTPStatus, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name in the base
        """Say nothing: what is delivered is told."""


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
