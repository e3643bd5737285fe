"""Logged predictions made again with another model version: how many answers change, and by how much."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from api_pokemon.errors import DexError, DuelError, PayloadError
from api_pokemon.model.asked import WIN_DECIMALS, read_payload, told_win
from api_pokemon.model.ranking import MoveRanker
from api_pokemon.model.tablebase import TOLERANCE
from api_pokemon.monitoring import Prediction

_STEPS: int = 10**WIN_DECIMALS
"""Win probabilities are kept in such steps, so that differences are whole numbers of them, and are counted exactly."""

_MOST_EXAMPLES = 5


class Change(NamedTuple):
    """A prediction before and after: ids of the forms and of the recommended moves, and P(A wins) with the move.

    `near_tie` tells of another move that the version on trial finds no better than the one before, within what a
    tablebase rounds.
    """

    prediction_id: str
    form_a: int
    form_b: int
    move_before: int
    move_after: int
    win_probability_before: float
    win_probability_after: float
    near_tie: bool

    @property
    def steps(self) -> int:
        """How much the win probability changed, in millionths."""
        return round((self.win_probability_after - self.win_probability_before) * _STEPS)


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in the answers of one model version, or of all of them.

    Attributes
    ----------
    replayed : predictions made again
    unreadable : further ones that could not be: their payload tells of no duel, or of one that this dex does not know
    other_move : those of `replayed` with another recommended move
    near_ties : those of `other_move` that are no better than the move before, within what a tablebase rounds
    mean : mean change of the win probability; None, like all below, where nothing was replayed
    mean_absolute, median_absolute, p95_absolute, largest_absolute : of the same change without its sign
    """

    replayed: int
    unreadable: int
    other_move: int
    near_ties: int
    mean: float | None
    mean_absolute: float | None
    median_absolute: float | None
    p95_absolute: float | None
    largest_absolute: float | None

    @property
    def share_of_other_moves(self) -> float | None:
        """The share of `replayed` with another recommended move, in [0, 1]."""
        return self.other_move / self.replayed if self.replayed else None


class Replay:
    """Makes predictions again and counts what changes, in memory that does not grow with them.

    Parameters
    ----------
    ranker
        Answers with the version on trial.
    """

    def __init__(self, ranker: MoveRanker) -> None:
        self._ranker = ranker
        self._by_version: dict[str, _Tally] = {}
        self._largest: list[tuple[int, int, Change]] = []
        self._seen = 0

    def run(self, predictions: Iterable[Prediction]) -> None:
        """Make these again, in their order."""
        for prediction in predictions:
            tally = self._by_version.setdefault(prediction.model_version, _Tally())
            try:
                change = self._again(prediction)
            except (PayloadError, DexError, DuelError):
                tally.unreadable += 1
            else:
                tally.add(change)
                self._keep(change)

    def by_version(self) -> dict[str, Changes]:
        """What changed, by the model version that had answered."""
        return {version: self._by_version[version].changes() for version in sorted(self._by_version)}

    def total(self) -> Changes:
        """What changed in all of them."""
        total = _Tally()
        for tally in self._by_version.values():
            total.include(tally)
        return total.changes()

    def examples(self) -> tuple[Change, ...]:
        """The largest changes of the win probability, the largest first; of equals, those that were made first."""
        return tuple(change for _, _, change in sorted(self._largest, reverse=True))

    def _again(self, prediction: Prediction) -> Change:
        asked = read_payload(prediction.payload)
        moves = self._ranker.rank_by_id(asked.form_a, asked.form_b, asked.moves, asked.moves_b).moves
        best = moves[0]
        chances = (item.win_probability for item in moves if item.move.id == asked.recommended)
        return Change(
            prediction.prediction_id,
            asked.form_a,
            asked.form_b,
            asked.recommended,
            best.move.id,
            prediction.probability,
            told_win(best.win_probability),
            best.move.id != asked.recommended and best.win_probability - next(chances, 0.0) <= TOLERANCE,
        )

    def _keep(self, change: Change) -> None:
        self._seen += 1
        if change.steps or change.move_before != change.move_after:
            heapq.heappush(self._largest, (abs(change.steps), -self._seen, change))
            if len(self._largest) > _MOST_EXAMPLES:
                heapq.heappop(self._largest)


class _Tally:
    """Counts changes of one version by their size, on 4 MB however many there are."""

    def __init__(self) -> None:
        self.unreadable = 0
        self._other_move = 0
        self._near_ties = 0
        self._steps = 0
        self._by_size = np.zeros(_STEPS + 1, dtype=np.uint32)

    def add(self, change: Change) -> None:
        steps = change.steps
        self._other_move += change.move_before != change.move_after
        self._near_ties += change.near_tie
        self._steps += steps
        self._by_size[abs(steps)] += 1

    def include(self, other: "_Tally") -> None:
        self.unreadable += other.unreadable
        self._other_move += other._other_move
        self._near_ties += other._near_ties
        self._steps += other._steps
        self._by_size += other._by_size

    def changes(self) -> Changes:
        up_to = self._by_size.cumsum(dtype=np.int64)
        replayed = int(up_to[-1])

        def quantile(share: float) -> float | None:
            """The least size that at least this share of the changes does not pass."""
            return int(np.searchsorted(up_to, share * replayed)) / _STEPS if replayed else None

        sizes = int((self._by_size * np.arange(_STEPS + 1, dtype=np.int64)).sum())
        return Changes(
            replayed=replayed,
            unreadable=self.unreadable,
            other_move=self._other_move,
            near_ties=self._near_ties,
            mean=self._steps / replayed / _STEPS if replayed else None,
            mean_absolute=sizes / replayed / _STEPS if replayed else None,
            median_absolute=quantile(0.5),
            p95_absolute=quantile(0.95),
            largest_absolute=quantile(1.0),
        )
