"""Which match-ups a model never sees in training."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from api_pokemon.battle.simulator.hashing import hashes

HELD_OUT_SHARE = 0.03
_SALT = 20181116  # any number would do; this one is the day the games came out


def held_out(form_a: ArrayLike, form_b: ArrayLike) -> NDArray[np.bool_]:
    """Whether a match-up of two forms is kept for evaluation, whatever their moves and whichever side they stand on.

    A fixed pseudo-random rule on the unordered pair of form ids, true for about `HELD_OUT_SHARE` of all pairs (573 of
    the 17,766). It depends on nothing else, so that every data set ever simulated agrees on it.

    Parameters
    ----------
    form_a, form_b
        Form ids, broadcast against each other.

    Examples
    --------
    >>> held_out([25, 1, 26], [1, 25, 1])
    array([False, False, False])
    """
    a, b = np.asarray(form_a), np.asarray(form_b)
    words = hashes(_SALT, np.minimum(a, b), np.maximum(a, b))
    result: NDArray[np.bool_] = words < np.uint64(HELD_OUT_SHARE * 2**64)
    return result
