"""Some hundreds of the cases that `make fuzz` sends, to a service that runs."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.__main__ import KEYS, SETTINGS
from tests.fuzz.campaign import Tally, Target, run
from tests.integration.deployment import Deployment, embedded

QUICK = ("--phases", "examples,fuzzing,stateful")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with embedded(tmp_path_factory.mktemp("fuzz"), SETTINGS) as deployment:
        yield deployment


def test_every_answer_is_as_documented(service: Deployment, tmp_path: Path) -> None:
    tally = Tally()
    admin = Target("admin", f"{service.apis[0].url}/openapi.json", {"X-API-Key": KEYS["admin"]}, QUICK)
    assert run(admin, tally, tmp_path, examples=7, seed=1) == ""
    assert tally.cases >= 200
    assert len(tally.statuses) == 23
    assert {status for statuses in tally.statuses.values() for status in statuses if status >= 500} == set()


def test_an_answer_that_is_not_documented_is_found(service: Deployment, tmp_path: Path) -> None:
    with urllib.request.urlopen(f"{service.apis[0].url}/openapi.json") as answer:
        document = json.load(answer)
    document["components"]["schemas"]["Live"]["properties"]["status"]["const"] = "dead"
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document))
    options = ("--url", service.apis[0].url, "--include-path", "/health/live", "--phases", "fuzzing")
    found = run(Target("nobody", str(file), {}, options), Tally(), tmp_path / "run", examples=1, seed=1)
    assert "GET /health/live" in found
    assert "'dead' was expected" in found or '"dead" was expected' in found
