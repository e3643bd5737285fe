"""Each deployment in its turn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.deployment import DEPLOYMENTS, Deployment


@pytest.fixture(params=list(DEPLOYMENTS))
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    with DEPLOYMENTS[request.param](tmp_path) as deployment:
        yield deployment
