"""A little traffic, steady and bounded, for rules that judge what callers get."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import httpx

_REQUESTS_PER_SECOND = 3.0
_AT_ONCE = 8
_TIMEOUT_SECONDS = 15.0
_DUEL = {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Razor Leaf", "Tackle"]}


class Traffic:
    """Asks for predictions while its context lasts; those for whom there is no room are left out.

    Parameters
    ----------
    url
        Of the API.
    key
        For it.
    """

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=_TIMEOUT_SECONDS, trust_env=False)
        self._ended = threading.Event()
        self._room = threading.Semaphore(_AT_ONCE)
        self._senders = ThreadPoolExecutor(_AT_ONCE, "drill-traffic")
        self._thread = threading.Thread(target=self._run, name="drill-traffic", daemon=True)
        self.sent = 0

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._client.close()
        self._senders.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        due = monotonic()
        while not self._ended.wait(max(0.0, due - monotonic())):
            due = max(due + 1 / _REQUESTS_PER_SECOND, monotonic())
            if self._room.acquire(blocking=False):
                self.sent += 1
                self._senders.submit(self._send)

    def _send(self) -> None:
        try:
            self._client.post("/predict/best-move", json=_DUEL)
        except (httpx.HTTPError, RuntimeError):  # the API is stopped on purpose, or the drill is over
            pass
        finally:
            self._room.release()
