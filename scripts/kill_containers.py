#!/usr/bin/env python3
"""Kills the main process of each container of the running stack, one after the other, while a client asks.

    docker compose up -d --wait
    sudo scripts/kill_containers.py

Prints how long each was away, the client's answers by status, and how many of them the log has. Ends with exit status 1
where a container does not come back by itself, an answered prediction is not in the log, or the balance
(`api-pokemon account`) is not closed. Needs root, since `docker kill` would keep a container from being started again.
"""

import argparse
import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
ASK = json.dumps({"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Surf"]}).encode()
BACK_SECONDS = 120.0
LOGGED_SECONDS = 120.0
_STATE = "{{.State.StartedAt}} {{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}"


class Client:
    """Asks at a steady rate until it is stopped, and keeps what came."""

    def __init__(self, url: str, rate: float) -> None:
        self.answers: list[str] = []
        self.ids: list[str] = []
        self._url = url
        self._rate = rate
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(4)]

    def __enter__(self) -> "Client":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        every_seconds = len(self._threads) / self._rate
        due = time.monotonic() + every_seconds * number / len(self._threads)
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due += every_seconds
            self.answers.append(self._ask())

    def _ask(self) -> str:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}/predict/best-move", ASK, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                self.ids.append(json.load(answer)["prediction_id"])
                return str(answer.status)
        except urllib.error.HTTPError as error:
            return str(error.code)
        except (OSError, http.client.HTTPException):
            return "no connection"


class Stack:
    """The stack that runs, by the command that started it."""

    def __init__(self, compose: Sequence[str]) -> None:
        self._compose = compose

    def services(self) -> list[str]:
        return self._ask(*self._compose, "config", "--services").split()

    def kill(self, service: str) -> float:
        """Kill it, and return how many seconds it took to be healthy again.

        Raises
        ------
        RuntimeError
            If it does not run.
        TimeoutError
            If it is not back in time.
        """
        container = self._ask(*self._compose, "ps", "--quiet", service).strip()
        if not container:
            raise RuntimeError(f"{service} does not run: start the stack with `docker compose up -d --wait`.")
        before = self._state(container)[0]
        os.kill(int(self._ask("docker", "inspect", "--format", "{{.State.Pid}}", container)), signal.SIGKILL)
        began = time.monotonic()
        while time.monotonic() < began + BACK_SECONDS:
            started, state = self._state(container)
            if started != before and state in ("healthy", "running"):
                return time.monotonic() - began
            time.sleep(0.2)
        raise TimeoutError(f"{service} was not back after {BACK_SECONDS:g} s: {state}")

    def key(self) -> str:
        return self._in("api", "key", "admin").strip()

    def pending(self) -> int:
        """How many events are accepted and not logged, those among them that are lost."""
        account = json.loads(self._in("worker", "account", "--json"))
        return sum(abs(each["accepted"] - each["logged"]) for each in account["outboxes"])

    def account(self) -> str:
        return self._in("worker", "account")

    def _in(self, service: str, *command: str) -> str:
        return self._ask(*self._compose, "exec", "-T", service, "api-pokemon", *command)

    def _state(self, container: str) -> list[str]:
        return self._ask("docker", "inspect", "--format", _STATE, container).split()

    def _ask(self, *command: str) -> str:
        return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def logged(url: str, key: str, ids: Sequence[str]) -> int:
    found = 0
    for prediction_id in ids:
        request = urllib.request.Request(f"{url}/predictions/{prediction_id}", headers={"X-API-Key": key})
        with urllib.request.urlopen(request, timeout=10) as answer:
            found += json.load(answer)["status"] == "logged"
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:8000")
    parser.add_argument("--rate", type=float, default=10, help="requests per second")
    parser.add_argument("--compose", default="docker compose", help="the command that started the stack")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("Only root may kill processes of containers: run it with sudo.")
    stack = Stack(shlex.split(options.compose))
    with Client(options.url, options.rate) as client:
        for service in stack.services():
            print(f"{service:14} healthy again after {stack.kill(service):5.1f} s", flush=True)
    deadline = time.monotonic() + LOGGED_SECONDS
    while (pending := stack.pending()) and time.monotonic() < deadline:
        time.sleep(1)
    found = logged(options.url, stack.key(), client.ids)
    print(f"answers: {', '.join(f'{number:,} {answer}' for answer, number in sorted(Counter(client.answers).items()))}")
    print(f"in the log: {found:,} of {len(client.ids):,} predictions that were answered")
    print(stack.account())
    return int(bool(pending) or found < len(client.ids))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, TimeoutError, OSError, subprocess.CalledProcessError) as error:
        sys.exit(str(error))
