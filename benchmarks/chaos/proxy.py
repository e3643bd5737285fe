"""A TCP proxy that is slow, cuts what passes, or swallows it: ``python -m benchmarks.chaos.proxy LISTEN TARGET SEED``.

It reads what to do from its standard input, a word on each line, and ends with it. ``pass`` hands on what comes;
``slow`` hands it on late and little by little; ``cut`` resets each connection within a second, half-way through what it
was to hand on; ``hang`` swallows what comes. A connection that was open meanwhile never works again, and is not closed:
so it looks to both ends when a network or a firewall forgets it.
"""

import asyncio
import contextlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from random import Random
from typing import IO, Literal, cast

from tests.servers import free_port

Way = Literal["pass", "slow", "cut", "hang"]

_DELAY_SECONDS = (0.05, 0.3)
_SLOW_BYTES_PER_SECOND = 64_000
_SLOW_BYTES = 8_000
_LONGEST_LIFE_SECONDS = 1.0
_NO_LINGER = struct.pack("ii", 1, 0)


class Proxy:
    """A proxy in a process of its own.

    Parameters
    ----------
    target
        The port that it stands before.
    seed
        Decides when it cuts what.
    environment
        Of its process.
    """

    def __init__(self, target: int, seed: int, environment: Mapping[str, str]) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "benchmarks.chaos.proxy", str(self.port), str(target), str(seed)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, process_group=0)

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        cast(IO[bytes], self._process.stdin).close()
        self._process.wait()

    def be(self, way: Way) -> None:
        """Behave in this way from now on."""
        stdin = cast(IO[bytes], self._process.stdin)
        stdin.write(f"{way}\n".encode())
        stdin.flush()


class _Passing:
    """What passes the proxy."""

    def __init__(self, target: int, random: Random) -> None:
        self._target = target
        self._random = random
        self._way: Way = "pass"
        self._forgotten: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()

    def be(self, way: Way) -> None:
        self._way = way
        if way == "hang":
            self._forgotten |= self._open
        if way == "cut":
            for writer in self._open - self._forgotten:
                self._cut_soon(writer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        if self._way == "hang":
            self._forgotten.add(writer)
        if self._way == "cut":
            self._cut_soon(writer)
        try:
            await self._join(reader, writer)
        finally:
            self._open.discard(writer)
            self._forgotten.discard(writer)
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writer in self._forgotten:
            await _swallow(reader)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        try:
            ways = (self._hand_on(reader, far_writer, writer), self._hand_on(far_reader, writer, writer))
            tasks = [asyncio.create_task(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if writer in self._forgotten:
                await asyncio.wait(tasks[:1])  # the far end is not told either, and this one keeps it
            for task in tasks:
                task.cancel()
        finally:
            far_writer.close()

    async def _hand_on(
        self, reader: asyncio.StreamReader, target: asyncio.StreamWriter, near: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                while data and near not in self._forgotten:
                    size = len(data)
                    if self._way == "slow":
                        size = _SLOW_BYTES
                        delay_seconds = self._random.uniform(*_DELAY_SECONDS)
                        await asyncio.sleep(max(delay_seconds, min(size, len(data)) / _SLOW_BYTES_PER_SECOND))
                    target.write(data[:size])
                    await target.drain()
                    data = data[size:]

    def _cut_soon(self, writer: asyncio.StreamWriter) -> None:
        life_seconds = self._random.uniform(0, _LONGEST_LIFE_SECONDS)
        asyncio.get_running_loop().call_later(life_seconds, _reset, writer)


async def _swallow(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(1 << 16):
            pass


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close as a host does that knows nothing of a connection: what was sent and not read is lost."""
    if not writer.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        writer.transport.abort()


async def _main(listen: int, target: int, seed: int) -> None:
    passing = _Passing(target, Random(seed))
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def read() -> None:
        words = os.read(sys.stdin.fileno(), 1024).decode().split()
        for way in words:
            passing.be(cast(Way, way))
        if not words:
            ended.set()

    loop.add_reader(sys.stdin.fileno(), read)
    await asyncio.start_server(passing.serve, "127.0.0.1", listen)
    await ended.wait()
    os._exit(0)  # whoever still waits for a connection waits for nothing


if __name__ == "__main__":
    asyncio.run(_main(*map(int, sys.argv[1:4])))
