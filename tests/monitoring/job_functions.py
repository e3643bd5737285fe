"""What the jobs of the tests do."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import sleep
from typing import Any

Progress = Callable[[float, str], None]


def note(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    """Write a line to the file ``begun``, wait for the file ``go``, and write one to the file ``done``."""
    folder = Path(parameters.get("folder") or os.environ["NOTES"])
    name = str(parameters.get("name") or parameters["period"])
    progress(0.5, "half")
    _append(folder / "begun", f"{name} {os.getpid()}")
    while not (folder / "go").exists():
        sleep(0.01)
    _append(folder / "done", name)
    return {"name": name}


def _append(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")


def refuse(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    print("looking for the rows")
    raise LookupError(f"no rows in {parameters.get('name')}\0")


def refuse_once(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    path = Path(parameters["folder"]) / "refused"
    if not path.exists():
        path.touch()
        raise LookupError("not yet")
    return {}


def hang(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    """Ignores SIGTERM, as what it starts does."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    progress(0.1, f"{os.getpid()} {child.pid}")
    sleep(600)
    return {}


def grow(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    import numpy

    rows = [numpy.ones(parameters["mebibytes"] << 17)]
    return {"sum": float(rows[0].sum())}


def kill_itself(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    print("goodbye", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def return_much(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    return {"text": "x" * parameters["length"]}


def return_nothing(parameters: Mapping[str, Any], progress: Progress) -> Any:
    return None


def exit_at_once(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    raise SystemExit(3)


def read_input(parameters: Mapping[str, Any], progress: Progress) -> Mapping[str, Any]:
    found = sys.stdin.read()
    progress(float("nan"), "half a pair: \ud800")
    while not (Path(os.environ["NOTES"]) / "go").exists():
        sleep(0.01)
    return {"input": found}
