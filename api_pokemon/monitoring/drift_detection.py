"""Tells whether what a window shows still looks like the reference, from profiles alone.

A field drifts where its statistic exceeds both what chance alone does at this size and what matters in practice. So a
small window needs a large change to speak up, and a large one does not call every trifle a drift.
"""

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Literal, TypeAlias, TypeVar

import msgspec

from api_pokemon.monitoring.drift_changes import Change
from api_pokemon.monitoring.drift_fields import (
    CategoryComparison,
    CategoryStatistic,
    NumberComparison,
    NumberStatistic,
)
from api_pokemon.monitoring.drift_noise import METHOD, NoiseLimits
from api_pokemon.monitoring.errors import ProfileError
from api_pokemon.monitoring.jensen_shannon import jensen_shannon
from api_pokemon.monitoring.kolmogorov_smirnov import kolmogorov_smirnov
from api_pokemon.monitoring.population_stability import population_stability, population_stability_of_numbers
from api_pokemon.monitoring.profile_rows import FieldSpec, Group, Kind
from api_pokemon.monitoring.profiles import Profile
from api_pokemon.monitoring.wasserstein import normalised_wasserstein

Comparison: TypeAlias = NumberComparison | CategoryComparison
Verdict: TypeAlias = Literal["drift", "no_drift", "insufficient_data"]

NUMBER_STATISTICS: Mapping[str, NumberStatistic] = MappingProxyType(
    {
        "wasserstein": normalised_wasserstein,
        "kolmogorov_smirnov": kolmogorov_smirnov,
        "population_stability": population_stability_of_numbers,
    }
)
"""What numbers can be compared by."""

CATEGORY_STATISTICS: Mapping[str, CategoryStatistic] = MappingProxyType(
    {"jensen_shannon": jensen_shannon, "population_stability": population_stability}
)
"""What categories can be compared by."""

_Statistic = TypeVar("_Statistic")


class DriftOptions(msgspec.Struct, frozen=True):
    """How drift is told.

    Parameters
    ----------
    number, category
        One of :data:`NUMBER_STATISTICS`, one of :data:`CATEGORY_STATISTICS`.
    threshold
        What matters in practice: a statistic up to here is no drift.
    false_alarm_rate
        In how many windows, in which nothing has changed, chance alone makes a field exceed its limit: of all fields
        together, in (0, 1).
    least_rows
        With fewer, in the window or in the reference, there is no verdict.
    draws
        Unchanged windows that are drawn to find a limit.
    """

    number: str = "wasserstein"
    category: str = "jensen_shannon"
    threshold: float = 0.1
    false_alarm_rate: float = 0.01
    least_rows: int = 100
    draws: int = 5_000

    @property
    def limits_key(self) -> str:
        """What the limits of chance depend on, beside the reference and the size of a window."""
        return f"{self.number} {self.category} {self.threshold} {self.false_alarm_rate} {self.draws} {METHOD}"


class FieldDrift(msgspec.Struct, frozen=True):
    """What became of a field.

    Parameters
    ----------
    name, kind, group
        Of the field.
    statistic
        How far the window is from the reference, by the statistic that :class:`DriftOptions` names; 0 where either
        has no rows.
    noise
        What it exceeds by chance, at this size.
    threshold
        What matters in practice.
    verdict
        `drift` where the statistic exceeds both.
    changes
        What grew and what shrank, the largest change first.
    """

    name: str
    kind: Kind
    group: Group
    statistic: float
    noise: float
    threshold: float
    verdict: Verdict
    changes: tuple[Change, ...]


class GroupDrift(msgspec.Struct, frozen=True):
    """What became of a group of fields.

    Parameters
    ----------
    group
        Which one.
    drifted
        The names of the fields that drift, those furthest above their limit first.
    share
        Of the group's fields, those that drift; in [0, 1].
    verdict
        `drift` where one field or more do.
    """

    group: Group
    drifted: tuple[str, ...]
    share: float
    verdict: Verdict


class Drift(msgspec.Struct, frozen=True):
    """What became of a window.

    Parameters
    ----------
    rows, reference_rows
        How many were compared.
    fields
        Each field, in the order of the layout.
    groups
        Each group that has fields.
    """

    rows: int
    reference_rows: int
    fields: tuple[FieldDrift, ...]
    groups: tuple[GroupDrift, ...]


