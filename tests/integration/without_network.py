"""What ``test_no_network`` runs in a network namespace of its own: ``without_network.py RESULT COMMAND…``.

The namespace has a loopback interface and no other, so whatever wants to leave it finds no route; the kernel counts
that, whoever asked, in whatever language. Once the command has ended, RESULT tells the count.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def main() -> int:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP))
    assert [name for _, name in socket.if_nameindex()] == ["lo"]
    result, *command = sys.argv[1:]
    before = attempts()
    status = subprocess.run(command, check=False).returncode
    Path(result).write_text(json.dumps({"attempts": attempts() - before}))
    return status


def attempts() -> int:
    """How often something wanted to leave this namespace since it was made."""
    names, values = (line.split() for line in _lines("/proc/net/snmp") if line.startswith("Ip:"))
    of_ipv6 = dict(line.split() for line in _lines("/proc/net/snmp6"))
    return int(dict(zip(names, values, strict=True))["OutNoRoutes"]) + int(of_ipv6["Ip6OutNoRoutes"])


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


if __name__ == "__main__":
    sys.exit(main())
