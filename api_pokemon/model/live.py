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

    Returns
    -------
    For each question one answer for each of A's moves.
    """
    sides = [len(moves) for question in questions for moves in (question.moves_a, question.moves_b)]
    attacker = np.repeat([form for q in questions for form in (q.form_a, q.form_b)], sides)
    target = np.repeat([form for q in questions for form in (q.form_b, q.form_a)], sides)
    move = np.concatenate([moves for q in questions for moves in (q.moves_a, q.moves_b)])
    attacks = features.attacks(attacker, move, target)
    rows, a_first = features.rows(attacks, *_pairs(questions))
    wins: list[float] = oriented(score(rows), a_first).tolist()
    numbers = attacks.numbers
    columns = (move, numbers.expected_damage, numbers.uses_to_knock_out)
    told = [_Attack(*each) for each in zip(*(column.tolist() for column in columns), strict=True)]
    answers, attack, row = [], 0, 0
    for question in questions:
        after = attack + len(question.moves_a) + len(question.moves_b)
        answers.append(_against_worst(question, told[attack:after], wins[row : row + question.rows]))
        attack, row = after, row + question.rows
    return answers


class _Attack(NamedTuple):
    move: int
    damage: float
    uses: float


def _against_worst(question: Question, attacks: Sequence[_Attack], wins: Sequence[float]) -> list[Answer]:
    """Each of A's attacks with B's reply that is worst for A; attacks are A's, then B's, wins by A's attack."""
    count = len(question.moves_a)
    replies = attacks[count:]
    answers = []
    for place, mine in enumerate(attacks[:count]):
        chances = wins[place * len(replies) : (place + 1) * len(replies)]
        if question.form_a == question.form_b:
            chances = [0.5 if reply.move == mine.move else win for reply, win in zip(replies, chances, strict=True)]
        worst = min(chances)
        reply = replies[chances.index(worst)]
        answers.append(Answer(worst, reply.move, mine.damage, mine.uses, reply.uses))
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
