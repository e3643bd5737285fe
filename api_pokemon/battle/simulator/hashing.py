"""Random numbers that are a function of where they are used, so that no order of work can change them."""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def hashes(*counters: int | NDArray[np.integer]) -> Words:
    """64 random bits for each combination of counters.

    Chains the finaliser of SplitMix64 (Steele, Lea and Flood, *Fast Splittable Pseudorandom Number Generators*, 2014)
    over the counters, from left to right.

    Parameters
    ----------
    counters
        Non-negative integers, or arrays of them that broadcast against each other.

    Returns
    -------
    Array of uint64 of the broadcast shape.

    Examples
    --------
    >>> hashes(1, np.arange(3))
    array([ 6791897765849424158,  9716232063330790915, 13608149317741381227],
          dtype=uint64)
    """
    state = np.zeros((), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for counter in counters:
            state = _finalise(state + np.asarray(counter).astype(np.uint64) + _GOLDEN)
    return state


def _finalise(words: Words) -> Words:
    words = (words ^ (words >> np.uint64(30))) * _MIX_1
    words = (words ^ (words >> np.uint64(27))) * _MIX_2
    result: Words = words ^ (words >> np.uint64(31))
    return result


def below(words: Words, bound: int) -> NDArray[np.int64]:
    """Uniform integers from 0 to bound - 1 out of random words, by their upper 32 bits; bias below bound / 2**32."""
    return ((words >> np.uint64(32)) * np.uint64(bound) >> np.uint64(32)).astype(np.int64)
