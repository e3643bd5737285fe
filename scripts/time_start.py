#!/usr/bin/env python3
"""Times `make run` as a newcomer meets it: a fresh clone, an empty home folder, no cache.

Prints the seconds from the command to the first answered prediction, for the first start and for a later one, and how
long the service takes to stop. Ends with exit status 1 where a limit is missed. Needs nothing but Python and git.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
ASK = {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Surf"]}
LIMITS_SECONDS = {"first start": 180.0, "later start": 3.0, "stop": 5.0}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        clone, home = Path(folder, "clone"), Path(folder, "home")
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        first, stop, _ = start(clone, home)
        later, later_stop, answer = start(clone, home)
    measured = {"first start": first, "later start": later, "stop": max(stop, later_stop)}
    print(f"answer: {answer}")
    for name, seconds in measured.items():
        print(f"{name:12} {seconds:7.2f} s (at most {LIMITS_SECONDS[name]:g} s)")
    return int(any(seconds > LIMITS_SECONDS[name] for name, seconds in measured.items()))


def start(clone: Path, home: Path) -> tuple[float, float, str]:
    """Run the service in the clone; returns the seconds to its first answer and to its end, and the answer."""
    port = free_port()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("API_POKEMON_", "VIRTUAL"))
    }
    environment |= {"HOME": str(home), "API_POKEMON_PORT": str(port)}
    started = time.monotonic()
    service = subprocess.Popen(["make", "run"], cwd=clone, env=environment, stdout=sys.stderr)
    try:
        answer = first_answer(service, f"http://127.0.0.1:{port}/predict/best-move")
        answered = time.monotonic()
    finally:
        ended = time.monotonic()
        service.send_signal(signal.SIGTERM)
        service.wait()
    return answered - started, time.monotonic() - ended, answer


def first_answer(service: "subprocess.Popen[bytes]", url: str) -> str:
    request = urllib.request.Request(url, json.dumps(ASK).encode(), {"Content-Type": "application/json"})
    while service.poll() is None:
        try:
            with urllib.request.urlopen(request) as response:
                answer = json.load(response)
                return (
                    f"{response.status}, {answer['recommended_move']}, learnable: {answer['all_moves'][0]['learnable']}"
                )
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"`make run` ended with exit status {service.returncode} before it answered.")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
