"""Undoes what a drill has left whose watchdogs were killed themselves."""

import signal
from collections.abc import Iterator
from contextlib import suppress

import psutil

from api_pokemon.errors import UnreachableError
from api_pokemon.stack.configuration import Pace, alert_rules
from api_pokemon.stack.drill.recipes import RECIPES, ThresholdLowered
from api_pokemon.stack.drill.site import Native
from api_pokemon.stack.drill.watchdog import Sign, exchange, expression_of, lowered
from api_pokemon.stack.running import RunningStack


def mend(native: Native) -> list[str]:
    """Let go on what is stopped, and put back thresholds; what was done, in words.

    Whoever calls it holds the stack (`holding`), so that what it finds belongs to no drill that is under way.
    """
    return [*_continued(native.running), *_put_back(native)]


def _continued(running: RunningStack) -> Iterator[str]:
    for name in ("serve", "worker"):
        with suppress(UnreachableError, psutil.Error):
            process = running.process(name)
            if process.status() == psutil.STATUS_STOPPED:
                process.resume()
                yield f"{name} was left stopped, and goes on"


def _put_back(native: Native) -> Iterator[str]:
    pace = Pace(native.running.speedup)
    may_be_lowered = {
        cause.alert
        for recipe in RECIPES
        for way in recipe.ways
        for cause in way.causes
        if isinstance(cause, ThresholdLowered)
    }
    for rule in alert_rules():
        file, written = native.rules_folder / rule.file, pace.expression(rule.expression)
        if rule.name in may_be_lowered and expression_of(file, rule.name) == lowered(written):
            exchange(file, rule.name, written)
            with suppress(UnreachableError, psutil.Error):
                Sign.of(native.running.process("prometheus")).send(signal.SIGHUP)
            yield f"the threshold of {rule.name} was left lowered, and is as written"
