"""Whatever is killed while clients ask: what was answered is in the log, exactly once."""

from random import Random

from tests.integration.deployment import Deployment, assert_nothing_is_lost
from tests.integration.load import Load
from tests.servers import RedisServer

KILLS = 20


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
