"""The same ONNX model behind BentoML and MLServer, beside the service.

    python -m benchmarks.model_servers

The same random duels, four moves against an unknown moveset, live inference everywhere, in turns on one core, 32
connections. Each model server is asked in three ways:

- *duels*: it gets what the service gets, and makes features and inference with the service's own code. So what is
  compared is all that lies around it; yet the service also validates, explains, counts and records what it answers.
- *joined*: the same, with its adaptive batching, for which it makes features and inference of several requests in one
  run, with the service's own code for that. The bound does not count it.
- *rows*: it gets the feature rows, as JSON, and does the inference alone, as these servers are mostly used. Making the
  rows is then left to the caller, and not counted.

Both servers run in one process without their access logs, with environments of their own, which are made at the first
run from `bentoml.txt` and `mlserver.txt` in the user's cache folder. Nothing is told to anyone: telemetry is off.
Ends with status 1 where the service answers fewer than twice the requests of the better of them, by duels or by rows.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import psutil

from api_pokemon.dex import load_dex
from api_pokemon.model import MoveRanker, install_version, open_model
from benchmarks.alternation import Comparison, Cores, Variant, taken_in_turns
from benchmarks.load import HOST, Call, Measurement
from benchmarks.model_servers.duels import FOLDER, TOGETHER
from benchmarks.recording import data_folder
from benchmarks.service_time import bodies
from benchmarks.serving import Server, running
from tests.servers import free_port

BOUND = 2.0
"""Requests per second of the service, over those of the better of the others."""

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_DUELS = 200
_QUIET = {"BENTOML_DO_NOT_TRACK": "True", "DO_NOT_TRACK": "1"}
_MODELS = {"ranking": "Ranking", "together": "TogetherRanking", "scoring": "Scoring"}
_JOINED = ", joined"
_MLSERVER_WAITS_SECONDS = 0.005
"""For more requests to join, unless there are enough."""


def environment_of(name: str) -> Path:
    """Its programs, in an environment that holds what its requirements say; made where it is missing."""
    requirements = _HERE / f"{name}.txt"
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = cache / "api-pokemon-benchmarks" / f"{name}-{digest}"
    if not (folder / "made").exists():
        print(f"making an environment for {name}, at the first time", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [
            str(folder / "bin/pip"),
            "--disable-pip-version-check",
            "install",
            "--quiet",
            "-r",
            str(requirements),
        ]
        subprocess.run(install, check=True)
        (folder / "made").touch()
    return folder / "bin"


@contextmanager
def bentoml(model: Path, core: int | None) -> Iterator[Server]:
    port = free_port()
    with TemporaryDirectory(prefix="bentoml-") as home:
        command = [
            str(environment_of("bentoml") / "bentoml"),
            "serve",
            "benchmarks.model_servers.bentoml_service:Duels",
        ]
        command += ["--host", HOST, "--port", str(port)]
        environment = {**_QUIET, FOLDER: str(model), "PYTHONPATH": str(_ROOT), "BENTOML_HOME": home}
        with running(command, port, core=core, environment=environment, folder=_ROOT) as server:
            yield server


@contextmanager
def mlserver(model: Path, core: int | None) -> Iterator[Server]:
    ports = {name: free_port() for name in ("http_port", "grpc_port", "metrics_port")}
    with TemporaryDirectory(prefix="mlserver-") as folder:
        settings = {**ports, "host": HOST, "parallel_workers": 0, "debug": False, "logging_settings": None}
        Path(folder, "settings.json").write_text(json.dumps(settings))
        for name, runtime in _MODELS.items():
            of_model: dict[str, object] = {
                "name": name,
                "implementation": f"benchmarks.model_servers.mlserver_runtimes.{runtime}",
            }
            if name == "together":
                of_model |= {"max_batch_size": TOGETHER, "max_batch_time": _MLSERVER_WAITS_SECONDS}
            Path(folder, name).mkdir()
            Path(folder, name, "model-settings.json").write_text(json.dumps(of_model))
        command = [str(environment_of("mlserver") / "mlserver"), "start", folder]
        environment = {**_QUIET, FOLDER: str(model), "PYTHONPATH": str(_ROOT)}
        with running(command, ports["http_port"], core=core, environment=environment, folder=_ROOT) as server:
            yield server


@contextmanager
def service(data_dir: Path, core: int | None) -> Iterator[Server]:
    port = free_port()
    with data_folder(data_dir) as folder:
        environment = {**folder, "API_POKEMON_PORT": str(port), "API_POKEMON_LOG_LEVEL": "warning"}
        command = (sys.executable, "-m", "api_pokemon", "serve")
        with running(command, port, core=core, environment=environment) as server:
            yield server


def rows_of(model: Path, duels: Sequence[Mapping[str, Any]]) -> list[list[list[float]]]:
    """The rows of features that each duel makes."""
    dex = load_dex()
    predictor = open_model(dex, model)
    asked: list[list[list[float]]] = []
    score = predictor.score

    def note(rows: Any) -> Any:
        asked.append(rows.tolist())
        return score(rows)

    with patch.object(predictor, "score", note):
        for duel in duels:
            MoveRanker(dex, predictor).rank(duel["pokemon_a_id"], duel["pokemon_b_id"], duel["available_moves"])
    return asked


def tensor(name: str, datatype: str, shape: Sequence[int], data: object) -> str:
    """A request of the Open Inference Protocol."""
    return json.dumps({"inputs": [{"name": name, "datatype": datatype, "shape": shape, "data": data}]})


def calls(model: Path) -> Mapping[str, Call]:
    """What each is asked."""
    requests = [body.decode() for body in bodies(load_dex(), _DUELS)]
    rows = rows_of(model, [json.loads(body) for body in requests])
    shapes = [(len(each), len(each[0])) for each in rows]
    flat = [[value for row in each for value in row] for each in rows]
    asked = {
        "service, live": ("/predict/best-move", requests),
        "BentoML, duels": ("/rank", requests),
        "MLServer, duels": (
            "/v2/models/ranking/infer",
            [tensor("duel", "BYTES", (1, 1), [body]) for body in requests],
        ),
        f"BentoML{_JOINED}": ("/rank_together", [json.dumps({"duels": [json.loads(body)]}) for body in requests]),
        f"MLServer{_JOINED}": (
            "/v2/models/together/infer",
            [tensor("duel", "BYTES", (1, 1), [body]) for body in requests],
        ),
        "BentoML, rows": ("/score", [json.dumps({"rows": each}) for each in rows]),
        "MLServer, rows": (
            "/v2/models/scoring/infer",
            [tensor("rows", "FP32", shape, data) for shape, data in zip(shapes, flat, strict=True)],
        ),
    }
    return {name: Call(path, "POST", sent) for name, (path, sent) in asked.items()}


def report(names: Sequence[str], rounds: Sequence[Sequence[Measurement]]) -> float:
    """Print all, and return how often the best of the others fits into the service."""
    ours, *others = zip(*rounds, strict=True)
    print(f"{'':<16} {'req/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8} {'service is':>11} {'by CPU':>7}")
    ratios = []
    for name, column in zip(names, (ours, *others), strict=True):
        comparison = Comparison(column, ours)
        if not name.endswith(_JOINED):
            ratios.append(comparison.ratio)
        columns = zip(*((each.per_second, each.median_ms, each.p99_ms, each.cpu_us) for each in column), strict=True)
        rate, median, p99, cpu = map(statistics.median, columns)
        print(f"{name:<16} {rate:8,.0f} {median:8.2f} {p99:8.2f} {cpu:8.0f}", end=" ")
        print(f"{comparison.ratio:10.2f}x {comparison.cpu_ratio:6.2f}x")
    return min(ratios[1:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="model-servers-") as folder:
        model = install_version(Path(folder, "models"), "")
        asked = calls(model)
        servers = {
            "service": Variant("service", partial(service, Path(folder))),
            "BentoML": Variant("BentoML", partial(bentoml, model)),
            "MLServer": Variant("MLServer", partial(mlserver, model)),
        }
        tasks = [(servers[name.partition(",")[0]], call) for name, call in asked.items()]
        cores = Cores(options.server_core, options.client_core)
        print(f"{date.today()}, {psutil.cpu_count()} CPUs, model {model.name}", flush=True)
        rounds = list(taken_in_turns(tasks, rounds=options.rounds, seconds=options.seconds, cores=cores))
    least = report(list(asked), rounds)
    failed = sum(each.failed for round_ in rounds for each in round_)
    print(f"service / the better of the others: {least:.2f} (at least {BOUND:g}); {failed} answers were not 2xx")
    return 0 if least >= BOUND and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
