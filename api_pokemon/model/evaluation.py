"""How good a model is, always beside what nothing could beat: the noise of the truth itself.

A share of wins out of 60 battles is not the probability. So every error stands beside its floor, the error that the
true probabilities would show on the same set, and beside three simple ways to guess.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.tables import DuelTables
from api_pokemon.model.features import FEATURES, FeatureTables
from api_pokemon.model.tablebase import oriented
from api_pokemon.model.truth import Truth, TruthSet

BINS = 20
RACE = FEATURES.index("race")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Guess = Callable[[TruthSet], Floats]
"""Duels to A's win probability, shape (n,)."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of one way to guess, on the duels.

    Attributes
    ----------
    brier : mean squared error against single battles
    above_floor : ``brier`` less what the true probabilities would have
    mean_absolute_error : against shares of wins, so with their noise in it
    calibration_error : ECE over 20 equal bins
    winner_right : share of the duels whose likelier winner is told, where the shares tell one
    """

    brier: float
    above_floor: float
    mean_absolute_error: float
    calibration_error: float
    winner_right: float


@dataclass(frozen=True, slots=True)
class Regret:
    """Of choosing a move: the share of wins lost against the best of the given moves.

    Attributes
    ----------
    model : of the model's choice
    noise : what an oracle would show on the same sample, because the best of noisy shares is too good
    strongest, random : of the move with the most expected damage; of any move
    """

    model: float
    noise: float
    strongest: float
    random: float


@dataclass(frozen=True, slots=True)
class WorstReply:
    """For unknown movesets: ``win_probability`` of the recommended move less the truth, on average.

    Attributes
    ----------
    bias_low, bias_high
        Against the two ends between which the true worst reply lies: told too good by choosing the reply on one half of
        the battles and counting the other, and too bad by taking the minimum over all of them.
    mean_absolute_error : against the middle of both
    regret : of the recommended moves, against the best move's middle
    """

    bias_low: float
    bias_high: float
    mean_absolute_error: float
    regret: float


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Duels of about the same probability: what was said, what happened, how many."""

    said: float
    happened: float
    duels: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that ``api-pokemon evaluate`` prints."""

    duels: int
    battles: int
    floor: float
    accuracies: dict[str, Accuracy]
    regret: Regret
    worst_reply: WorstReply
    calibration: tuple[CalibrationBin, ...]

    def metrics(self) -> dict[str, float]:
        """The model's own figures, for its metadata."""
        model = self.accuracies["model"]
        return {
            "brier": model.brier,
            "brier_floor": self.floor,
            "brier_above_floor": model.above_floor,
            "mean_absolute_error": model.mean_absolute_error,
            "calibration_error": model.calibration_error,
            "winner_right": model.winner_right,
            "regret": self.regret.model,
            "regret_noise": self.regret.noise,
            "worst_reply_bias_low": self.worst_reply.bias_low,
            "worst_reply_bias_high": self.worst_reply.bias_high,
            "worst_reply_regret": self.worst_reply.regret,
        }


def evaluate(
    features: FeatureTables, score: Callable[[NDArray[np.float32]], NDArray[np.float32]], truth: Truth
) -> Evaluation:
    """Measure a model, and the simple ways to guess beside it.

    Parameters
    ----------
    score
        Feature rows to the first's win probability.
    """

    def model(duels: TruthSet) -> Floats:
        rows, a_first = _rows(features, duels)
        return oriented(score(rows), a_first)

    guesses = {"model": model, **baselines(features)}
    said = {name: guess(truth.duels) for name, guess in guesses.items()}
    floor = brier_floor(truth.duels)
    return Evaluation(
        duels=len(truth.duels.wins_a),
        battles=int(truth.duels.battles.sum()),
        floor=floor,
        accuracies={name: accuracy(probability, truth.duels, floor) for name, probability in said.items()},
        regret=choice_regret(truth.choices, model(truth.choices), _damage(features, truth.choices)),
        worst_reply=worst_reply(truth.replies, model(truth.replies)),
        calibration=calibration(said["model"], truth.duels),
    )


def baselines(features: FeatureTables) -> dict[str, Guess]:
    """Three simple ways to guess who wins."""
    tables = features.tables

    def total_stats(duels: TruthSet) -> Floats:
        totals = _total_stats(tables)
        return np.asarray(0.5 + 0.5 * np.sign(totals[duels.form_a] - totals[duels.form_b]))

    def expected_damage(duels: TruthSet) -> Floats:
        mine, other = _damage(features, duels), _damage(features, _reversed(duels))
        return np.asarray(mine / np.maximum(mine + other, 1e-9))

    def race(duels: TruthSet) -> Floats:
        rows, a_first = _rows(features, duels)
        return oriented(rows[:, RACE], a_first)

    return {"total stats": total_stats, "expected damage": expected_damage, "race of hits": race}


def brier_floor(duels: TruthSet) -> float:
    """Mean of p(1 − p), the squared error of the true probabilities against single battles, from shares of wins.

    A share f of n battles gives n / (n − 1) f(1 − f) without bias.
    """
    share = duels.wins_a / duels.battles
    return float((share * (1 - share) * duels.battles / (duels.battles - 1)).mean())


