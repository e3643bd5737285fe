"""Duels answered by features and inference: many in one run, since of one alone numpy's calls take the most time."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from api_pokemon.model.features import FeatureTables
from api_pokemon.model.lookup import Answer
from api_pokemon.model.tablebase import oriented

Indices = NDArray[np.intp]


class Question(NamedTuple):
    """A's moves against B's replies, as rows of the tables; none of both sides is empty."""

    form_a: int
    moves_a: Sequence[int]
    form_b: int
    moves_b: Sequence[int]

    @property
    def rows(self) -> int:
        """So many rows are inferred for it."""
        return len(self.moves_a) * len(self.moves_b)


def answer_together(
    features: FeatureTables, score: Callable[[NDArray[np.float32]], NDArray[np.float32]], questions: Sequence[Question]
) -> list[list[Answer]]:
    """Answer questions in one run; each gets what it would get alone, to the bit.

    Both sides of all of them are counted in one go.

    Returns
    -------
    For each question one answer for each of A's moves.
    """
    forms = np.array([(question.form_a, question.form_b) for question in questions])
    sides = [moves for question in questions for moves in (question.moves_a, question.moves_b)]
    counts = list(map(len, sides))
    attacker, target = np.repeat(forms.ravel(), counts), np.repeat(forms[:, ::-1].ravel(), counts)
    attacks = features.attacks(attacker, np.array([move for moves in sides for move in moves]), target)
    rows, a_first = features.rows(attacks, _pairs(questions))
    wins: list[float] = oriented(score(rows), a_first).tolist()
    damage: list[float] = attacks.numbers.expected_damage.tolist()
    uses: list[float] = attacks.numbers.uses_to_knock_out.tolist()
    answers, attack, row = [], 0, 0
    for question in questions:
        end = attack + len(question.moves_a) + len(question.moves_b)
        own = slice(attack, end)
        answers.append(_against_worst(question, wins[row : row + question.rows], damage[own], uses[own]))
        attack, row = end, row + question.rows
    return answers


def _against_worst(
    question: Question, wins: Sequence[float], damage: Sequence[float], uses: Sequence[float]
) -> list[Answer]:
    """Each of A's moves with B's reply that is worst for A.

    Parameters
    ----------
    wins : of each pair of moves, by A's
    damage, uses : of each attack, A's before B's
    """
    moves_a, replies = question.moves_a, question.moves_b
    count = len(replies)
    answers = []
    for place, move in enumerate(moves_a):
        chances = wins[place * count : (place + 1) * count]
        if question.form_a == question.form_b and move in replies:
            chances = [0.5 if reply == move else win for reply, win in zip(replies, chances, strict=True)]
        worst = min(chances)
        reply = chances.index(worst)
        answers.append(Answer(worst, replies[reply], damage[place], uses[place], uses[len(moves_a) + reply]))
    return answers


def _pairs(questions: Sequence[Question]) -> Indices:
    """Which attack meets which: A's and B's, shape (2, rows); attacks are by question, A's before B's."""
    first, grids = 0, []
    for question in questions:
        mine, others = len(question.moves_a), len(question.moves_b)
        grids.append(_grid(mine, others) + first)
        first += mine + others
    return np.concatenate(grids, axis=1)


@lru_cache(maxsize=1024)
def _grid(mine: int, others: int) -> Indices:
    """All pairs of the first `mine` rows with each of the `others` that follow; not to be written to."""
    return np.stack([np.repeat(np.arange(mine), others), np.tile(np.arange(mine, mine + others), mine)])
