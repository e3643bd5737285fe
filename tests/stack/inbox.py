"""Where messages arrive that go to Slack, to Discord or to a webhook: a server that keeps what it is sent."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Inbox:
    """Keeps the JSON bodies that are posted to a path of its own."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.paths: list[str] = []
        self.url = ""

    @contextmanager
    def opened(self) -> Iterator["Inbox"]:
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                inbox.messages.append(json.loads(body))
                inbox.paths.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_port}"
            Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            yield self
            server.shutdown()
