"""The servers of the tests: what is killed is gone, starts again on what it had, and nothing outlives the run."""

import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from tests.servers import WAIT_SECONDS, PostgresServer, RedisServer, Server, postgres_folder, wait_until

RUN = """
import os, signal, sys
from pathlib import Path
from tests.servers import PostgresServer, RedisServer
with RedisServer(Path(sys.argv[1])) as redis, PostgresServer(Path(sys.argv[2])) as postgres:
    for server in (redis, postgres):
        print(*(process.pid for process in server._processes()), flush=True)
    redis.pause()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_redis_keeps_what_it_had_over_a_kill(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("name", "value")
        redis_server.kill()
        assert not redis_server.is_running
        with pytest.raises(redis.ConnectionError):
            client.get("name")
        redis_server.start()
        assert client.get("name") == b"value"
        redis_server.kill()
        redis_server.forget()
        redis_server.start()
        assert client.get("name") is None


def test_redis_comes_back_empty_without_a_file(tmp_path: Path) -> None:
    with RedisServer(tmp_path, append_only=False) as server, redis.Redis.from_url(server.url) as client:
        client.set("name", "value")
        server.kill()
        server.start()
        assert client.get("name") is None


def test_redis_takes_settings(tmp_path: Path) -> None:
    with RedisServer(tmp_path, settings={"maxmemory": "3mb"}) as server, redis.Redis.from_url(server.url) as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(3 << 20)}


def test_a_paused_redis_answers_when_it_goes_on(redis_server: RedisServer) -> None:
    redis_server.pause()
    with redis.Redis.from_url(redis_server.url, socket_timeout=0.05, retry=None) as client:
        with pytest.raises(redis.TimeoutError):
            client.ping()
        redis_server.resume()
    with redis.Redis.from_url(redis_server.url, socket_timeout=WAIT_SECONDS) as client:
        assert client.ping()


def test_postgres_keeps_what_was_committed_over_a_kill(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        connection.execute("create table names (name text)")
        connection.execute("insert into names values ('committed')")
        connection.commit()
        connection.execute("insert into names values ('open')")
        postgres_server.kill()
        assert not postgres_server.is_running
        with pytest.raises(psycopg.OperationalError):
            connection.commit()
    postgres_server.start()
    with psycopg.connect(postgres_server.url) as connection:
        assert connection.execute("select name from names").fetchall() == [("committed",)]


def test_a_paused_postgres_answers_when_it_goes_on(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        (number,) = connection.execute("select pg_backend_pid()").fetchone() or (0,)
        postgres_server.pause()
        wait_until(lambda: psutil.Process(number).status() == psutil.STATUS_STOPPED, "a session is stopped")
        postgres_server.resume()
        assert connection.execute("select 1").fetchall() == [(1,)]


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_a_database_of_its_own(postgres_url: str, number: int) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("create table numbers (number int)")


def test_a_stopped_server_can_be_stopped_again(redis_server: Server) -> None:
    redis_server.stop()
    redis_server.stop()
    assert not redis_server.is_running


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="nonsense"):
        RedisServer(tmp_path, settings={"nonsense": "1"}).start()


def test_no_server_outlives_a_killed_run(tmp_path: Path, redis_server: Server, postgres_server: Server) -> None:
    """Even one that is paused. The fixtures only find out whether the programs are there."""
    with postgres_folder() as folder:
        run = subprocess.run(
            [sys.executable, "-c", RUN, tmp_path, folder], stdout=subprocess.PIPE, text=True, check=False
        )
        numbers = [int(word) for word in run.stdout.split()]
        assert len(numbers) > 2
        wait_until(lambda: not any(map(_lives, numbers)), "all servers are gone")


def _lives(number: int) -> bool:
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
