"""Causes in a real API, each on as long as somebody needs it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from api_pokemon.errors import ImpossibleFaultError
from api_pokemon.main import create_app
from api_pokemon.settings import Settings
from api_pokemon.stack.drill.causing import LEASE_SECONDS, Causes
from api_pokemon.stack.drill.recipes import FaultOn, OutboxFilled, ProcessStopped, Way
from api_pokemon.stack.drill.site import Site, Urls
from tests.servers import free_port, wait_until

MIB = 1 << 20
UNSURE, BURN, NONE = (FaultOn("api", name) for name in ("unsure-model", "cpu-burn", "no-such-fault"))


@pytest.fixture(scope="module", params=[MIB])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    data_dir = tmp_path_factory.mktemp("data")
    settings = Settings(data_dir=data_dir, tablebase=False, faults=True, outbox_max_bytes=request.param, _env_file=None)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=port, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, "the API answers")
    url = f"http://127.0.0.1:{port}"
    with Site(Urls(url, url, url, url, url), _key(data_dir)) as site:
        yield site
    server.should_exit = True
    thread.join()


def _key(data_dir: Path) -> str:
    return (data_dir / "admin.key").read_text().strip()


def on(site: Site) -> dict[str, float]:
    """The faults that are on, with the time that they still have."""
    faults = ((fault["name"], fault["remaining_seconds"]) for fault in site.faults("api"))
    return {name: seconds for name, seconds in faults if seconds is not None}


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def causes(site: Site, told: list[str]) -> Iterator[Causes]:
    with Causes(site, told.append) as causes:
        yield causes
    assert not on(site)


def test_a_cause_that_two_need_lasts_until_the_second_has_ended(site: Site, causes: Causes) -> None:
    first, second = Way("first", (UNSURE, BURN)), Way("second", (UNSURE,))
    assert causes.begin("A", [first]) is first
    assert causes.begin("B", [second]) is second
    assert on(site).keys() == {"unsure-model", "cpu-burn"}
    causes.end("A")
    assert on(site).keys() == {"unsure-model"}
    assert causes.last(first)
    causes.end("B")
    assert not on(site)
    assert not causes.last(first)


def test_a_fault_is_leased_for_seconds(site: Site, causes: Causes) -> None:
    causes.begin("A", [Way("", (UNSURE,))])
    assert 0 < on(site)["unsure-model"] <= LEASE_SECONDS


def test_the_first_way_that_is_possible_is_taken_whole(site: Site, causes: Causes, told: list[str]) -> None:
    ways = (Way("broken", (BURN, NONE)), Way("stopped", (ProcessStopped("api"),)), Way("unsure", (UNSURE,)))
    assert causes.begin("A", ways) is ways[2]
    assert on(site).keys() == {"unsure-model"}
    assert told[0].startswith("A: not possible here: broken: There is no fault 'no-such-fault'")
    assert told[1] == "A: not possible here: stopped: only for a stack of `make stack`, on its own machine"


def test_where_no_way_is_possible_all_reasons_are_told(causes: Causes) -> None:
    with pytest.raises(ImpossibleFaultError, match=r"one: There is no fault .*; two: only for a stack"):
        causes.begin("A", [Way("one", (NONE,)), Way("two", (ProcessStopped("worker"),))])


def test_whoever_leaves_undoes_all(site: Site) -> None:
    with Causes(site, print) as causes:
        causes.begin("A", [Way("", (UNSURE,))])
        causes.begin("B", [Way("", (BURN,))])
    assert not on(site)


def test_the_outbox_is_filled_to_where_its_alert_fires(site: Site, causes: Causes) -> None:
    causes.begin("A", [Way("", (OutboxFilled(),))])

    def is_full() -> bool:
        causes.keep()
        return site.sample("outbox_bytes") > 0.8 * MIB

    wait_until(is_full, "the outbox is nearly full")


@pytest.mark.parametrize("site", [64 * MIB], indirect=True)
def test_one_that_takes_too_many_predictions_is_left_alone(causes: Causes) -> None:
    with pytest.raises(ImpossibleFaultError, match="an outbox of 67,108,864 bytes would take too many predictions"):
        causes.begin("A", [Way("", (OutboxFilled(),))])
