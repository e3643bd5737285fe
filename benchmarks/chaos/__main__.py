"""Both deployments under fire: ``python -m benchmarks.chaos``, or `make chaos`.

Clients ask at a constant rate, each over one connection. Meanwhile processes are killed and stopped, disks are full,
clocks jump, and the ways to Redis and PostgreSQL are slow, cut and half-open: one fault after the other, in an order
that follows from the seed. What dies is started again, as a supervisor does. Prints what came of it, a row for each
kind of fault, and ends with status 1 where something did not hold:

- each prediction that was answered is in the log, exactly once;
- no answer but a prediction, unless a full disk excuses `not-recorded`, or a kill a connection that it cut; but
  `overloaded` is always allowed;
- where the disk under the outbox was full, somebody was answered `not-recorded`;
- within 10 s after the end of each fault, requests are answered as before it.

It runs in a mount namespace of its own, which takes all that it has mounted with it, and starts everything so that it
ends with it: whatever ends it, no process and no mount is left. The machine's own clock is never touched.
"""

import argparse
import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.chaos.books import Books, wait_until_drained
from benchmarks.chaos.clients import Spec
from benchmarks.chaos.clock import Clock
from benchmarks.chaos.disk import may_mount
from benchmarks.chaos.faults import faults_of
from benchmarks.chaos.fire import Fire
from benchmarks.chaos.load import Load
from benchmarks.chaos.site import SITES

_OWN_MOUNTS = "CHAOS_OWN_MOUNTS"
_SHARES = {"embedded": 1, "stack": 2}
"""Of the time: there is twice as much that can be done to the second one."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="of load in all; start and end come on top")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deployment", choices=SITES, help="default: both, the stack for two thirds of the time")
    parser.add_argument("--rate", type=float, default=50, help="requests per second, one in ten with five duels")
    parser.add_argument("--only", default="", help="faults whose name this regular expression finds")
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    _take_own_mounts()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    names = [options.deployment] if options.deployment else list(SITES)
    missed = []
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user, and has the same clock
        for name in names:
            seconds = options.seconds * _SHARES[name] / sum(_SHARES[each] for each in names)
            missed += [f"{name}: {what}" for what in _burn(name, Path(folder, name), seconds, options)]
    print("\nall held" if not missed else "\nmissed:\n  " + "\n  ".join(missed), flush=True)
    return int(bool(missed))


def _burn(name: str, folder: Path, seconds: float, options: argparse.Namespace) -> list[str]:
    """Put one deployment under fire, print what came of it, and return what did not hold."""
    folder.mkdir()
    random = Random(f"{options.seed}-{name}")
    tell = partial(_tell, name, time.monotonic())
    true_clock = dict(os.environ)
    clock = Clock(folder)
    with contextlib.ExitStack() as stack:
        os.environ.update(clock.environment)  # so that all that is started from here on has it
        stack.callback(_restore, true_clock)
        site = stack.enter_context(SITES[name](folder, options.seed, true_clock))
        faults = [fault for fault in faults_of(site, clock, random) if re.search(options.only, fault.name)]
        tell(f"up; {options.rate:g} requests per second from {options.clients} clients, {len(faults)} kinds of faults")
        if not site.disks:
            tell("not root: no disk will be full")
        if not clock.is_there:
            tell("no C compiler (cc): no clock will jump")
        spec = Spec(tuple(site.ports), options.clients, options.rate, options.seed)
        with Load(spec, true_clock) as load:
            blows = Fire(site, load, faults, random, tell).burn(seconds)
        if never := {fault.name for fault in faults}.difference(blow.fault.name for blow in blows):
            tell(f"did not come in this time: {', '.join(sorted(never))}")
        tell("the load has ended; waiting until all is logged")
        not_drained = wait_until_drained(site)
        books = Books(site, load, blows)
        print(f"\n{name}")
        books.print()
        return [*filter(None, [not_drained]), *books.missed()]


def _take_own_mounts() -> None:
    """Start again in a mount namespace of our own, where that is allowed: what is mounted in it goes with it."""
    if may_mount() and not os.environ.get(_OWN_MOUNTS):
        command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "benchmarks.chaos"]
        os.execvpe(command[0], [*command, *sys.argv[1:]], {**os.environ, _OWN_MOUNTS: "1"})  # noqa: S606 -- no shell is wanted


def _restore(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _tell(name: str, began_seconds: float, what: str) -> None:
    print(f"{name} {time.monotonic() - began_seconds:6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; all that was started and mounted is gone")
