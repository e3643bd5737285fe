"""Connections to Redis for those who do their own trying again."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from redis import Redis, asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry


def connect(url: str, *, timeout_seconds: float, role: str) -> Redis:
    """Return a client that connects when it is first used, and again after each error.

    It never repeats a command: whether one whose answer got lost may be repeated, only its sender knows.

    Parameters
    ----------
    url
        ``redis://…``, ``rediss://…`` with TLS, or ``unix://…``; a name and a password may be in it.
    timeout_seconds
        How long to wait for a connection, and for each answer.
    role
        What ``CLIENT LIST`` calls it, beside host and process.

    Raises
    ------
    ValueError
        If this is no such address. It is not repeated in the message, since it may hold a password.
    """
    retry = Retry(NoBackoff(), 0)
    with _readable():
        return Redis.from_url(url, retry=retry, **_options(timeout_seconds, role))


def connect_async(url: str, *, timeout_seconds: float, role: str) -> asyncio.Redis:
    """Return the same for an event loop."""
    retry = AsyncRetry(NoBackoff(), 0)
    with _readable():
        return asyncio.Redis.from_url(url, retry=retry, **_options(timeout_seconds, role))


def _options(timeout_seconds: float, role: str) -> dict[str, Any]:
    return {
        "client_name": f"{role}-{_printable(socket.gethostname())}-{os.getpid()}",
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),  # they would stretch the timeouts
    }


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except ValueError:
        raise ValueError(
            "The address of the stream cannot be read: redis://[user:password@]host[:port][/db], rediss://… or "
            "unix://path is wanted, with special characters of a password percent-encoded."
        ) from None


def describe(url: str) -> str:
    """Return the address without name, password and options.

    Examples
    --------
    >>> describe("redis://worker:secret@queue.internal:6380/2?client_name=x")
    'redis://queue.internal:6380/2'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _printable(host: str) -> str:
    """The name without what Redis refuses in a client's name."""
    return "".join(character for character in host if "!" <= character <= "~")
