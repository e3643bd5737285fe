"""The rules of Prometheus, checked by its own tool."""

import shutil
import subprocess
from pathlib import Path

from tests.needs import needs

PROMETHEUS = Path(__file__).parents[2] / "docker" / "prometheus"


def promtool(*words: str) -> str:
    """Run it; it must be content."""
    needs(shutil.which("promtool"), "promtool (see scripts/prepare_tests)")
    ran = subprocess.run(["promtool", *words], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_prometheus_takes_its_configuration() -> None:
    assert "3 rule files found" in promtool("check", "config", "prometheus.yml")
