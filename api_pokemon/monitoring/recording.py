"""All that keeps the events of one process that answers requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from api_pokemon.monitoring.outbox_folder import OutboxFolder
from api_pokemon.monitoring.outbox_metrics import OutboxMetrics
from api_pokemon.monitoring.recorder import OutboxRecorder
from api_pokemon.monitoring.stream_metrics import StreamMetrics

if TYPE_CHECKING:
    from api_pokemon.monitoring.forwarder import Forwarder


class Recording:
    """Claims an outbox, commits events to it, forwards them where there is a stream, and shows how that goes.

    Parameters
    ----------
    registry
        Where the metrics are exposed.
    folder
        Where the outboxes of this machine are.
    stream_url
        Redis; empty where the workers read the outboxes themselves.

    Attributes
    ----------
    recorder
        What routes await before they answer.

    Raises
    ------
    NotRecordedError
        If no outbox can be claimed.
    """

    def __init__(self, registry: CollectorRegistry, folder: OutboxFolder, stream_url: str = "") -> None:
        self._claim = folder.claim()
        path = self._claim.path
        self.recorder = OutboxRecorder(lambda: folder.open(path))
        self._forwarder = _forwarder(folder, path, stream_url) if stream_url else None
        OutboxMetrics(registry, lambda: folder.states([path]), self.recorder.refused, folder.max_bytes)
        if self._forwarder:
            StreamMetrics(registry, self._forwarder.status)

    @contextmanager
    def forwarding(self) -> Iterator[None]:
        """Forward meanwhile; then commit what waits, send what can be sent, and leave the outbox to the next process.

        Events are taken from the first moment on, with or without this.
        """
        if self._forwarder:
            self._forwarder.start()
        try:
            yield
        finally:
            self.recorder.close()
            if self._forwarder:
                self._forwarder.stop()
            self._claim.release()


def _forwarder(folder: OutboxFolder, path: Path, stream_url: str) -> "Forwarder":
    from api_pokemon.monitoring.forwarder import Forwarder  # Redis's client: 14 MB

    return Forwarder(folder, path, stream_url)
