"""Whether the service stays as quick and as small as it was: from 100,000 predictions to 10,000,000.

    python -m benchmarks.scale                                     # hours, and much disk: `make bench-scale`
    python -m benchmarks.scale --most 1000000 --predictions 300000 # a look

The log: one of 100,000 predictions and one of many, of the same day, in SQLite and in PostgreSQL; asked in turns for
predictions by id, for pages, and for a check for drift. They are filled as a worker fills them, batch by batch with
their profiles, without a stream before it. Bound: the median of the large one over that of the small one.

Memory: a process of `api-pokemon serve` and one of `api-pokemon worker` under load, single predictions and batches of
256 in turns, until so many are logged; the bounds are those of :mod:`benchmarks.memory`, and one for the API. What
counts is what a process has for itself: also its copy of the tablebase, up to 29 MB that the kernel may take back.

It says first if there is too little room on the disk. Ctrl-C and SIGTERM leave nothing behind.
"""

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import msgspec
import psutil
from rich.console import Console

from api_pokemon.model.baseline import find_baseline
from api_pokemon.model.monitored_rows import LOOKED_UP
from api_pokemon.monitoring import Prediction
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.drift_checking import DriftChecker
from api_pokemon.monitoring.events import encode
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.profile_writing import ProfileWriter
from api_pokemon.monitoring.stream import Entry
from api_pokemon.progress import Report, StartStep, show_steps
from benchmarks.events import duel_predictions
from benchmarks.figure import Figure, print_all
from benchmarks.long_run import NoRoomError, interruptible, need_room
from benchmarks.scale_memory import Cores, marks, serving, watch_memory
from tests.servers import PostgresServer, postgres_folder

FEWEST, MOST = 100_000, 10_000_000
MOST_SLOWER = 1.5

BYTES_EACH = {"sqlite": 1600, "memory": 1600, "postgres": 2500}
"""On disk, of a prediction with its indexes, and room to spare."""

_ROOM_BYTES = 2_000_000_000
"""Beside it: journals, outboxes, and the tablebase."""

_WRITER = "8a4f4d0e-6f5a-4c3c-9d53-2f2a0c6c7b10"
_DAY_SECONDS = 86_400
_END_SECONDS = 1_785_542_400
_WINDOW_SECONDS = 3600
_BATCH = 1000
_WARM_UP, _ROUNDS = 2, 100
_TEMPLATES = 2_000

Operation = Callable[[PredictionLog, random.Random], object]


def predictions_of_a_day(count: int) -> Iterator[Prediction]:
    """So many, evenly over the day before the end, as the service makes them."""
    templates = cycle(duel_predictions(_TEMPLATES))
    for number in range(count):
        yield msgspec.structs.replace(next(templates), prediction_id=id_of(number, count))


def id_of(number: int, count: int) -> str:
    """The id of one of them: the time, and the number to tell those of one millisecond apart."""
    seconds = _END_SECONDS - _DAY_SECONDS + number * _DAY_SECONDS / count
    time = f"{int(seconds * 1000):012x}"
    return f"{time[:8]}-{time[8:]}-7000-8000-{number:012x}"


def fill(url: str, count: int, report: Report) -> PredictionLog:
    """Log so many, with their profiles."""
    log = PredictionLog(connect(url), looked_up=LOOKED_UP)
    log.migrate()
    profiles = ProfileWriter(partial(find_baseline, Path()))
    made, began = predictions_of_a_day(count), perf_counter()
    for first in range(1, count + 1, _BATCH):
        batch = islice(made, _BATCH)
        entries = [Entry(_WRITER, sequence, encode(event)) for sequence, event in enumerate(batch, first)]
        log.write(entries, keep_offsets=True, also=profiles)
        report(entries[-1].sequence, count)
    print(f"  {count:,} predictions logged in {perf_counter() - began:,.0f} s", flush=True)
    return log


def operations(version: str) -> Mapping[str, Operation]:
    """What is asked of a log; each draws what to ask for."""

    def some_seconds(draw: random.Random) -> float:
        return _END_SECONDS - _DAY_SECONDS * (0.01 + 0.9 * draw.random())

    def page_of_a_pokemon(log: PredictionLog, draw: random.Random) -> object:
        name = draw.choice(_POKEMON)
        return log.page(50, any_field={"attacker": name, "defender": name})

    return {
        "a prediction by its id": lambda log, draw: log.find(draw.choice(_ids(log))),
        "the newest page": lambda log, draw: log.page(50),
        "a page far back": lambda log, draw: log.page(50, before=draw.choice(_ids(log))),
        "a page of a time": lambda log, draw: log.page(50, until_seconds=some_seconds(draw)),
        "a page of a Pokémon": page_of_a_pokemon,
        "a check for drift": lambda log, draw: DriftChecker(log.engine, _WINDOW_SECONDS).check(version, _END_SECONDS),
    }


