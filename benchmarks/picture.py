"""The picture of README: is the model honest, and is it better than a guess?"""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes

from api_pokemon.model.evaluation import Evaluation

_MODEL, _OTHER = "#1f6fb2", "#b8b8b8"
_FLOOR = "the battles' own noise"


def draw(result: Evaluation, path: Path) -> None:
    """Write a PNG: what the model said against what happened; its error between the noise floor and simple guesses."""
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.7), width_ratios=(3, 4), layout="constrained")
    _draw_calibration(left, result)
    _draw_errors(right, result)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_calibration(axes: Axes, result: Evaluation) -> None:
    said = [told.said for told in result.calibration]
    axes.plot((0, 1), (0, 1), color=_OTHER, linewidth=1, label="perfect")
    axes.plot(
        said,
        [told.happened for told in result.calibration],
        "o-",
        color=_MODEL,
        markersize=4,
        linewidth=1,
        label="model",
    )
    axes.set(title="Does it happen as it says?", aspect="equal", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set(xlabel="chance to win, as predicted", ylabel="share of battles won")
    axes.legend(frameon=False, loc="upper left")


def _draw_errors(axes: Axes, result: Evaluation) -> None:
    errors = {_FLOOR: result.floor, **{name: told.brier for name, told in result.accuracies.items()}}
    names = sorted(errors, key=errors.__getitem__, reverse=True)
    bars = axes.barh(
        names, [errors[name] for name in names], color=[_MODEL if name == "model" else _OTHER for name in names]
    )
    axes.bar_label(bars, fmt="%.4f", padding=4)
    axes.set(title=f"How wrong is it, on {result.duels:,} unseen match-ups?", xlabel="Brier score: 0 is perfect")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.15)
