"""Clients who wait at a listening socket, taken in many at once.

uvloop takes in one connection in each turn of the event loop. While a turn is short, that is plenty. In overload a turn
is as long as all predictions that begin in it: whoever opens a connection would wait in the kernel's queue, where no
door refuses anybody and no time limit counts, behind those who have given up long ago.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence

AT_ONCE = 256
"""At each socket: to take in as many takes some 20 ms."""


class Waiting:
    """Those who wait at some sockets.

    Parameters
    ----------
    listeners
        The sockets, at which uvloop takes in connections, too.
    protocol
        Makes the protocol of a connection.
    """

    def __init__(self, listeners: Sequence[socket.socket], protocol: Callable[[], asyncio.Protocol]) -> None:
        self._listeners = listeners
        self._protocol = protocol
        self._tasks: set[asyncio.Task[object]] = set()

    def take_in(self) -> None:
        """Take in who waits now, :data:`AT_ONCE` of them at most; in the loop that runs."""
        for listener in self._listeners:
            for _ in range(AT_ONCE):
                try:
                    connection, _ = listener.accept()
                except OSError:  # mostly since nobody waits; where no file can be opened, uvloop says so
                    break
                self._connect(connection)

    def _connect(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(self._protocol, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
