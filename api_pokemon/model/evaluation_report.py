"""An evaluation as tables, and its calibration as a picture."""

from pathlib import Path

import matplotlib as mpl
from rich.console import Console
from rich.table import Table

from api_pokemon.model.evaluation import BINS, Evaluation


def print_evaluation(console: Console, version: str, result: Evaluation) -> None:
    """Print the tables."""
    duels = Table(
        title=f"Model {version}: {result.duels:,} matchups never trained on, {result.battles:,} battles",
        caption=f"Floor of this set: Brier {result.floor:.4f}. Calibration error: ECE over {BINS} equal bins.",
    )
    for heading in ("", "Brier", "above floor", "mean abs. error", "calibration error", "winner right"):
        duels.add_column(heading, justify="left" if not heading else "right")
    for name, told in result.accuracies.items():
        duels.add_row(
            name,
            f"{told.brier:.4f}",
            f"{told.above_floor:.4f}",
            f"{told.mean_absolute_error:.4f}",
            f"{told.calibration_error:.4f}",
            f"{told.winner_right:.1%}",
        )
    console.print(duels)
    regret = Table(title="Choosing a move against one known reply: share of wins lost")
    for heading in ("model", "noise (an oracle's)", "most damage", "any move"):
        regret.add_column(heading, justify="right")
    shown = (result.regret.model, result.regret.noise, result.regret.strongest, result.regret.random)
    regret.add_row(*(f"{value:.4f}" for value in shown))
    console.print(regret)
    worst = Table(
        title="Unknown moveset: the recommended move against its worst reply",
        caption="The truth lies between the two biases.",
    )
    for heading in ("bias, at least", "bias, at most", "mean abs. error", "regret"):
        worst.add_column(heading, justify="right")
    reply = result.worst_reply
    worst.add_row(
        f"{reply.bias_low:+.4f}", f"{reply.bias_high:+.4f}", f"{reply.mean_absolute_error:.4f}", f"{reply.regret:.4f}"
    )
    console.print(worst)


def draw_calibration(result: Evaluation, path: Path) -> None:
    """Draw what was said against what happened, with the number of duels below, as a PNG."""
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (curve, counts) = pyplot.subplots(
        2, 1, figsize=(5.5, 6.5), height_ratios=(4, 1), sharex=True, layout="constrained"
    )
    said = [told.said for told in result.calibration]
    curve.plot((0, 1), (0, 1), color="0.7", linewidth=1, label="perfect")
    curve.plot(said, [told.happened for told in result.calibration], marker="o", markersize=4, label="model")
    error = result.accuracies["model"].calibration_error
    curve.set(title=f"{result.duels:,} unseen matchups, ECE {error:.4f}", ylabel="share of battles won", ylim=(0, 1))
    curve.legend(frameon=False)
    counts.bar(said, [told.duels for told in result.calibration], width=0.8 / BINS, color="0.6")
    counts.set(xlabel="win probability", ylabel="matchups", xlim=(0, 1), yscale="log")
    figure.savefig(path, dpi=120, format="png")
    pyplot.close(figure)
