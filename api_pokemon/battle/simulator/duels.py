"""Random duels to simulate."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.simulator.hashing import below, hashes
from api_pokemon.battle.simulator.pool import Duels
from api_pokemon.battle.split import held_out
from api_pokemon.dex import Dex

Matchups = Literal["training", "held-out"]

_STRUGGLE = 165
_STREAM = 1  # keeps these hashes apart from those of the battles' seeds


def random_duels(dex: Dex, count: int, seed: int, matchups: Matchups, unlearnable: float) -> Duels:
    """Draws duels; each depends on the seed and its own number alone.

    Parameters
    ----------
    dex
        For forms, moves and learnsets.
    count
        Number of duels.
    seed
        Of the run.
    matchups
        Whether the pairs of forms are those of training or those held out from it; duels of the other kind are drawn
        again.
    unlearnable
        Share of the duels, from 0 to 1, in which both fighters are a uniform form with a uniform damaging move of the
        game, learnable or not. In the others, they are uniform among all (form, damaging move of its learnset).

    Returns
    -------
    Shape (count, 4): form and move of A, form and move of B.
    """
    fighters = (learnable_fighters(dex), any_fighters(dex))
    numbers = np.arange(count)
    is_any = hashes(seed, _STREAM, numbers, 0) < np.uint64(unlearnable * (2**64 - 2**11))
    duels = np.empty((count, 4), dtype=np.uint16)
    for kind, rows in ((0, numbers[~is_any]), (1, numbers[is_any])):
        attempt = 0
        while len(rows):
            attempt += 1
            for side in (0, 1):
                words = hashes(seed, _STREAM, rows, attempt, side)
                duels[rows, 2 * side : 2 * side + 2] = fighters[kind][below(words, len(fighters[kind]))]
            rows = rows[held_out(duels[rows, 0], duels[rows, 2]) != (matchups == "held-out")]
    return duels


def learnable_fighters(dex: Dex) -> NDArray[np.uint16]:
    """All (form id, move id) of a form and a damaging move of its learnset, shape (n, 2)."""
    damaging = _damaging_moves(dex)
    return np.array(
        [(form.id, move) for form in dex.forms for move in form.learnset if move in damaging], dtype=np.uint16
    )


def any_fighters(dex: Dex) -> NDArray[np.uint16]:
    """All (form id, move id) of a form and a damaging move, shape (n, 2)."""
    return np.array([(form.id, move) for form in dex.forms for move in sorted(_damaging_moves(dex))], dtype=np.uint16)


def _damaging_moves(dex: Dex) -> frozenset[int]:
    return frozenset(move.id for move in dex.moves if move.category != "Status" and move.id != _STRUGGLE)
