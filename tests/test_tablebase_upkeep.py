"""The upkeep with real child processes; what they would compile is a file."""

import asyncio
import logging
import os
import sys
from asyncio.subprocess import Process
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from api_pokemon.errors import ModelDamagedError, ModelMissingError
from api_pokemon.monitoring.back_off import BackOff
from api_pokemon.tablebase_upkeep import TablebaseUpkeep, _stop


class File:
    """Stands for a tablebase: a file that is to hold "sound"."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loads = 0
        self.loaded = asyncio.Event()

    def load(self) -> None:
        if not self.path.exists():
            raise ModelMissingError("There is none.")
        if self.path.read_text() != "sound":
            raise ModelDamagedError("It is damaged.")
        self.loads += 1

    def upkeep(self, script: str) -> TablebaseUpkeep:
        return TablebaseUpkeep(self.load, (sys.executable, "-c", script, str(self.path)), self.loaded.set)


COMPILES = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('sound')"
FAILS = "import sys; print('first', file=sys.stderr); sys.exit('no memory left')"
DIES_AT_FIRST = """
import os, pathlib, sys
path = pathlib.Path(sys.argv[1])
if path.with_suffix(".tried").exists():
    path.write_text("sound")
else:
    path.with_suffix(".tried").touch()
    os.kill(os.getpid(), 9)
"""
TELLS_AND_WAITS = """
import os, pathlib, socket, sys
test = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
test.sendall(b"%d\\n" % os.getpid())
test.recv(1)
test.sendall(b"%d\\n" % os.getpriority(os.PRIO_PROCESS, 0))
test.recv(1)
"""


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "tablebase")


@pytest.mark.parametrize(("content", "answers"), [("sound", True), ("unsound", False), (None, False)])
def test_it_is_opened_where_it_is_there_and_sound(
    file: File, caplog: pytest.LogCaptureFixture, content: str | None, answers: bool
) -> None:
    if content is not None:
        file.path.write_text(content)
    assert file.upkeep(COMPILES).open() is answers
    assert file.loaded.is_set() is answers
    assert [record.message for record in caplog.records] == (["It is damaged."] if content == "unsound" else [])


async def test_it_is_compiled_and_then_answers(file: File) -> None:
    async with file.upkeep(COMPILES).compiling():
        await asyncio.wait_for(file.loaded.wait(), 30)
    assert file.loads == 1


@pytest.fixture
def told() -> Iterator[asyncio.Event]:
    """Set when the upkeep warns of something."""
    event = asyncio.Event()
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: event.set()  # type: ignore[method-assign]
    logger = logging.getLogger("api_pokemon.tablebase_upkeep")
    logger.addHandler(handler)
    yield event
    logger.removeHandler(handler)


async def test_a_compiler_that_fails_is_told_with_its_reason(
    file: File, told: asyncio.Event, caplog: pytest.LogCaptureFixture
) -> None:
    async with file.upkeep(FAILS).compiling():
        await asyncio.wait_for(told.wait(), 30)
    assert caplog.messages == [
        "the tablebase could not be compiled, which is tried again in 10 s: exit status 1, no memory left"
    ]
    assert file.loads == 0


async def test_a_compiler_that_cannot_be_started_is_told(
    file: File, told: asyncio.Event, caplog: pytest.LogCaptureFixture
) -> None:
    async with TablebaseUpkeep(file.load, ("/nowhere/python",), file.loaded.set).compiling():
        await asyncio.wait_for(told.wait(), 30)
    assert caplog.messages == [
        "the tablebase could not be compiled, which is tried again in 10 s: "
        "[Errno 2] No such file or directory: '/nowhere/python'"
    ]


async def test_a_compilation_that_is_killed_is_tried_again(file: File, caplog: pytest.LogCaptureFixture) -> None:
    command = (sys.executable, "-c", DIES_AT_FIRST, str(file.path))
    upkeep = TablebaseUpkeep(file.load, command, file.loaded.set, BackOff(first_seconds=0.01, jitter=0.0))
    async with upkeep.compiling():
        await asyncio.wait_for(file.loaded.wait(), 30)
    assert caplog.messages == [
        "the tablebase could not be compiled, which is tried again in 0.01 s: exit status -9, without a word"
    ]
    assert file.loads == 1


class TestCompiler:
    """What the compiling process is like while the service runs, and after."""

    async def test_it_is_nice_and_ends_with_the_service(self) -> None:
        arrivals: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        server = await asyncio.start_server(lambda *streams: arrivals.put_nowait(streams), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        upkeep = TablebaseUpkeep(_none, (sys.executable, "-c", TELLS_AND_WAITS, str(port)), lambda: None)
        async with server:
            async with upkeep.compiling():
                reader, writer = await asyncio.wait_for(arrivals.get(), 30)
                process_id = int(await reader.readline())
                writer.write(b"?")
                assert int(await reader.readline()) == 10
            assert await reader.read() == b""  # its end of the connection closed, because it ended
            writer.close()
        with pytest.raises(ProcessLookupError):
            os.kill(process_id, 0)


class Gone:
    """A process that ends in the moment in which it is told to."""

    returncode = None

    def terminate(self) -> None:
        raise ProcessLookupError

    async def wait(self) -> int:
        return 0


async def test_a_compiler_that_is_gone_already_is_no_error() -> None:
    await _stop(cast(Process, Gone()))


def _none() -> None:
    raise ModelMissingError("There is none.")
