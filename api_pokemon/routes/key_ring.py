"""The keys that count now: those of the settings, and those of two files that may change while the service runs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import TypeAlias

from api_pokemon.errors import KeyFileError, StartError
from api_pokemon.routes.admin_key import AdminKeyFile
from api_pokemon.routes.key_file import KeyFile
from api_pokemon.routes.keys import Keys, KeySettings, Role

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks whether a file has changed."""

_Stamp: TypeAlias = tuple[int, int, int] | None


class KeyRing:
    """Follows its files while it is `following`; a request meets nothing but the latest keys.

    A file that is gone or cannot be read changes nothing: the keys from before go on to count, and the log says so.
    Predictions that needed a key need one until the end of the process, whatever becomes of the files.

    Parameters
    ----------
    settings
        What the settings say of keys.
    admin_key
        The file of the admin key, made where it is missing.
    named
        The file of named keys.

    Raises
    ------
    StartError
        If a file cannot be read, or predictions would be open to other machines without anyone having said so.
    """

    def __init__(self, settings: KeySettings, admin_key: AdminKeyFile, named: KeyFile) -> None:
        self._settings = settings
        self._admin_key = admin_key
        self._named = named
        admin_key.read_or_make()
        self._seen = self._look()  # before the files are read: what changes meanwhile is seen at the next look
        try:
            self._keys = self._read()
        except KeyFileError as error:
            raise StartError(str(error)) from error

    @property
    def predictions_open(self) -> bool:
        return self._keys.predictions_open

    def role(self, key: str) -> Role | None:
        return self._keys.role(key)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Take changes over, within seconds, until the end."""
        stop = Event()
        thread = Thread(target=self._follow, args=(stop,), name="keys", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(LOOK_SECONDS)

    def refresh(self) -> None:
        """Take over what has changed since the last time, if anything has."""
        look = self._look()
        if look == self._seen:
            return
        self._seen, (_, before) = look, self._seen
        try:
            if before and look[1] is None:
                raise KeyFileError(f"{self._named.path} is gone")
            read = self._read()
        except (KeyFileError, StartError) as error:
            logger.error("the keys from before go on to count: %s", error)
            return
        self._keys = replace(read, predictions_open=read.predictions_open and self._keys.predictions_open)
        logger.info("keys were changed; %d count now", len(read.roles))

    def _follow(self, stop: Event) -> None:
        while not stop.wait(LOOK_SECONDS):
            self.refresh()

    def _read(self) -> Keys:
        return self._settings.with_files(self._admin_key.read_or_make(), self._named.entries())

    def _look(self) -> tuple[_Stamp, _Stamp]:
        return _stamp(self._admin_key.path), _stamp(self._named.path)


def _stamp(path: Path) -> _Stamp:
    """What changes whenever another file takes the place of this one; None where there is none to be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
