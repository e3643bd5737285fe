"""The client against a real, small HTTP server, and what it asks against the real dex."""

import asyncio
import contextlib
import json
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import astuple
from io import StringIO
from itertools import islice
from random import Random

import pytest
from rich.console import Console
from typer.testing import CliRunner

from api_pokemon.cli import app
from api_pokemon.dex import Dex, load_dex
from api_pokemon.errors import UnreachableError
from api_pokemon.traffic import SCENARIOS, Call, Client, Player, Tally, table_of


@pytest.fixture(scope="module")
def dex() -> Dex:
    return load_dex()


class Server:
    """Answers every request with the next of `statuses`, or hangs up for None; keeps what it was sent."""

    def __init__(self, statuses: Callable[[int], int | None]) -> None:
        self._statuses = statuses
        self.heads: list[str] = []
        self.bodies: list[dict[str, object]] = []
        self.connections = 0
        self._conversations: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*self._conversations)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._conversations.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
                self.bodies.append(json.loads(await reader.readexactly(length)))
                self.heads.append(head)
                status = self._statuses(len(self.heads))
                if status is None:
                    break
                writer.write(f"HTTP/1.1 {status} Whatever\r\ncontent-length: 2\r\n\r\n".encode())
                await writer.drain()
                writer.write(b"{}")
        writer.close()
        await writer.wait_closed()


async def play(server: Server, requests: int, *, rate_per_second: float = 0.0, connections: int = 4) -> Tally:
    tally = Tally()
    async with server.opened() as url:
        client = Client(url, connections=connections, headers={"X-API-Key": "secret"})
        player = Player(tally, rate_per_second=rate_per_second, connections=connections, on_answer=lambda: None)
        one = client.request("/predict/best-move", b'{"a":1}', {"Accept-Language": "fr"})
        await player.play(client, [one] * requests)
        client.close()
    return tally


@pytest.mark.parametrize("rate_per_second", [0.0, 10_000.0])
async def test_answers_are_counted_by_status(rate_per_second: float) -> None:
    tally = await play(Server(lambda number: 422 if number % 10 == 0 else 200), 100, rate_per_second=rate_per_second)
    assert tally.answers == Counter({200: 90, 422: 10})
    assert not tally.failures
    assert len(tally.latencies_seconds) == 100


async def test_a_request_says_who_asks_and_in_which_language() -> None:
    server = Server(lambda number: 200)
    await play(server, 1)
    assert server.bodies == [{"a": 1}]
    assert server.heads[0].startswith("POST /predict/best-move HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "\r\nX-API-Key: secret\r\n" in server.heads[0]
    assert "\r\nAccept-Language: fr\r\n" in server.heads[0]


async def test_connections_are_kept_and_bounded() -> None:
    server = Server(lambda number: 200)
    await play(server, 50, connections=3)
    assert server.connections == 3


async def test_a_lost_connection_is_counted_and_replaced() -> None:
    tally = await play(Server(lambda number: None if number == 5 else 200), 20)
    assert tally.answers == Counter({200: 19})
    assert tally.failures == Counter({"closed unanswered": 1})


async def test_latency_runs_from_the_moment_a_request_was_due() -> None:
    """A service that stalls once is charged for all requests that were due meanwhile, not for one."""

    class StallsOnce:
        def __init__(self) -> None:
            self._free = asyncio.Event()
            self._sent = 0

        async def send(self, request: bytes) -> int:
            self._sent += 1
            if self._sent == 10:
                self._free.set()
            await self._free.wait()
            return 200

    tally = Tally()
    player = Player(tally, rate_per_second=100.0, connections=1, on_answer=lambda: None)
    await player.play(StallsOnce(), [b""] * 10)
    # The tenth frees them all, 90 ms after the first was due: together they waited 450 ms, give or take the timers.
    assert sum(tally.latencies_seconds) > 0.4


async def test_nobody_there_is_told_before_the_first_request() -> None:
    async with Server(lambda number: 200).opened() as url:
        pass
    with pytest.raises(UnreachableError, match="No service answers at http"):
        await Client(url, connections=1).check()


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://"])
async def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(UnreachableError, match="is not the URL of a service"):
        Client(url, connections=1)


def test_the_command_ends_with_a_line_when_nobody_is_there() -> None:
    result = CliRunner().invoke(app, ["traffic", "--url", "http://127.0.0.1:1", "--requests", "1"])
    assert isinstance(result.exception, UnreachableError)


def test_the_command_names_the_scenarios_for_a_wrong_one() -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["traffic", "--scenario", "storm"])
    assert result.exit_code == 2
    assert "there is no scenario 'storm'; there is uniform, players, drift-types," in result.output


