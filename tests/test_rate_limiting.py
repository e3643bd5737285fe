"""How often a caller may ask, over real sockets; counted here, and with Redis."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.servers import RedisServer
from tests.visiting import AGES, DUEL, Service, get, limited, post


async def statuses(service: Service, number: int, *headers: str) -> list[int]:
    caller = await service.caller()
    return [(await caller.ask(post(DUEL, "/predict/best-move", *headers))).status for _ in range(number)]


async def test_beyond_it_the_caller_is_told_to_wait(tmp_path: Path) -> None:
    async with limited(tmp_path) as service:
        caller = await service.caller()
        good = [await caller.ask(post()) for _ in range(5)]
        assert {answer.status for answer in good} == {200}
        assert [answer.headers["ratelimit-remaining"] for answer in good] == ["4", "3", "2", "1", "0"]
        refused = await caller.ask(post())
        assert refused.status == 429
        assert refused.headers["ratelimit-limit"] == "5"
        assert refused.headers["retry-after"] == refused.headers["ratelimit-reset"]
        assert json.loads(refused.body)["type"] == "/problems#rate-limited"
        assert service.counted(429) == 1
        assert (await caller.ask(get("/pokemon/25"))).status == 429
        assert (await caller.ask(get("/health/live"))).status == 200
        assert "ratelimit-limit" not in (await caller.ask(get("/metrics"))).headers


async def test_wrong_keys_and_made_up_addresses_do_not_help(tmp_path: Path) -> None:
    async with limited(tmp_path) as service:
        assert await statuses(service, 5, "X-API-Key: wrong") == [401] * 5
        assert await statuses(service, 1, "X-API-Key: other") == [429]
        assert await statuses(service, 1, "X-Forwarded-For: 192.0.2.1") == [429]


async def test_behind_a_trusted_proxy_each_address_counts(tmp_path: Path) -> None:
    async with limited(tmp_path, trusted_proxies=("127.0.0.1",)) as service:
        assert await statuses(service, 6, "X-Forwarded-For: 192.0.2.1") == [200] * 5 + [429]
        assert await statuses(service, 1, "X-Forwarded-For: 192.0.2.2") == [200]


async def test_processes_share_it_while_redis_is_there(
    tmp_path: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"stream_url": redis_server.url, "rate_limit": f"60/{AGES}"}
    async with limited(tmp_path, **settings) as one, limited(tmp_path, **settings) as other:
        assert await statuses(one, 60) == [200] * 60
        sent = 1
        while await statuses(other, 1) == [200]:  # and with each of its own, it learns what others know
            await asyncio.sleep(0.1)
            sent += 1
        assert sent < 60
        redis_server.kill()
        assert await statuses(one, 1) == [429]
        async with asyncio.timeout(5):
            while "each process for itself" not in caplog.text:
                assert await statuses(other, 1) == [429]
                await asyncio.sleep(0.05)


async def test_without_redis_each_process_counts_for_itself(tmp_path: Path, redis_server: RedisServer) -> None:
    redis_server.kill()
    async with limited(tmp_path, stream_url=redis_server.url) as service:
        assert await statuses(service, 6) == [200] * 5 + [429]
