"""All API processes are restarted behind the gateway, one after the other, while clients ask."""

import signal
from pathlib import Path

from tests.integration.deployment import Deployment, assert_nothing_is_lost
from tests.integration.gateway import Gateway
from tests.integration.load import Load


def test_a_rolling_restart_loses_no_request(tmp_path: Path) -> None:
    with (
        Deployment(tmp_path, apis=2).running() as deployment,
        Gateway(tmp_path / "gateway", deployment.ports) as gateway,
        Load([gateway.port], clients=12, pause_seconds=0.0, seed=5) as load,
    ):
        for api in deployment.apis:
            load.wait_for(100)
            assert api.stop() == -signal.SIGTERM
            api.start()
        load.wait_for(100)
        load.stop()
        assert (load.cut, load.not_connected, set(load.statuses)) == (0, 0, {200})
        assert_nothing_is_lost(deployment, load)
