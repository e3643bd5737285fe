"""Looks after the files of the answering model: damage to them changes no answer, and would be found at a restart."""

import logging
from collections.abc import Callable
from threading import Event, Thread

from api_pokemon.errors import ModelError

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 60.0


class ModelFiles:
    """Reads a model version's files again now and then, and tells when they are not what they were.

    Parameters
    ----------
    check
        Reads them, or raises `ModelError`.
    tell
        Hears after each look whether they are sound.
    look_seconds
        Between two looks; one reads some 35 MB, and takes about 30 ms of a thread of its own.
    """

    def __init__(
        self, check: Callable[[], None], tell: Callable[[bool], None], look_seconds: float = _LOOK_SECONDS
    ) -> None:
        self._check = check
        self._tell = tell
        self._look_seconds = look_seconds
        self._are_sound = True
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="model-files", daemon=True)
        tell(True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Return once it looks no more."""
        self._stopping.set()
        self._thread.join()

    def look(self) -> None:
        """Look once, and log a change."""
        try:
            self._check()
        except ModelError as error:
            if self._are_sound:
                logger.error(
                    "%s What answers was loaded before, and stays as it was; a restart would need the file.", error
                )
            self._are_sound = False
        else:
            if not self._are_sound:
                logger.info("the files of the model are sound again")
            self._are_sound = True
        self._tell(self._are_sound)

    def _run(self) -> None:
        while not self._stopping.wait(self._look_seconds):
            self.look()
