"""Drift is checked and Evidently writes reports where there is no network, and nobody looks for one.

It takes half a minute on an idle machine, and so is no part of ``make test``; ``make test-network`` runs it.
"""

from pathlib import Path

from tests.integration.test_no_network import WITH_REPORTS, attempts_of_the_service


def test_drift_reports_call_nobody(tmp_path: Path) -> None:
    assert attempts_of_the_service(tmp_path, WITH_REPORTS) == 0
    assert [path.name for path in (tmp_path / "data" / "reports").glob("*/report.html")] == ["report.html"]
