"""The garbage collector is told what stays; in a process of its own, since it is told for good."""

import platform
import subprocess
import sys

import pytest

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


FREEING = """
import psutil
from api_pokemon.garbage import give_back_what_is_free

own = psutil.Process().memory_full_info
pieces = [bytearray(4096) for _ in range(10_000)]
last = bytearray(4096)  # what is free below it stays with the process
del pieces
before = own().uss
give_back_what_is_free()
print(before - own().uss)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no way to be told")
def test_what_is_free_between_what_is_in_use_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", FREEING], check=True, capture_output=True, text=True)
    assert int(done.stdout) > 20 << 20
