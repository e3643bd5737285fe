"""An application that runs from its startup to its shutdown, for tests that are not asynchronous themselves."""

import asyncio
from types import TracebackType

import httpx
from starlette.applications import Starlette


class Running:
    """Starts an application on entry, stops it on exit, and asks it in between; no socket is involved."""

    def __init__(self, app: Starlette) -> None:
        self._lifespan = app.router.lifespan_context(app)
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")
        self._runner = asyncio.Runner()

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def request(self, method: str, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, headers=headers))

    def __enter__(self) -> "Running":
        self._runner.run(self._lifespan.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._runner.run(self._client.aclose())
        self._runner.run(self._lifespan.__aexit__(kind, error, traceback))
        self._runner.close()
