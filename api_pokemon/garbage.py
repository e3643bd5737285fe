"""What Python's garbage collector need not look at, and the process not keep, while it answers requests."""

import ctypes
import gc
from contextlib import suppress

_YOUNG_OBJECTS = 10_000


def spare_what_stays() -> None:
    """Let collections pass over all that there is now, and come less often.

    To be called once, when a process is ready. What was made until then (model, routes, schemas) stays until the end,
    and looking through it takes about 70 ms, during which nobody is answered. And the young objects of a few dozen
    requests that wait for their commit would bring on a collection every few milliseconds, though they need none.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])


def give_back_what_is_free() -> None:
    """Return to the system what the C library holds free, where it can (glibc).

    To be called once, when a process is ready: of what onnxruntime frees when it has read a model, 17 MB stay with the
    process otherwise, between what is in use.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
