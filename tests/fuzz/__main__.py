"""Fuzz the service by its OpenAPI document, as real processes: `make fuzz`.

Four callers (without a key, with a wrong one, with one to predict, with one to administer) send what the document
allows and what it does not, and Schemathesis holds each answer to the document and to HTTP. A second service, in which
faults are allowed, answers for those routes, and so does its worker. Ends with exit status 1 where anything was found,
where an operation was never answered well, or where there were fewer cases than asked for.
"""

import argparse
import hashlib
import itertools
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from tests.fuzz.campaign import Tally, Target, operations_of, run
from tests.integration.deployment import DEPLOYMENTS, Deployment

KEYS = {"predict": "fuzz-predict", "admin": "fuzz-admin"}
SETTINGS = {f"API_POKEMON_{role.upper()}_KEYS": hashlib.sha256(key.encode()).hexdigest() for role, key in KEYS.items()}
FAULTS = ("--include-path-regex", "^/faults", "--phases", "examples,coverage,fuzzing")
EXAMPLES_A_CASE = 1 / 60
"""Of the admin, for each operation; the coverage phase, which has a fixed number of cases, sends about 800."""


def callers(deployment: Deployment) -> Iterator[tuple[Target, float]]:
    """Each caller of the service, and its share of the examples."""
    document = f"{deployment.apis[0].url}/openapi.json"
    yield Target("no key", document, {}), 0.1
    yield Target("wrong key", document, {"X-API-Key": "not-a-key"}), 0.1
    yield Target("predict key", document, {"X-API-Key": KEYS["predict"]}), 0.5
    yield Target("admin key", document, {"X-API-Key": KEYS["admin"]}), 1.0


def fault_callers(deployment: Deployment) -> Iterator[tuple[Target, float]]:
    """The same two programs with faults allowed; the worker has no document of its own, and the same routes."""
    document, worker = f"{deployment.apis[0].url}/openapi.json", deployment.workers[0].url
    admin = {"X-API-Key": KEYS["admin"]}
    yield Target("faults of the API", document, admin, FAULTS), 0.5
    yield Target("faults of the worker", document, admin, (*FAULTS, "--url", worker)), 0.5


@contextmanager
def services(kind: str, folder: Path) -> Iterator[tuple[Deployment, Deployment]]:
    """The service, and one in which faults are allowed."""
    own, other = folder / "service", folder / "faults"
    own.mkdir()
    other.mkdir()
    with (
        DEPLOYMENTS[kind](own, SETTINGS) as service,
        DEPLOYMENTS["embedded"](other, {**SETTINGS, "API_POKEMON_FAULTS": "true"}) as breakable,
    ):
        yield service, breakable


def fuzz(kind: str, cases: int, seed: int, folder: Path) -> tuple[Tally, list[str], list[str]]:
    """Send so many cases or more; returns them counted, the operations that there are, and what is wrong."""
    tally, findings = Tally(), []
    examples = max(5, round(cases * EXAMPLES_A_CASE))
    with services(kind, folder) as (service, breakable):
        operations = operations_of(f"{service.apis[0].url}/openapi.json")
        everybody = [*callers(service), *fault_callers(breakable)]
        admin = next(caller for caller in everybody if caller[0].name == "admin key")
        for number, (target, share) in enumerate(itertools.chain(everybody, itertools.repeat(admin))):
            if number >= len(everybody) and tally.cases >= cases:
                break
            before, began = tally.cases, perf_counter()
            own_examples = max(1, round(examples * share))
            found = run(target, tally, folder / str(number), examples=own_examples, seed=seed + number)
            print(f"{target.name}: {tally.cases - before} cases, {perf_counter() - began:.0f} s", flush=True)
            findings += [f"{target.name}, seed {seed + number}:\n{found}"] if found else []
            if tally.cases == before:
                break
    return tally, operations, findings


def print_table(tally: Tally, operations: Sequence[str]) -> None:
    """Each operation of the document, and in one row all methods that it does not have."""
    rows = {operation: tally.statuses[operation] for operation in operations}
    others = [statuses for operation, statuses in tally.statuses.items() if operation not in rows]
    rows["methods that are not there"] = sum(others, Counter())
    print(f"\n{'operation':42} {'cases':>6}  answers by status")
    for name, statuses in rows.items():
        answers = ", ".join(f"{status}: {number}" for status, number in sorted(statuses.items()))
        print(f"{name:42} {statuses.total():>6}  {answers}")
    print(f"{'all':42} {tally.cases:>6}")


def gaps(tally: Tally, operations: Sequence[str], cases: int) -> Iterator[str]:
    """What a run without findings may not have asked."""
    if tally.cases < cases:
        yield f"there were only {tally.cases} cases, where {cases} were asked for"
    for operation in operations:
        if not any(status in range(200, 300) for status in tally.statuses[operation]):
            yield f"{operation} was never answered well"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the service by its document.")
    parser.add_argument("--cases", type=int, default=10_000, help="send at least so many")
    parser.add_argument("--seed", type=int, default=1, help="another one sends other cases")
    parser.add_argument("--deployment", choices=DEPLOYMENTS, default="stack", help="on SQLite, or Redis and PostgreSQL")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        tally, operations, findings = fuzz(options.deployment, options.cases, options.seed, Path(folder))
    print_table(tally, operations)
    findings += gaps(tally, operations, options.cases)
    print("\nnothing found" if not findings else "\n" + "\n\n".join(findings))
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
