"""What holds for all tests: with ``CI=true`` nothing may be skipped, and real servers are to be had.

Hypothesis tries the same examples each time, as it does where ``CI`` is set, and none fails by taking long.
"""

import itertools
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.servers import PostgresServer, RedisServer, postgres_folder

_SKIPS_FAIL = os.environ.get("CI") == "true"
_DATABASE_NUMBERS = itertools.count(1)

hypothesis.settings.load_profile("ci")


def pytest_configure() -> None:
    """Children that tests stop with these signals would ignore them where we do, as in the background of a shell."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _SKIPS_FAIL and report.skipped and not hasattr(report, "wasxfail"):
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if _SKIPS_FAIL and report.skipped:
        _fail(report)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"With CI=true no test may be skipped. {reason}"


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running Redis server that keeps what it has over a restart."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL server, for tests that kill or pause it; the others take `postgres_url`."""
    with postgres_folder() as folder, PostgresServer(folder) as server:
        yield server


@pytest.fixture(scope="session")
def shared_postgres_server() -> Iterator[PostgresServer]:
    with postgres_folder() as folder, PostgresServer(folder) as server:
        yield server


@pytest.fixture
def postgres_url(shared_postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a database of the test's own, empty."""
    with shared_postgres_server.database(f"test_{next(_DATABASE_NUMBERS)}") as url:
        yield url
