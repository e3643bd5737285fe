"""A running stack as its acceptance walk sees it: where everything answers, and how to ask it."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx

from api_pokemon.errors import UnmetError, UnreachableError
from api_pokemon.stack.alertmanager import AlertmanagerClient
from api_pokemon.stack.configuration import DOCKER
from api_pokemon.stack.prometheus import PrometheusClient

_TIMEOUT_SECONDS = 10.0
_LOOK_SECONDS = 0.2


class Urls(NamedTuple):
    """Where everything answers; the worker and Grafana may be None: not to be reached from here, or not there."""

    api: str
    prometheus: str
    alertmanager: str
    worker: str | None = None
    grafana: str | None = None


class Site:
    """Asks a running stack; also a context manager.

    Parameters
    ----------
    urls
        Where it answers.
    key
        For the API, where it wants one.
    grafana_login
        Name and password.
    speedup
        By how much its waiting is shorter than the files say.
    patience_seconds
        How long something may take to become true.
    docker
        The folder with its configuration.
    """

    def __init__(
        self,
        urls: Urls,
        *,
        key: str = "",
        grafana_login: tuple[str, str] = ("admin", "admin"),
        speedup: float = 1.0,
        patience_seconds: float = 30.0,
        docker: Path = DOCKER,
    ) -> None:
        self.urls = urls
        self.speedup = speedup
        self.docker = docker
        self.prometheus = PrometheusClient(urls.prometheus)
        self.alertmanager = AlertmanagerClient(urls.alertmanager)
        self._patience_seconds = patience_seconds
        self._headers = {"X-API-Key": key} if key else {}
        self._grafana_login = grafana_login
        self._client = httpx.Client(timeout=_TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in (self.prometheus, self.alertmanager, self._client):
            client.close()

    def ask_api(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """Ask the API; see `ask`."""
        return self.ask(method, self.urls.api + path, headers=self._headers, json=body)

    def ask_grafana(self, path: str) -> Any:
        """Ask Grafana for JSON; see `ask`."""
        url = f"{self.urls.grafana}{path}"
        try:
            return self.ask("GET", url, auth=self._grafana_login).json()
        except ValueError as error:
            raise UnmetError(f"What answers at {url} is no Grafana.") from error

    def ask(self, method: str, url: str, **request: Any) -> httpx.Response:
        """Ask for something.

        Raises
        ------
        UnreachableError
            Nobody answers.
        UnmetError
            The answer is no success.
        """
        try:
            answer = self._client.request(method, url, **request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"Nothing answers at {url} ({error}).") from error
        if not answer.is_success:
            raise UnmetError(f"{method} {url} was answered with {answer.status_code}: {answer.text[:200]}")
        return answer

    def wait(self, look: Callable[[], str]) -> str:
        """Look again and again until there is no `UnmetError`, or patience ends, and with it the last error."""
        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                return look()
            except UnmetError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_LOOK_SECONDS)
