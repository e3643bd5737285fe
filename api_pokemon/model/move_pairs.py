"""What a move does to another move, whoever uses them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.tables import MoveTable
from api_pokemon.model.attack_columns import Indices, Rows

REACHES = {"dig": ("earthquake",), "fly": ("thunder", "gust", "twister")}
"""What hits a target that is away while it charges."""
SCREENS = {"baddybad": True, "glitzyglow": False}
"""Moves that leave a screen, and whether it is one against physical moves; else it is one against special ones."""
BREAKS_SCREENS = "brickbreak"
RETURNS = {"counter": True, "mirrorcoat": False}
"""Moves that give damage back twice, and whether it is that of physical moves; else it is that of special ones."""
STORES = "bide"
"""Gives back twice what it took in two turns, of any move."""

_AWAY, _SCREENED, _RETURNS, _STORES = 1, 2, 4, 8
_TIMES = np.array([0, 2, 4, 6], dtype=np.float64).repeat(_RETURNS)
"""How often a move gives back what it took, by its code."""


class Effects(NamedTuple):
    """What the other's move makes of each, shape (2, n); None where it makes nothing of any.

    Attributes
    ----------
    away : whether its target is away while it charges
    screens : what is left of its damage, 1 or a half
    returns : how often it gives back what it took
    """

    away: NDArray[np.bool_] | None
    screens: Rows | None
    returns: NDArray[np.float64] | None


class MovePairs:
    """Looks up what moves make of each other.

    Parameters
    ----------
    moves
        The dex's.
    """

    def __init__(self, moves: MoveTable) -> None:
        self._moves = len(moves.ids)
        self._codes = _codes(moves).ravel()

    def effects(self, moves: Indices) -> Effects:
        """Of moves that meet, shape (2, n): the first's, then the second's."""
        codes = self._codes.take(moves * self._moves + moves[::-1])
        there = int(np.bitwise_or.reduce(codes, axis=None))
        return Effects(
            away=codes & _AWAY > 0 if there & _AWAY else None,
            screens=np.where(codes & _SCREENED, np.float32(0.5), np.float32(1)) if there & _SCREENED else None,
            returns=_TIMES.take(codes) if there >= _RETURNS else None,
        )


def _codes(moves: MoveTable) -> NDArray[np.uint8]:
    """What a move (row) meets in another (column), in bits."""
    row = {name: place for place, name in enumerate(moves.showdown_ids)}
    codes = np.zeros((len(moves.ids),) * 2, dtype=np.uint8)
    for name, reached_by in REACHES.items():
        misses = (moves.rhythm == 0) & ~np.isin(moves.showdown_ids, reached_by)
        codes[misses, row[name]] |= _AWAY
    for name, of_physical in SCREENS.items():
        screened = (moves.physical == of_physical) & (np.array(moves.showdown_ids) != BREAKS_SCREENS)
        codes[screened, row[name]] |= _SCREENED
    for name, of_physical in RETURNS.items():
        codes[row[name], moves.physical == of_physical] |= _RETURNS
    codes[row[STORES]] |= _STORES
    return codes
