"""Whatever hangs or is stopped in good order while clients ask: what was answered is in the log, exactly once."""

import signal
import time
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

from tests.integration.deployment import DEPLOYMENTS, Deployment, assert_nothing_is_lost
from tests.integration.load import Load

STOPS = 1
PAUSE_SECONDS = 10


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