class DriftDetector:
    """Compares windows with a reference.

    The limits of chance are drawn when a window of another order of size comes first, in a few seconds; then they are
    kept. They follow from the reference and the options alone, so every detector finds the same.

    Parameters
    ----------
    reference
        What is usual.
    options
        How drift is told.

    Raises
    ------
    ValueError
        If there is no such statistic.

    Examples
    --------
    >>> from api_pokemon.monitoring.profile_layout import make_layout
    >>> from api_pokemon.monitoring.profile_rows import FieldSpec, row_batch
    >>> from api_pokemon.monitoring.profiles import profile_rows
    >>> specs = [FieldSpec("colour", "category", "request")]
    >>> usual = row_batch(specs, [{"colour": "red"}] * 900 + [{"colour": "blue"}] * 100, [{}] * 1000)
    >>> today = row_batch(specs, [{"colour": "red"}] * 600 + [{"colour": "blue"}] * 400, [{}] * 1000)
    >>> layout = make_layout(specs, usual)
    >>> drift = DriftDetector(profile_rows(layout, usual)).judge(profile_rows(layout, today))
    >>> drift.groups[0].verdict, round(drift.fields[0].statistic, 3)
    ('drift', 0.252)
    >>> drift.fields[0].changes[0]
    Change(value='blue', reference_share=0.1, window_share=0.4)
    """

    def __init__(self, reference: Profile, options: DriftOptions = DriftOptions()) -> None:
        layout = reference.layout
        number = _chosen(NUMBER_STATISTICS, options.number)
        category = _chosen(CATEGORY_STATISTICS, options.category)
        self.reference = reference
        self.options = options
        self._comparisons: tuple[Comparison, ...] = (
            *(NumberComparison(reference, index, number) for index in range(len(layout.numbers))),
            *(CategoryComparison(reference, index, category) for index in range(len(layout.categories))),
        )

    @cached_property
    def noise(self) -> NoiseLimits:
        """The limits of chance, by field."""
        sources = [comparison.source for comparison in self._comparisons]
        return NoiseLimits(
            sources,
            self.reference.rows,
            rate=self.options.false_alarm_rate,
            draws=self.options.draws,
            threshold=self.options.threshold,
        )

    def judge(self, window: Profile, *, with_changes: bool = True) -> Drift:
        """Compare a window with the reference; what changed in it may be left out, which takes less time.

        Raises
        ------
        ProfileError
            If it is on another layout.
        """
        layout = self.reference.layout
        if window.layout.fingerprint != layout.fingerprint:
            raise ProfileError("A window and its reference must be on the same layout, that of the model version.")
        limits = self.noise.at(window.rows)
        fields = tuple(
            self._judge_field(spec, comparison, window, float(limit), with_changes)
            for spec, comparison, limit in zip(layout.specs, self._comparisons, limits, strict=True)
        )
        groups = tuple(_judge_group(group, fields) for group in dict.fromkeys(field.group for field in fields))
        return Drift(window.rows, self.reference.rows, fields, groups)

    def _judge_field(
        self, spec: FieldSpec, comparison: Comparison, window: Profile, noise: float, with_changes: bool
    ) -> FieldDrift:
        fewer = min(window.rows, self.reference.rows)
        statistic = comparison.statistic(window) if fewer else 0.0
        verdict: Verdict = "drift" if statistic > max(noise, self.options.threshold) else "no_drift"
        if fewer < self.options.least_rows:
            verdict = "insufficient_data"
        changes = comparison.changes(window) if with_changes else ()
        return FieldDrift(spec.name, spec.kind, spec.group, statistic, noise, self.options.threshold, verdict, changes)


def _judge_group(group: Group, fields: tuple[FieldDrift, ...]) -> GroupDrift:
    members = [field for field in fields if field.group == group]
    drifted = [field for field in members if field.verdict == "drift"]
    drifted.sort(key=lambda field: max(field.noise, field.threshold) / field.statistic)
    verdict: Verdict = "drift" if drifted else members[0].verdict
    return GroupDrift(group, tuple(field.name for field in drifted), len(drifted) / len(members), verdict)


def _chosen(statistics: Mapping[str, _Statistic], name: str) -> _Statistic:
    if name not in statistics:
        raise ValueError(f"There is no statistic {name!r}: one of {', '.join(statistics)} is wanted.")
    return statistics[name]
