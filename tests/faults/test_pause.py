import pytest
import redis

from api_pokemon.errors import ImpossibleFaultError
from api_pokemon.faults.pause import StreamPause
from tests.servers import RedisServer, free_port, wait_until


def takes_writes(server: RedisServer) -> bool:
    with redis.Redis.from_url(server.url, socket_timeout=0.2) as client:
        try:
            return bool(client.set("key", "value"))
        except redis.TimeoutError:
            return False


def test_redis_takes_no_writes_until_the_end(redis_server: RedisServer) -> None:
    pause = StreamPause(redis_server.url)
    pause.begin(1.0, 60)
    assert not takes_writes(redis_server)
    pause.begin(1.0, 60)
    assert not takes_writes(redis_server)
    pause.end()
    assert takes_writes(redis_server)


def test_redis_ends_the_pause_by_itself(redis_server: RedisServer) -> None:
    StreamPause(redis_server.url).begin(1.0, 0.5)
    wait_until(lambda: takes_writes(redis_server), "the pause is over")


def test_a_redis_that_is_away_cannot_be_paused() -> None:
    pause = StreamPause(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(ImpossibleFaultError, match="Redis cannot be paused"):
        pause.begin(1.0, 60)
    pause.end()