def test_the_table() -> None:
    tally = Tally(
        answers=Counter({200: 97, 404: 2}),
        failures=Counter({"Connection refused": 1}),
        latencies_seconds=[number / 1e3 for number in range(1, 100)],
        elapsed_seconds=2.0,
    )
    console = Console(file=StringIO(), width=60)
    console.print(table_of(tally, wished_per_second=50.0))
    assert isinstance(console.file, StringIO)
    assert [line.split() for line in console.file.getvalue().splitlines()] == [
        ["200", "OK", "97", "(97.0%)"],
        ["404", "Not", "Found", "2", "(2.0%)"],
        ["No", "answer:", "Connection", "refused", "1", "(1.0%)"],
        ["Latency", "p50", "50.00", "ms"],
        ["Latency", "p90", "90.00", "ms"],
        ["Latency", "p99", "99.00", "ms"],
        ["Latency", "max", "99.00", "ms"],
        ["Answers", "per", "second", "49.5", "(wished:", "50)"],
    ]


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_seed_asks_the_same(name: str, dex: Dex) -> None:
    one, two, other = (list(islice(SCENARIOS[name](dex, Random(seed)), 50)) for seed in (7, 7, 8))
    assert one == two
    assert one != other


def test_uniform_asks_what_can_be_answered(dex: Dex) -> None:
    for call in islice(SCENARIOS["uniform"](dex, Random(1)), 2000):
        moves = [dex.find_move(name) for name in call.available_moves]
        assert 1 <= len(set(moves)) == len(moves) <= 4
        assert any(move.damaging for move in moves)
        form_b = dex.form(call.pokemon_b_id)
        assert any(dex.move(move_id).damaging for move_id in form_b.learnset)
        replies = [dex.find_move(name) for name in call.available_moves_b or ()]
        assert all(move.damaging and form_b.learns(move.id) for move in replies)


def test_uniform_is_as_varied_as_it_says(dex: Dex) -> None:
    calls = list(islice(SCENARIOS["uniform"](dex, Random(1)), 4000))
    unlearnable = [
        call
        for call in calls
        if not all(dex.form(call.pokemon_a_id).learns(dex.find_move(name).id) for name in call.available_moves)
    ]
    status = [call for call in calls if not all(dex.find_move(name).damaging for name in call.available_moves)]
    assert len({call.pokemon_a_id for call in calls}) == 185  # all but Metapod, Kakuna and Ditto, which cannot duel
    assert len(unlearnable) == 211
    assert len([call for call in calls if call.available_moves_b is not None]) == 1213
    assert len([call for call in calls if call.language == "fr"]) == 1035
    assert len(status) == 2314


def asked(dex: Dex, name: str) -> list[Call]:
    return list(islice(SCENARIOS[name](dex, Random(1)), 2000))


def is_mega(dex: Dex, form_id: int) -> bool:
    return "-mega" in dex.form(form_id).slug


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "uniform"])
def test_players_ask_what_can_be_answered(dex: Dex, name: str) -> None:
    for call in asked(dex, name):
        moves = [dex.find_move(text) for text in call.available_moves]
        assert 1 <= len(set(moves)) == len(moves) <= 4
        assert all(move.damaging and dex.form(call.pokemon_a_id).learns(move.id) for move in moves)
        replies = [dex.find_move(text) for text in call.available_moves_b or ()]
        assert all(move.damaging and dex.form(call.pokemon_b_id).learns(move.id) for move in replies)


def test_players_have_the_same_favourites_on_every_day(dex: Dex) -> None:
    for seed, times in (1, 372), (2, 322):
        calls = islice(SCENARIOS["players"](dex, Random(seed)), 5000)
        favourites = Counter(dex.form(call.pokemon_a_id).slug for call in calls).most_common(2)
        assert [slug for slug, _ in favourites] == ["grimer-alola", "wartortle"]
        assert favourites[0][1] == times  # evenly spread it would be 27


def test_each_drift_changes_its_habit(dex: Dex) -> None:
    def share(name: str, holds: Callable[[Call], bool]) -> float:
        return sum(map(holds, asked(dex, name))) / 2000

    def is_water(call: Call) -> bool:
        return "Water" in dex.form(call.pokemon_a_id).types

    def is_stronger(call: Call) -> bool:
        a, b = (sum(astuple(dex.form(form_id).base_stats)) for form_id in (call.pokemon_a_id, call.pokemon_b_id))
        return a > b

    def is_newcomer(call: Call) -> bool:
        return is_mega(dex, call.pokemon_a_id)

    def brings_few(call: Call) -> bool:
        return len(call.available_moves) < 3

    assert (share("players", is_water), share("drift-types", is_water)) == (0.227, 0.6385)
    assert (share("players", is_stronger), share("drift-strength", is_stronger)) == (0.463, 0.691)
    assert (share("players", is_newcomer), share("drift-newcomers", is_newcomer)) == (0.0, 0.207)
    assert (share("players", brings_few), share("drift-movesets", brings_few)) == (0.008, 0.4835)
