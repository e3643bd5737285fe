"""The closing table of a run."""

import contextlib
import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from api_pokemon.traffic.player import Tally

if TYPE_CHECKING:
    from rich.table import Table

_QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank).

    >>> quantile([4.0, 1.0, 3.0, 2.0], 0.5), quantile([4.0, 1.0, 3.0, 2.0], 0.51)
    (2.0, 3.0)
    """
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def table_of(tally: Tally, *, wished_per_second: float) -> "Table":
    """Answers by status, requests without one by reason, latency, rate."""
    from rich.table import Table  # whoever only makes up requests draws no table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    sent = tally.answers.total() + tally.failures.total()
    for status, count in sorted(tally.answers.items()):
        table.add_row(f"{status} {_phrase(status)}", _count(count, sent))
    for reason, count in sorted(tally.failures.items()):
        table.add_row(f"No answer: {reason}", _count(count, sent), style="red")
    for name, share in _QUANTILES if tally.latencies_seconds else ():
        table.add_row(f"Latency {name}", f"{quantile(tally.latencies_seconds, share) * 1e3:,.2f} ms")
    if tally.elapsed_seconds:
        wished = f" (wished: {wished_per_second:,g})" if wished_per_second else ""
        table.add_row("Answers per second", f"{tally.answers.total() / tally.elapsed_seconds:,.1f}{wished}")
    return table


def _count(count: int, total: int) -> str:
    return f"{count:,} ({count / total:.1%})"


def _phrase(status: int) -> str:
    with contextlib.suppress(ValueError):  # a status that is nobody's
        return HTTPStatus(status).phrase
    return ""
