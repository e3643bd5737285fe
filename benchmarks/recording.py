"""What keeping costs: requests per second when each prediction is in the outbox before its answer leaves.

    python -m benchmarks.recording --service           # our own service, as the API_POKEMON_ settings have it
    python -m benchmarks.recording --service --worker  # the same while a worker logs, on the core of the load
    python -m benchmarks.recording                     # the hardest case: an endpoint that does nothing else

Compared with the same that keeps nothing. Let the service have compiled its tablebase before: ONNX costs more, and
hides what keeping costs. Both servers run on one core and are loaded in turns from another; the figure is the median
of the rounds' ratios. They are started several times, since two processes of the same program differ by up to 15 %.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path

import msgspec
import psutil
from fastapi import FastAPI, Request, Response

from api_pokemon.garbage import spare_what_stays
from api_pokemon.main import create_app
from api_pokemon.monitoring import NullRecorder, OutboxFolder, OutboxRecorder, Recorder, new_id, watch
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.startup import read_settings
from benchmarks.alternation import Comparison, Cores, alternate, uvicorn
from benchmarks.events import duel_predictions
from benchmarks.load import pinned
from benchmarks.metrics_cost import DUEL
from tests.servers import free_port

BOUND = 0.90
_HERE = "benchmarks.recording"
_ANSWER = b'{"recommended":"this one","win_probability":0.93,"confidence":0.93}'


def constant_kept() -> FastAPI:
    """Make an application that answers a constant, the hardest to add anything to, and keeps what it answered."""
    outboxes = OutboxFolder(read_settings().data_dir / "outbox")
    path = outboxes.claim().path
    return _constant(OutboxRecorder(lambda: outboxes.open(path)))


def constant() -> FastAPI:
    """Make the same application, keeping nothing."""
    return _constant(NullRecorder())


def _constant(recorder: Recorder) -> FastAPI:
    app = FastAPI()
    watching = watch(app, application="benchmark", version="1", recorder=recorder, metrics=False)
    prediction = duel_predictions(1)[0]

    @app.post("/predict/best-move")
    async def predict(request: Request) -> Response:
        await request.body()
        await watching.record(request.scope, msgspec.structs.replace(prediction, prediction_id=new_id()))
        return Response(_ANSWER, media_type="application/json")

    return _ready(app)


def service() -> FastAPI:
    """Make our own service."""
    return _ready(create_app(read_settings()))


def service_forgetting() -> FastAPI:
    """Make our own service without its outbox, which it has no setting for: nobody should run it so."""
    return _ready(create_app(read_settings(), recorder=NullRecorder()))


def _ready(app: FastAPI) -> FastAPI:
    """As a process of the service does once it is ready to answer."""
    spare_what_stays()
    return app


@contextmanager
def data_folder(data_dir: Path | None = None) -> Iterator[Mapping[str, str]]:
    """An environment whose data folder is new, but for the models of another one, and goes afterwards."""
    models = (data_dir or read_settings().data_dir).absolute() / "models"
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="recording-") as folder:
        Path(folder, "models").symlink_to(models)
        yield {"API_POKEMON_DATA_DIR": folder, "API_POKEMON_TABLEBASE": "false"}


@contextmanager
def working(environment: Mapping[str, str], core: int | None, *, gives_way: bool = False) -> Iterator[psutil.Process]:
    """Let a worker log what is in the outbox meanwhile, and tell how many it logged.

    Parameters
    ----------
    gives_way
        Whether it leaves the core to others where they want it.

    Raises
    ------
    RuntimeError
        If it logged nothing: what was measured was then something else.
    """
    sqlite_url = f"sqlite:///{environment['API_POKEMON_DATA_DIR']}/log.sqlite"
    log = PredictionLog(connect(environment.get("API_POKEMON_LOG_URL", sqlite_url)))
    log.migrate()
    worker = subprocess.Popen(
        [*(("nice", "-n", "19") if gives_way else ()), sys.executable, "-m", "api_pokemon", "worker"],
        env={**os.environ, **environment, "API_POKEMON_WORKER_PORT": str(free_port())},
        stderr=subprocess.DEVNULL,
        preexec_fn=pinned(core),
    )
    try:
        yield psutil.Process(worker.pid)
        logged = sum(writer.logged for writer in log.counts().values())
        if not logged:
            raise RuntimeError(f"The worker logged nothing; its exit status is {worker.poll()}.")
        print(f"the worker logged {logged:,} predictions meanwhile")
    finally:
        worker.terminate()
        worker.wait()


def together(comparisons: Iterable[Comparison]) -> Comparison:
    """All their rounds as those of one."""
    baselines, variants = zip(*((each.baseline, each.variant) for each in comparisons), strict=True)
    return Comparison(list(chain(*baselines)), list(chain(*variants)))


def report(comparison: Comparison) -> None:
    """Print the rounds, and the medians of what callers wait."""
    for without, keeping in comparison.pairs:
        print(f"requests/s without {without.per_second:7,.0f} keeping {keeping.per_second:7,.0f}", end="   ")
        print(f"CPU us without {without.cpu_us:5.1f} keeping {keeping.cpu_us:5.1f}", end="   ")
        print(f"p99 ms without {without.p99_ms:6.2f} keeping {keeping.p99_ms:6.2f}")
    for name, rounds in (("without", comparison.baseline), ("keeping", comparison.variant)):
        median, p99 = (
            statistics.median(times) for times in zip(*((r.median_ms, r.p99_ms) for r in rounds), strict=True)
        )
        print(f"{name}: median {median:.2f} ms, p99 {p99:.2f} ms")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=4, help="of each start")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    parser.add_argument("--service", action="store_true", help="compare our own service")
    parser.add_argument("--worker", action="store_true", help="let a worker log meanwhile, on the core of the load")
    options = parser.parse_args()
    names = ("service_forgetting", "service") if options.service else ("constant", "constant_kept")
    with data_folder() as environment:
        without, keeping = (uvicorn(name, f"{_HERE}:{name}", environment) for name in names)
        with working(environment, options.client_core) if options.worker else nullcontext():
            comparison = together(
                alternate(
                    without,
                    keeping,
                    DUEL,
                    rounds=options.rounds,
                    seconds=options.seconds,
                    connections=options.connections,
                    cores=Cores(options.server_core, options.client_core),
                )
                for _ in range(options.starts)
            )
    report(comparison)
    failed = sum(without.failed + keeping.failed for without, keeping in comparison.pairs)
    print(f"keeping / not keeping: {comparison.ratio:.3f} of the requests per second (bound {BOUND:.2f}),", end=" ")
    print(f"{comparison.cpu_ratio:.3f} by CPU time; {failed} answers were not 2xx")
    bound = BOUND if options.service and not options.worker else 0.0
    return 0 if comparison.ratio >= bound and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
