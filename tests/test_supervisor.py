"""The supervisor with real child processes.

Every child signs in at the test (its process id, over a connection), then does what the test sends it: an exit status.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api_pokemon.startup import EXIT_CANNOT_START
from api_pokemon.supervisor import BackOff, Child, Supervisor
from api_pokemon.supervisor import logger as supervisor_logger

AT_ONCE = BackOff(first_seconds=0.0)

OBEDIENT = """
import os, socket, sys
test = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
test.sendall(b"%d\\n" % os.getpid())
sys.exit(test.recv(1)[0])
"""

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + OBEDIENT

FOLLOWER = "from api_pokemon.lifeline import follow_parent; follow_parent()\n" + OBEDIENT

PARENT = """
import asyncio, sys
from api_pokemon.supervisor import Child, Supervisor
asyncio.run(Supervisor([Child("follower", (sys.executable, "-c", sys.argv[2], sys.argv[1]))]).run())
"""


class Attendance:
    """Where children sign in."""

    def __init__(self) -> None:
        self._arrivals: asyncio.Queue[tuple[int, StreamReader, StreamWriter]] = asyncio.Queue()
        self._writers: list[StreamWriter] = []

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator["Attendance"]:
        server = await asyncio.start_server(self._sign_in, "127.0.0.1", 0)
        self.port = str(server.sockets[0].getsockname()[1])
        try:
            yield self
        finally:
            for writer in self._writers:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
            server.close()

    async def _sign_in(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._writers.append(writer)
        await self._arrivals.put((int(await reader.readline()), reader, writer))

    async def next(self) -> tuple[int, StreamReader, StreamWriter]:
        return await asyncio.wait_for(self._arrivals.get(), 30)

    def is_empty(self) -> bool:
        return self._arrivals.empty()

    def child(self, script: str = OBEDIENT, name: str = "child") -> Child:
        return Child(name, (sys.executable, "-c", script, self.port))


@pytest.fixture
async def attendance() -> AsyncIterator[Attendance]:
    async with Attendance().opened() as opened:
        yield opened


def tell_to_exit(writer: StreamWriter, status: int) -> None:
    writer.write(bytes([status]))


async def test_a_killed_child_is_started_again_and_the_log_says_so(
    attendance: Attendance, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor([attendance.child()], back_off=AT_ONCE)
    run = asyncio.create_task(supervisor.run())
    first, _, _ = await attendance.next()
    supervisor.note_ready("child")
    os.kill(first, signal.SIGKILL)
    second, _, _ = await attendance.next()
    supervisor.stop()

    assert await run
    assert second != first
    assert "child was killed by signal 9 (Killed); starting it again in 0 s" in caplog.messages


async def test_one_child_dies_alone(attendance: Attendance) -> None:
    supervisor = Supervisor([attendance.child(name="a"), attendance.child(name="b")], back_off=AT_ONCE)
    run = asyncio.create_task(supervisor.run())
    (_, _, one), (_, other, _) = await attendance.next(), await attendance.next()
    supervisor.note_ready("a")
    supervisor.note_ready("b")
    tell_to_exit(one, 3)
    await attendance.next()

    assert not other.at_eof()
    supervisor.stop()
    assert await run
    assert await other.read() == b""


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (EXIT_CANNOT_START, []),
        (1, ["child ended with exit status 1 before it was ready; stopping"]),
        (0, ["child ended with exit status 0 before it was ready; stopping"]),
    ],
)
async def test_a_child_that_never_was_ready_stops_everything(
    attendance: Attendance, caplog: pytest.LogCaptureFixture, status: int, told: list[str]
) -> None:
    run = asyncio.create_task(Supervisor([attendance.child(), attendance.child()], back_off=AT_ONCE).run())
    (_, _, one), (_, other, _) = await attendance.next(), await attendance.next()
    tell_to_exit(one, status)

    assert not await run
    assert await other.read() == b""
    assert attendance.is_empty()
    assert [record.message for record in caplog.records if record.name == supervisor_logger.name] == told


async def test_a_child_with_a_log_writes_there_and_its_last_lines_are_told_where_it_never_was_ready(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "child.log"
    log.write_text("of an earlier run\n")
    program = "import sys; [print(number, flush=True) for number in range(9)]; sys.exit('port taken')"
    assert not await Supervisor([Child("child", (sys.executable, "-c", program), log=log)]).run()
    assert log.read_text().splitlines() == ["of an earlier run", *"012345678", "port taken"]
    assert caplog.messages == [
        "child ended with exit status 1 before it was ready; stopping",
        *("child: 5", "child: 6", "child: 7", "child: 8", "child: port taken"),
    ]


async def test_a_child_that_was_ready_once_is_never_given_up(attendance: Attendance) -> None:
    supervisor = Supervisor([attendance.child()], back_off=AT_ONCE)
    run = asyncio.create_task(supervisor.run())
    supervisor.note_ready("child")
    for status in (1, EXIT_CANNOT_START, EXIT_CANNOT_START):
        _, _, child = await attendance.next()
        tell_to_exit(child, status)
    await attendance.next()
    supervisor.stop()
    assert await run


async def test_a_child_that_ignores_sigterm_is_killed(attendance: Attendance, caplog: pytest.LogCaptureFixture) -> None:
    supervisor = Supervisor([attendance.child(STUBBORN)], grace_seconds=0.05)
    run = asyncio.create_task(supervisor.run())
    _, child, _ = await attendance.next()
    supervisor.stop()
    supervisor.stop()

    assert await run
    assert await child.read() == b""
    assert "child did not stop within 0.05 s; killing it" in caplog.messages


async def test_stopping_does_not_wait_for_the_back_off(attendance: Attendance) -> None:
    never = BackOff(first_seconds=3600.0, longest_seconds=3600.0)
    supervisor = Supervisor([attendance.child()], back_off=never)
    run = asyncio.create_task(supervisor.run())
    _, reader, writer = await attendance.next()
    supervisor.note_ready("child")
    tell_to_exit(writer, 1)
    await reader.read()
    supervisor.stop()
    assert await asyncio.wait_for(run, 30)


async def test_a_child_that_finds_no_process_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = Supervisor([Child("child", ("/no/such/program",))])
    supervisor.note_ready("child")  # it was there before

    class StopAtTheWarning(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            supervisor.stop()

    handler = StopAtTheWarning(logging.WARNING)
    handler.addFilter(lambda record: "starting it again" in record.getMessage())
    supervisor_logger.addHandler(handler)
    try:
        assert await supervisor.run()
    finally:
        supervisor_logger.removeHandler(handler)
    assert "child cannot be started: [Errno 2] No such file or directory: '/no/such/program'" in caplog.messages


def test_deaths_count_from_one_again_after_a_stable_run() -> None:
    back_off = BackOff()
    assert back_off.deaths_after(3, ran_seconds=back_off.stable_seconds - 1) == 4
    assert back_off.deaths_after(3, ran_seconds=back_off.stable_seconds) == 1


def test_what_dies_every_few_seconds_is_back_within_ten() -> None:
    back_off = BackOff()
    start_seconds = 3.0
    for between_seconds in (1.0, 5.0, 9.9, 10.0, 15.0, 60.0):
        deaths = 0
        for _ in range(20):
            deaths = back_off.deaths_after(deaths, ran_seconds=between_seconds)
            assert back_off.delay_seconds(deaths) + start_seconds <= 10
        if between_seconds >= 10:
            assert deaths == 1


async def test_no_child_outlives_a_supervisor_that_was_killed(attendance: Attendance) -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, attendance.port, FOLLOWER)
    _, child, _ = await attendance.next()
    parent.kill()
    await parent.wait()

    assert await asyncio.wait_for(child.read(), 30) == b""