def accuracy(probability: Floats, duels: TruthSet, floor: float) -> Accuracy:
    """Compare probabilities with how the duels ended.

    Examples
    --------
    A matchup that A wins three times in four, told exactly:

    >>> one = np.array([0])
    >>> duels = TruthSet(one, one, one, one, one, one + 4, one + 3, one, one)
    >>> told = accuracy(np.array([0.75]), duels, brier_floor(duels))
    >>> round(told.brier, 4), told.winner_right
    (0.1875, 1.0)
    """
    share = duels.wins_a / duels.battles
    brier = float((probability**2 - 2 * probability * share + share).mean())
    decided = share != 0.5
    right = (probability > 0.5) == (share > 0.5)
    return Accuracy(
        brier=brier,
        above_floor=brier - floor,
        mean_absolute_error=float(np.abs(probability - share).mean()),
        calibration_error=sum(
            abs(told.said - told.happened) * told.duels for told in calibration(probability, duels)
        ) / len(share),
        winner_right=float(right[decided].mean()),
    )  # fmt: skip


def calibration(probability: Floats, duels: TruthSet) -> tuple[CalibrationBin, ...]:
    """What was said and what happened, in ``BINS`` equal bins of the probability; empty bins are left out."""
    share = duels.wins_a / duels.battles
    bins = np.minimum((probability * BINS).astype(np.intp), BINS - 1)
    return tuple(
        CalibrationBin(float(probability[bins == place].mean()), float(share[bins == place].mean()), int(count))
        for place, count in enumerate(np.bincount(bins, minlength=BINS))
        if count
    )


def choice_regret(choices: TruthSet, probability: Floats, damage: Floats) -> Regret:
    """Regret of the choice of a move, counted on one run of battles.

    The noise is what an oracle shows: it chooses on the other run and the model's probabilities together, weighted by
    how sure each is, and is counted on the first.
    """
    share = choices.wins_a / choices.battles
    again = choices.wins_again / choices.battles_again
    model_weight = 60
    oracle = (again * choices.battles_again + probability * model_weight) / (choices.battles_again + model_weight)
    groups = _groups(choices.situation)

    def regret(score: Floats) -> float:
        return float(np.mean([share[group].max() - share[group[score[group].argmax()]] for group in groups]))

    return Regret(
        model=regret(probability),
        noise=regret(oracle),
        strongest=regret(damage),
        random=float(np.mean([share[group].max() - share[group].mean() for group in groups])),
    )


def worst_reply(replies: TruthSet, probability: Floats) -> WorstReply:
    """Compare the recommended move's ``win_probability`` with its worst reply in the simulator."""
    low, middle, high, said, regrets = [], [], [], [], []
    for request in _groups(replies.situation):
        moves = _groups(replies.move_a[request])
        worst_said = [probability[request[move]].min() for move in moves]
        ends = [_worst_ends(replies, request[move]) for move in moves]
        chosen = int(np.argmax(worst_said))
        middles = [(low_end + high_end) / 2 for low_end, high_end in ends]
        said.append(worst_said[chosen])
        low.append(ends[chosen][0])
        high.append(ends[chosen][1])
        middle.append(middles[chosen])
        regrets.append(max(middles) - middles[chosen])
    told = np.array(said)
    return WorstReply(
        bias_low=float((told - np.array(high)).mean()),
        bias_high=float((told - np.array(low)).mean()),
        mean_absolute_error=float(np.abs(told - np.array(middle)).mean()),
        regret=float(np.mean(regrets)),
    )


def _worst_ends(replies: TruthSet, rows: Ints) -> tuple[float, float]:
    """Two estimates of A's chance against its worst reply: one too low, one too high, on average."""
    near = rows[replies.battles_again[rows] > 0]
    first = replies.wins_a[near] / replies.battles[near]
    again = replies.wins_again[near] / replies.battles_again[near]
    both = (replies.wins_a + replies.wins_again)[near] / (replies.battles + replies.battles_again)[near]
    crossed = (
        again[first.argmin()] * replies.battles_again[near[0]] + first[again.argmin()] * replies.battles[near[0]]
    ) / (replies.battles_again[near[0]] + replies.battles[near[0]])
    return float(both.min()), float(crossed)


def _rows(features: FeatureTables, duels: TruthSet) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    return features.duels(duels.form_a, duels.move_a, duels.form_b, duels.move_b)


def _damage(features: FeatureTables, duels: TruthSet) -> Floats:
    return features.attacks(duels.form_a, duels.move_a, duels.form_b).numbers.expected_damage


def _total_stats(tables: DuelTables) -> Ints:
    return (
        tables.hit_points
        + tables.attack
        + tables.defense
        + tables.special_attack
        + tables.special_defense
        + tables.speed
    )


def _reversed(duels: TruthSet) -> TruthSet:
    return replace(duels, form_a=duels.form_b, move_a=duels.move_b, form_b=duels.form_a, move_b=duels.move_a)


def _groups(values: Ints) -> list[Ints]:
    """Places of each distinct value."""
    order = np.argsort(values, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(values[order])) + 1)
