"""The garbage collector is told what stays; in a process of its own, since it is told for good."""

import subprocess
import sys

PROGRAM = """
import gc, weakref
from api_pokemon.garbage import spare_what_stays

class Thing:
    pass

def cycle():
    thing = Thing()
    thing.itself = thing
    return weakref.ref(thing)

gone = cycle()
stays = [Thing() for _ in range(1000)]
spare_what_stays()
assert gone() is None
assert gc.get_freeze_count() > 1000
assert not any(isinstance(thing, Thing) for thing in gc.get_objects())
later = cycle()
gc.collect()
assert later() is None
"""


def test_what_is_there_is_passed_over_and_what_comes_is_not() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
