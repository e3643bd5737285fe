"""Two revisions of the service side by side: requests per second and CPU time of this tree, over those of another one.

    make bench-compare BASE=HEAD~1
    python -m benchmarks.compare HEAD~1 --rounds 4

The other revision is checked out into a temporary folder, with an environment of its own where the API's locked
requirements differ. Each serves with `api-pokemon serve` and a tablebase that it compiled; both run on one core and are
loaded in turns from another one. They are started several times, since two processes of the same program differ by up
to 15 %. This tree is taken as it is, with what is not committed.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.alternation import Comparison, Cores, Variant, taken_in_turns
from benchmarks.load import Call
from benchmarks.serving import Server, running
from benchmarks.throughput import calls
from tests.servers import free_port

ROOT = Path(__file__).parents[1]
_REQUIREMENTS = "api_pokemon/requirements.txt"
_OUTBOX_BYTES = str(1 << 34)
"""Nothing logs meanwhile, so the outbox takes it all."""


class Revision(NamedTuple):
    """A tree, what runs it, and its data folder."""

    tree: Path
    python: str
    data_dir: Path

    def environment(self, **settings: str) -> dict[str, str]:
        fixed = {"PYTHONPATH": str(self.tree), "API_POKEMON_TABLEBASE": "false", "API_POKEMON_LOG_LEVEL": "warning"}
        return {**fixed, "API_POKEMON_DATA_DIR": str(self.data_dir), **settings}

    def compile_tablebase(self) -> None:
        subprocess.run(
            [self.python, "-m", "api_pokemon", "tablebase"],
            cwd=self.tree,
            env={**os.environ, **self.environment()},
            check=True,
        )

    @contextmanager
    def serve(self, core: int | None) -> Iterator[Server]:
        port = free_port()
        settings = {"API_POKEMON_PORT": str(port), "API_POKEMON_OUTBOX_MAX_BYTES": _OUTBOX_BYTES}
        command = (self.python, "-m", "api_pokemon", "serve")
        with running(command, port, core=core, environment=self.environment(**settings), folder=self.tree) as server:
            yield server


@contextmanager
def checked_out(name: str) -> Iterator[Path]:
    """The tree of a revision, which goes afterwards."""
    git = partial(subprocess.run, cwd=ROOT, check=True)
    with TemporaryDirectory(prefix="compare-") as folder:
        tree = Path(folder, "base")
        git(["git", "worktree", "add", "--quiet", "--detach", str(tree), name])
        try:
            yield tree
        finally:
            git(["git", "worktree", "remove", "--force", str(tree)])


def python_of(tree: Path) -> str:
    """Ours, where the tree needs the same packages; else one of its own, which it makes."""
    if (tree / _REQUIREMENTS).read_bytes() == (ROOT / _REQUIREMENTS).read_bytes():
        return sys.executable
    subprocess.run(["make", ".venv/installed-api"], cwd=tree, check=True, stdout=subprocess.DEVNULL)
    return str(tree / ".venv/bin/python")


def report(title: str, comparison: Comparison) -> None:
    print(f"\n{title}")
    for name, seen in (("base", comparison.baseline), ("here", comparison.variant)):
        columns = zip(*((each.per_second, each.median_ms, each.p99_ms, each.cpu_us) for each in seen), strict=True)
        rate, median, p99, cpu = map(statistics.median, columns)
        print(f"{name}: {rate:,.0f} req/s, p50 {median:.2f} ms, p99 {p99:.2f} ms, {cpu:.1f} us of CPU each")
    failed = sum(each.failed for each in chain(comparison.baseline, comparison.variant))
    print(f"here / base: {comparison.ratio:.3f} of the requests per second,", end=" ")
    print(f"{comparison.cpu_ratio:.3f} by CPU time; {failed} answers were not 2xx", flush=True)


def compare(base: Revision, here: Revision, asked: dict[str, Call], options: argparse.Namespace) -> None:
    sides = (Variant("base", base.serve), Variant("here", here.serve))
    tasks = [(side, call) for call in asked.values() for side in sides]
    cores = Cores(options.server_core, options.client_core)
    rounds = [
        round_
        for _ in range(options.starts)
        for round_ in taken_in_turns(tasks, rounds=options.rounds, seconds=options.seconds, cores=cores)
    ]
    columns = list(zip(*rounds, strict=True))
    for number, title in enumerate(asked):
        report(title, Comparison(*columns[2 * number : 2 * number + 2]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="a revision, as git names it")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=4, help="of each start")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    options = parser.parse_args()
    with checked_out(options.base) as tree, TemporaryDirectory(prefix="compare-data-") as data:
        base = Revision(tree, python_of(tree), Path(data, "base"))
        here = Revision(ROOT, sys.executable, Path(data, "here"))
        for side in (base, here):
            side.compile_tablebase()
        compare(base, here, dict(calls()), options)


if __name__ == "__main__":
    main()
