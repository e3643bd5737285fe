"""Shows the metrics of a registry over HTTP."""

import gzip
from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder, gzip_accepted
from prometheus_client.metrics_core import Metric
from starlette.requests import Request
from starlette.responses import Response

_OPENMETRICS = "application/openmetrics-text"
_VERSION = "version=1.0.0"


class Exposition:
    """Answers a scrape with what the scraper can read: OpenMetrics with exemplars, or else the text format 0.0.4.

    Parameters
    ----------
    registry
        What to show.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._source = _WithoutCreated(registry)

    async def respond(self, request: Request) -> Response:
        """Render on the event loop: a thread would take as long, and hold the loop's interpreter lock meanwhile."""
        # The library is told what it can write, not what was sent: versions that are no numbers break it.
        accept = f"{_OPENMETRICS};{_VERSION}" if _reads_openmetrics(request.headers.get("accept", "")) else ""
        encode, content_type = choose_encoder(accept)
        body = encode(self._source)
        headers = {"content-type": content_type, "vary": "accept, accept-encoding"}
        if gzip_accepted(request.headers.get("accept-encoding", "")):
            headers["content-encoding"] = "gzip"
            body = gzip.compress(body, compresslevel=1)  # a tenth of the size, a third of the time of the default
        return Response(body, headers=headers)


def _reads_openmetrics(accept: str) -> bool:
    """Whether it is among what a scraper takes, in the version that is written here, or in any."""
    for offer in accept.split(","):
        media_type, *parameters = (part.strip() for part in offer.split(";"))
        versions = [parameter for parameter in parameters if parameter.startswith("version=")]
        if media_type == _OPENMETRICS and versions in ([], [_VERSION]):
            return True
    return False


class _WithoutCreated:
    """A registry without the ``_created`` series, which double the counters and which nobody here asks for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            created = f"{metric.name}_created"
            metric.samples = [sample for sample in metric.samples if sample.name != created]
            yield metric
