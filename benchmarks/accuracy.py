"""How good the model is on match-ups that it never saw, against the bars of the project.

    python -m benchmarks.accuracy                   # the shipped version
    python -m benchmarks.accuracy --model-dir FOLDER

The tables are those of `api-pokemon evaluate`, on the committed truth.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from api_pokemon.dex import load_dex
from api_pokemon.model import install_version, open_model
from api_pokemon.model.commands import TRUTH
from api_pokemon.model.evaluation import Evaluation, evaluate
from api_pokemon.model.evaluation_report import print_evaluation
from api_pokemon.model.truth import load_truth
from benchmarks.figure import Figure, print_all
from benchmarks.picture import draw


def figures(result: Evaluation) -> Iterator[Figure]:
    model, worst = result.accuracies["model"], result.worst_reply
    yield Figure("Brier above the noise floor", model.above_floor, 0.0020)
    yield Figure("calibration error (ECE, 20 bins)", model.calibration_error, 0.005)
    yield Figure(f"regret of the choice (an oracle's: {result.regret.noise:.4f})", result.regret.model, 0.005)
    yield Figure(
        "bias against the worst reply, size of the larger", max(abs(worst.bias_low), abs(worst.bias_high)), 0.01
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", type=Path, help="a version's folder; default: the shipped version")
    parser.add_argument("--picture", type=Path, help="draw the picture of README into this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        predictor = open_model(load_dex(), options.model_dir or install_version(Path(temporary)))
        result = evaluate(predictor.features, predictor.score, load_truth(TRUTH, predictor.tables))
    print_evaluation(Console(width=120), predictor.version, result)
    if options.picture:
        draw(result, options.picture)
    return int(not print_all(figures(result)))


if __name__ == "__main__":
    sys.exit(main())
