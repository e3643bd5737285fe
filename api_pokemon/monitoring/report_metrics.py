"""Shows how long the latest drift report took, whichever worker has written it."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from api_pokemon.monitoring import catalogue
from api_pokemon.monitoring.report_folder import ReportFolder
from api_pokemon.monitoring.report_summary import ReportSummary

_MOST = 20
"""The latest reports that are looked at: more than there are model versions in use."""


class ReportMetrics:
    """Looks into the folder at each scrape: a few small files.

    Parameters
    ----------
    registry
        Where the metrics are exposed.
    folder
        Where reports are kept.
    """

    def __init__(self, registry: CollectorRegistry, folder: ReportFolder) -> None:
        self._folder = folder
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        return _families(())

    def collect(self) -> Iterable[Metric]:
        try:
            return _families(self._folder.summaries(_MOST))
        except OSError:  # the disk is away; whoever writes to it tells so
            return _families(())


def _families(summaries: Iterable[ReportSummary]) -> Iterable[Metric]:
    duration = catalogue.DRIFT_REPORT_DURATION.gauges()
    latest: dict[str, ReportSummary] = {}
    for summary in summaries:
        latest.setdefault(summary.model_version, summary)
    for version, summary in sorted(latest.items()):
        duration.add_metric([version], summary.duration_seconds)
    return (duration,)
