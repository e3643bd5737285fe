"""What the clients of the stack's programs have in common."""

from typing import Self

import httpx


class ServedProgram:
    """A program that answers over HTTP, as Prometheus and Alertmanager do; also a context manager.

    Parameters
    ----------
    url
        As ``http://127.0.0.1:9090``.
    timeout_seconds
        Of each question.
    """

    def __init__(self, url: str, timeout_seconds: float = 10.0) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(timeout=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def is_ready(self) -> bool:
        try:
            return self._client.get(f"{self.url}/-/ready").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False
