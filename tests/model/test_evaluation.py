"""Every figure by hand on a few duels, and the floor on many."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from api_pokemon.model import ModelPredictor
from api_pokemon.model.evaluation import (
    CalibrationBin,
    Evaluation,
    accuracy,
    baselines,
    brier_floor,
    calibration,
    choice_regret,
    evaluate,
    worst_reply,
)
from api_pokemon.model.evaluation_report import draw_calibration, print_evaluation
from api_pokemon.model.features import FeatureTables
from api_pokemon.model.truth import Truth, TruthSet, load_truth
from tests.model.conftest import TRUTH


def played(
    wins: list[int], *, battles: int = 4, again: list[int] | None = None, more: int = 0,
    situation: list[int] | None = None, move: list[int] | None = None,
) -> TruthSet:  # fmt: skip
    """Duels of forms that do not matter."""
    count = len(wins)
    zeros = np.zeros(count, dtype=np.int64)
    return TruthSet(
        situation=np.array(situation or range(count)),
        form_a=zeros,
        move_a=np.array(move or zeros),
        form_b=zeros,
        move_b=zeros,
        battles=zeros + battles,
        wins_a=np.array(wins),
        battles_again=zeros + more if again is None else np.array([0 if wins < 0 else more for wins in again]),
        wins_again=zeros if again is None else np.maximum(again, 0),
    )


def test_the_floor_is_what_the_true_chances_would_show() -> None:
    """Over shares of few battles, as over those of many."""
    random = np.random.default_rng(0)
    chances = random.beta(0.3, 0.3, 200_000)
    truth = float((chances * (1 - chances)).mean())
    for battles in (2, 5, 60):
        duels = played(random.binomial(battles, chances).tolist(), battles=battles)
        floor = brier_floor(duels)
        assert floor == pytest.approx(truth, abs=0.001)
        assert accuracy(chances, duels, floor).above_floor == pytest.approx(0, abs=0.001)


def test_accuracy_by_hand() -> None:
    duels = played([4, 3, 2, 0])
    told = accuracy(np.array([0.9, 0.25, 0.5, 0.1]), duels, brier_floor(duels))
    # Against single battles: 0.1²; 3/4 · 0.75² + 1/4 · 0.25²; 0.5²; 0.1²
    assert told.brier == pytest.approx((0.01 + 0.4375 + 0.25 + 0.01) / 4)
    # n / (n − 1) f (1 − f): 0; 4/3 · 3/16; 4/3 · 1/4; 0
    assert brier_floor(duels) == pytest.approx((1 / 4 + 1 / 3) / 4)
    assert told.above_floor == pytest.approx(told.brier - brier_floor(duels))
    assert told.mean_absolute_error == pytest.approx((0.1 + 0.5 + 0 + 0.1) / 4)
    assert told.winner_right == pytest.approx(2 / 3)  # the even one does not count


def test_calibration_by_hand() -> None:
    duels = played([4, 2, 1, 0, 4])
    said = np.array([1.0, 0.51, 0.54, 0.04, 0.96])
    assert calibration(said, duels) == (
        CalibrationBin(said=0.04, happened=0.0, duels=1),
        CalibrationBin(said=pytest.approx(0.525), happened=0.375, duels=2),
        CalibrationBin(said=pytest.approx(0.98), happened=1.0, duels=2),  # 1 is of the last bin
    )
    assert accuracy(said, duels, 0.0).calibration_error == pytest.approx((0.04 + 2 * 0.15 + 2 * 0.02) / 5)


def test_regret_by_hand() -> None:
    """Two requests: of three moves that win 1, 4 and 2 of 4 battles, and of two that win 3 and 3."""
    choices = played([1, 4, 2, 3, 3], situation=[7, 7, 7, 9, 9], move=[1, 2, 3, 1, 2], again=[2, 2, 3, 4, 0], more=4)
    chances = np.array([0.2, 0.6, 0.7, 0.1, 0.9])
    damage = np.array([0.5, 0.4, 0.3, 0.2, 0.1])
    regret = choice_regret(choices, chances, damage)
    assert regret.model == pytest.approx((0.5 + 0) / 2)
    assert regret.strongest == pytest.approx((0.75 + 0) / 2)
    assert regret.random == pytest.approx((1 - 7 / 12 + 0) / 2)
    # With four battles against the model's weight of sixty, the oracle still takes the third move.
    assert regret.noise == regret.model
    sure = choice_regret(choices, np.array([0.5, 0.5, 0.5, 0.5, 0.5]), damage)
    assert sure.noise == pytest.approx((0.5 + 0) / 2)


def test_the_worst_reply_by_hand() -> None:
    """One request, two moves, two replies each; -1: not played again."""
    replies = played(
        [3, 2, 4, 0],
        situation=[5, 5, 5, 5],
        move=[1, 1, 2, 2],
        again=[4, 8, -1, 1],
        more=8,
    )
    told = worst_reply(replies, np.array([0.8, 0.7, 0.9, 0.1]))
    # The first move is recommended, at 0.7. Too low: the least of 7/12 and 10/12. Too high: the second reply is worst
    # in the first run, which gives 8/8 in the second; the first in the second, which gives 3/4 in the first.
    low, high = 7 / 12, (8 + 3) / 12
    assert told.bias_low == pytest.approx(0.7 - high)
    assert told.bias_high == pytest.approx(0.7 - low)
    assert told.mean_absolute_error == pytest.approx(abs(0.7 - (low + high) / 2))
    assert told.regret == 0
    wrong = worst_reply(replies, np.array([0.05, 0.7, 0.9, 0.1]))
    assert wrong.regret == pytest.approx((low + high) / 2 - 1 / 12)


def test_the_truth_lies_between_the_two_ends() -> None:
    """Simulated with known chances, as the truth is: 60 battles, and 200 more of the replies near the worst."""
    random = np.random.default_rng(1)
    requests, replies = 3_000, 10
    chances = random.uniform(0.2, 0.8, (requests, replies))
    wins = random.binomial(60, chances)
    near = np.argsort(np.argsort(wins, axis=1), axis=1) < 4
    near &= wins <= wins.min(1, keepdims=True) + 12
    again = np.where(near, random.binomial(200, chances), -1)
    duels = played(
        wins.ravel().tolist(),
        battles=60,
        again=again.ravel().tolist(),
        more=200,
        situation=np.repeat(np.arange(requests), replies).tolist(),
    )
    told = worst_reply(duels, chances.ravel())
    assert told.bias_low < 0 < told.bias_high
    assert told.bias_high - told.bias_low < 0.02


def test_baselines_by_hand(dex: Dex, features: FeatureTables, tables: DuelTables) -> None:
    """Pinsir (base stats 500 in all, speed 85) against Kingler (475, 75), both with a move that knocks out 3 in 10."""
    pinsir, kingler = (np.array([tables.form_row[dex.find_form(name).id]]) for name in ("Pinsir", "Kingler"))
    guillotine = np.array([tables.move_row[dex.find_move("Guillotine").id]])
    for mine, other, expected in ((pinsir, kingler, (1.0, 0.3 / 0.51)), (kingler, pinsir, (0.0, 1 - 0.3 / 0.51))):
        duel = replace(played([1]), form_a=mine, move_a=guillotine, form_b=other, move_b=guillotine)
        total_stats, race = expected
        assert {name: guess(duel)[0] for name, guess in baselines(features).items()} == {
            "total stats": total_stats,
            "expected damage": 0.5,
            "race of hits": pytest.approx(race, abs=0.001),
        }


@pytest.fixture(scope="module")
def truth(tables: DuelTables) -> Truth:
    return load_truth(TRUTH, tables)


@pytest.fixture(scope="module")
def result(live: ModelPredictor, truth: Truth) -> Evaluation:
    return evaluate(live.features, live.score, truth)


def test_a_small_model_beats_every_simple_guess(result: Evaluation) -> None:
    errors = {name: told.brier for name, told in result.accuracies.items()}
    assert list(errors) == ["model", "total stats", "expected damage", "race of hits"]
    assert result.floor < errors["model"] < min(brier for name, brier in errors.items() if name != "model")
    assert result.regret.noise < result.regret.model < result.regret.strongest < result.regret.random
    assert result.worst_reply.bias_low < result.worst_reply.bias_high
    assert (result.duels, result.battles) == (4_000, 240_000)


def test_metrics_stand_beside_their_floors(result: Evaluation) -> None:
    metrics = result.metrics()
    assert metrics["brier"] == pytest.approx(metrics["brier_floor"] + metrics["brier_above_floor"])
    assert metrics["regret"] > metrics["regret_noise"] > 0
    assert all(isinstance(value, float) for value in metrics.values())


def test_the_report_prints_every_figure(result: Evaluation) -> None:
    console = Console(record=True, width=160, file=io.StringIO())
    print_evaluation(console, "toy", result)
    text = console.export_text()
    model = result.accuracies["model"]
    for figure in (
        "Model toy: 4,000 matchups never trained on, 240,000 battles",
        f"{result.floor:.4f}",
        f"{model.brier:.4f}",
        f"{model.above_floor:.4f}",
        f"{model.calibration_error:.4f}",
        f"{result.regret.noise:.4f}",
        f"{result.worst_reply.bias_low:+.4f}",
        f"{result.worst_reply.bias_high:+.4f}",
        "race of hits",
    ):
        assert figure in text


def test_the_picture_is_a_png(result: Evaluation, tmp_path: Path) -> None:
    draw_calibration(result, tmp_path / "calibration.png")
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
