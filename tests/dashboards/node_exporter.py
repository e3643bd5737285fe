"""node-exporter as a server of a test's own."""

import contextlib

import httpx

from api_pokemon.stack.programs import find_programs
from tests.servers import Server
from tests.stack.native_stack import needs_programs


class NodeExporter(Server):
    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/metrics"

    def _command(self) -> list[str]:
        needs_programs()
        return [find_programs().node_exporter, f"--web.listen-address=127.0.0.1:{self.port}"]

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(self.url).is_success
        return False

    def metrics(self) -> str:
        return httpx.get(self.url).text
