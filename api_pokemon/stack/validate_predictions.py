"""Follows a hundred predictions through the stack: into Prometheus, into the log, into the account."""

import time
from typing import Any

from api_pokemon.errors import UnmetError
from api_pokemon.stack.validate_site import Site

_PREDICTIONS = 100
_FIRST_FORM = 15
"""Of so many forms in a row that all can duel: Metapod (11), Kakuna (14) and Ditto (132) cannot."""
_PATH = "/predict/best-move"
_MOVES = ["Surf", "Thunderbolt", "Tackle"]

_PREDICTED = "sum(model_predictions_total)"
_ANSWERED = f'sum(api_requests_total{{method="POST", endpoint="{_PATH}", status="200"}})'
_LAST_SCRAPE = "min(timestamp(model_predictions_total))"
_SUMS = {
    name: f"sum(max by (writer) ({metric}))"
    for name, metric in (
        ("accepted", "events_accepted_total"),
        ("logged", "events_logged_total"),
        ("pending", "events_pending"),
    )
}


class Hundred:
    """A hundred predictions, made once, and then looked for.

    The verbs are for this order: each builds on what the one before it did.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._answers: dict[str, float] = {}
        self._logged_before = 0.0

    def reach_prometheus(self) -> str:
        """Make them, and return by how much Prometheus' counters have grown once it has scraped.

        Raises
        ------
        UnmetError
            They have grown by less.
        """
        before = self._scraped_counts()
        self._logged_before = self._value(_SUMS["logged"])
        self._predict()
        after = self._scraped_counts()
        grown = [now - then for now, then in zip(after, before, strict=True)]
        told = f"predictions +{grown[0]:.0f} (to {after[0]:.0f}), requests answered with 200 +{grown[1]:.0f}"
        if min(grown) < _PREDICTIONS:
            raise UnmetError(f"{_PREDICTIONS} were made, and Prometheus has {told}.")
        return told if max(grown) == _PREDICTIONS else f"{told}; others predict too"

    def reach_log(self) -> str:
        """Find each of them in the log by its id, with the probability that was answered.

        Raises
        ------
        UnmetError
            Naming one that is not there, or is there with another probability.
        """
        self._need_predictions()
        since = time.monotonic()
        missing = dict(self._answers)
        self._site.wait(lambda: self._find(missing))
        return f"all {_PREDICTIONS} by their ids, as answered, within {time.monotonic() - since:.1f} s"

    def balance(self) -> str:
        """Return the account as Prometheus has it, once it knows that all of them are logged.

        Raises
        ------
        UnmetError
            Something is unaccounted for, or not all are counted as logged.
        """
        self._need_predictions()
        return self._site.wait(self._balanced)

    def _predict(self) -> None:
        for form in range(_FIRST_FORM, _FIRST_FORM + _PREDICTIONS):
            body = {"pokemon_a_id": form, "pokemon_b_id": 150, "available_moves": _MOVES}
            answer = self._site.ask_api("POST", _PATH, body).json()
            self._answers[answer["prediction_id"]] = answer["win_probability"]

    def _need_predictions(self) -> None:
        if len(self._answers) < _PREDICTIONS:
            raise UnmetError(f"{len(self._answers)} of {_PREDICTIONS} predictions were made.")

    def _find(self, missing: dict[str, float]) -> str:
        for prediction_id, probability in list(missing.items()):
            logged: dict[str, Any] = self._site.ask_api("GET", f"/predictions/{prediction_id}").json()
            if logged["status"] == "pending":
                raise UnmetError(f"{len(missing)} of {_PREDICTIONS} are not in the log, such as {prediction_id}.")
            if abs(logged["win_probability"] - probability) > 1e-6:
                raise UnmetError(f"{prediction_id} is logged with {logged['win_probability']}, not {probability}.")
            del missing[prediction_id]
        return ""

    def _balanced(self) -> str:
        sums = {name: self._value(expression) for name, expression in _SUMS.items()}
        told = ", ".join(f"{value:.0f} {name}" for name, value in sums.items())
        unaccounted = self._site.prometheus.query("events_unaccounted")
        if wrong := [sample for sample in unaccounted if sample.value]:
            raise UnmetError(f"{told}; outbox {wrong[0].labels['writer']} has {wrong[0].value:+.0f} unaccounted for.")
        grown = sums["logged"] - self._logged_before
        if not unaccounted or grown < _PREDICTIONS:
            raise UnmetError(f"{told}, of which {grown:.0f} during this walk, where {_PREDICTIONS} were made.")
        moving = sums["accepted"] - sums["logged"] - sums["pending"]
        return f"{told}, 0 unaccounted for" + (
            f"; {moving:+.0f} between the scrapes, as others predict" if moving else ""
        )

    def _scraped_counts(self) -> tuple[float, float]:
        """Predictions and answers as Prometheus has them, no older than this moment."""
        now = self._value("time()")
        self._site.wait(lambda: self._scraped_since(now))
        return self._value(_PREDICTED), self._value(_ANSWERED)

    def _scraped_since(self, seconds: float) -> str:
        if self._value(_LAST_SCRAPE) < seconds:
            raise UnmetError("Prometheus has not scraped the predictions of the API (model_predictions_total).")
        return ""

    def _value(self, expression: str) -> float:
        return self._site.prometheus.value(expression) or 0.0