_POKEMON = ("pikachu", "eevee", "mewtwo", "bulbasaur", "charizard", "snorlax", "gengar", "dragonite")
_KNOWN_IDS: dict[int, Sequence[str]] = {}


def _ids(log: PredictionLog) -> Sequence[str]:
    return _KNOWN_IDS[id(log)]


def milliseconds(act: Operation, log: PredictionLog, draw: random.Random) -> float:
    began = perf_counter()
    assert act(log, draw)
    return (perf_counter() - began) * 1000


def compare(small: PredictionLog, large: PredictionLog, version: str) -> Iterator[Figure]:
    """Ask for one thing after the other, again and again: what else the machine does then meets all of them.

    Now the one and now the other log is first, since who is asked second finds the processor warm.
    """
    draw = random.Random(1)
    took: dict[str, tuple[list[float], list[float]]] = {}
    for turn in range(_WARM_UP + _ROUNDS):
        for name, act in operations(version).items():
            of_both = took.setdefault(name, ([], []))
            for log, times in list(zip((small, large), of_both, strict=True))[:: 1 if turn % 2 else -1]:
                times.append(milliseconds(act, log, draw))
    for name, of_both in took.items():
        few, many = (statistics.median(times[_WARM_UP:]) for times in of_both)
        yield Figure(f"  {name}: {few:.2f} ms, then {many:.2f} ms", many / few, MOST_SLOWER)


def compare_logs(kind: str, small_url: str, large_url: str, most: int, start: StartStep) -> bool:
    print(f"{kind}: {FEWEST:,} predictions, and {most:,}", flush=True)
    version = duel_predictions(1)[0].model_version
    small, large = (
        fill(url, count, start(f"{kind}, {count:,}")) for url, count in ((small_url, FEWEST), (large_url, most))
    )
    for log, count in ((small, FEWEST), (large, most)):
        _KNOWN_IDS[id(log)] = [id_of(number, count) for number in range(0, count, count // 1000)]
    kept = print_all(compare(small, large, version))
    small.engine.dispose()
    large.engine.dispose()
    return kept


def sqlite_log(options: argparse.Namespace, start: StartStep) -> bool:
    with TemporaryDirectory(prefix="scale-") as folder:
        small, large = (f"sqlite:///{folder}/{name}.sqlite" for name in ("small", "large"))
        return compare_logs("SQLite", small, large, options.most, start)


def postgres_log(options: argparse.Namespace, start: StartStep) -> bool:
    with postgres_folder() as folder, PostgresServer(folder) as server, ExitStack() as databases:
        small, large = (databases.enter_context(server.database(name)) for name in ("small", "large"))
        return compare_logs("PostgreSQL", small, large, options.most, start)


def memory(options: argparse.Namespace, start: StartStep) -> bool:
    print(f"memory, from {FEWEST:,} predictions to {options.predictions:,}", flush=True)
    with serving(options.data_dir, Cores(options.server_core, options.client_core)) as service:
        return watch_memory(service, marks(FEWEST, options.predictions), start("memory"))


_PARTS: Mapping[str, Callable[[argparse.Namespace, StartStep], bool]] = {
    "sqlite": sqlite_log,
    "memory": memory,
    "postgres": postgres_log,
}


def room(parts: Sequence[str], options: argparse.Namespace) -> int:
    """Bytes of disk that the largest of these parts takes; each removes what it made."""
    counts = {"sqlite": options.most, "memory": options.predictions, "postgres": options.most}
    return max(BYTES_EACH[part] * int(counts[part] + FEWEST) for part in parts) + _ROOM_BYTES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=MOST, help="predictions in the large logs")
    parser.add_argument("--predictions", type=int, default=MOST, help="to answer while memory is watched")
    parser.add_argument("--only", choices=_PARTS, help="measure one part")
    parser.add_argument("--data-dir", type=Path, help="keeps the compiled tablebase from run to run")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    options = parser.parse_args()
    parts = [options.only] if options.only else list(_PARTS)
    try:
        need_room(room(parts, options))
    except NoRoomError as error:
        parser.error(str(error))
    print(f"{date.today()}, {psutil.cpu_count()} CPUs", flush=True)
    try:
        with interruptible(), show_steps(Console()) as start:
            kept = [_PARTS[part](options, start) for part in parts]
    except KeyboardInterrupt:
        print("interrupted; nothing is left behind", flush=True)
        return 130
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
