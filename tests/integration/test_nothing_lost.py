"""Whatever is killed, paused or stopped while clients ask: what was answered is in the log, exactly once."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from random import Random

import pytest

from tests.integration.deployment import DEPLOYMENTS, Deployment, assert_nothing_is_lost
from tests.integration.load import Load
from tests.servers import RedisServer

KILLS = 20
STOPS = 2
PAUSE_SECONDS = 10


@pytest.fixture(params=list(DEPLOYMENTS))
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    with DEPLOYMENTS[request.param](tmp_path) as deployment:
        yield deployment


def test_nothing_is_lost_when_everything_is_killed_again_and_again(deployment: Deployment) -> None:
    """Parts die at random moments, also while others are still starting; each 20 times. Redis may come back empty."""
    random = Random(20)
    order = [kind for kind in deployment.kinds for _ in range(KILLS)]
    random.shuffle(order)
    with Load(deployment.ports, seed=1) as load:
        for kind in order:
            server = random.choice(deployment.kinds[kind])
            server.wait_until_it_answers()
            load.wait_for(random.randint(1, 40))
            server.kill()
            if isinstance(server, RedisServer) and random.random() < 0.5:
                server.forget()
            server.launch()
        load.wait_for(100)
    assert_nothing_is_lost(deployment, load)
    assert load.cut_in_use <= KILLS * load.clients  # who connects while a process dies may be cut again


def test_nothing_is_lost_when_something_hangs(tmp_path: Path) -> None:
    """Each is suspended for 10 s in its turn, in both deployments at once; answers go on wherever an API is left."""
    with ExitStack() as stack:
        deployments = [stack.enter_context(start(_folder(tmp_path / name))) for name, start in DEPLOYMENTS.items()]
        loads = [stack.enter_context(Load(deployment.ports, seed=2)) for deployment in deployments]
        for kinds in zip_longest(*(deployment.kinds.items() for deployment in deployments)):
            turns = [(load, *kind) for load, kind in zip(loads, kinds, strict=True) if kind]
            for load, _, servers in turns:
                load.wait_for(100)
                servers[0].pause()
            end = time.monotonic() + PAUSE_SECONDS
            for load, name, _ in turns:
                if name != "api":
                    load.wait_for(300)
            time.sleep(max(0.0, end - time.monotonic()))
            for _, _, servers in turns:
                servers[0].resume()
        for load in loads:
            load.wait_for(100)
            load.stop()
        for deployment, load in zip(deployments, loads, strict=True):
            assert_nothing_is_lost(deployment, load)
            assert load.cut == load.not_connected == 0


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_nothing_is_lost_when_programs_are_stopped(deployment: Deployment) -> None:
    """Whoever is being answered is told to leave; only who comes when the port is about to close may be turned away."""
    with Load(deployment.ports, seed=3) as load:
        for _ in range(STOPS):
            for program in (*deployment.apis, *deployment.workers):
                program.wait_until_it_answers()
                load.wait_for(50)
                assert program.stop() == -signal.SIGTERM  # told again when all is done, as uvicorn does
                program.launch()
        load.wait_for(100)
    assert_nothing_is_lost(deployment, load)
    assert load.cut_in_use == 0
