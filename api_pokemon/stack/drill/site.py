"""The stack that is drilled: where everything answers, and what may be done to it."""

from pathlib import Path
from typing import Any, NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

from api_pokemon.errors import ImpossibleFaultError, UnreachableError
from api_pokemon.stack.drill.recipes import Process
from api_pokemon.stack.running import RunningStack

_TIMEOUT_SECONDS = 15.0


class Urls(NamedTuple):
    """Where everything answers; the API's metrics may have a port of their own."""

    api: str
    worker: str
    prometheus: str
    deliveries: str
    metrics: str


class Native(NamedTuple):
    """A stack of `make stack` on this machine, and the folder of the rules that its Prometheus reads."""

    running: RunningStack
    rules_folder: Path


class Site:
    """The service of a stack, from outside; also a context manager.

    Parameters
    ----------
    urls
        Where it answers.
    admin_key
        Of the API and the worker, where they do not have two.
    native
        The stack, if it runs natively on this machine: only then are there processes to stop, and rules to change.
    """

    def __init__(self, urls: Urls, admin_key: str, native: Native | None = None) -> None:
        self.urls = urls
        self._native = native
        self._client = httpx.Client(headers={"X-API-Key": admin_key}, timeout=_TIMEOUT_SECONDS, trust_env=False)

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def need_native(self) -> Native:
        """What can be had on the stack's own machine alone.

        Raises
        ------
        ImpossibleFaultError
            It does not run here, or in containers.
        """
        if self._native is None:
            raise ImpossibleFaultError("only for a stack of `make stack`, on its own machine")
        return self._native

    def faults(self, process: Process) -> list[dict[str, Any]]:
        """What can be caused in a process, and what is on."""
        faults: list[dict[str, Any]] = self._ask("GET", process, "/faults").json()["faults"]
        return faults

    def cause(self, process: Process, fault: str, *, seconds: float, level: float | None) -> None:
        """Cause a fault in a process, or let it go on.

        Raises
        ------
        ImpossibleFaultError
            It cannot be caused there.
        """
        parameters = {"seconds": f"{seconds:g}", **({} if level is None else {"level": f"{level:g}"})}
        self._ask("PUT", process, f"/faults/{fault}", parameters)

    def lift(self, process: Process, fault: str) -> None:
        self._ask("DELETE", process, f"/faults/{fault}")

    def sample(self, name: str) -> float:
        """The sum of a metric's series, as the API shows it now.

        Raises
        ------
        ImpossibleFaultError
            It does not show it.
        """
        text = self._ask_at(self.urls.metrics, "GET", "api", "/metrics").text
        values = [
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        ]
        if not values:
            raise ImpossibleFaultError(f"the API shows no {name}")
        return sum(values)

    def predict_batch(self, duels: int) -> None:
        """Have many duels predicted at once."""
        duel = {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Razor Leaf", "Tackle"]}
        self._ask("POST", "api", "/predict/best-move/batch", body={"duels": [duel] * duels})

    def _ask(
        self, method: str, process: Process, path: str, parameters: dict[str, str] | None = None, body: Any = None
    ) -> httpx.Response:
        url = self.urls.api if process == "api" else self.urls.worker
        return self._ask_at(url, method, process, path, params=parameters, json=body)

    def _ask_at(self, url: str, method: str, process: Process, path: str, **request: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, f"{url}{path}", **request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(
                f"The {process} does not answer at {url} ({error or type(error).__name__})."
            ) from error
        if answer.is_error:
            raise ImpossibleFaultError(_detail(answer))
        return answer


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        if answer.status_code == httpx.codes.NOT_FOUND:
            return f"{answer.request.url} is not there: set API_POKEMON_FAULTS=true where that may be broken"
        return f"{answer.request.method} {answer.request.url} was answered with {answer.status_code}"
