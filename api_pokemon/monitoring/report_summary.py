"""What a drift report says, in short: our verdict beside Evidently's, field by field."""

import msgspec

from api_pokemon.monitoring.drift_detection import Verdict
from api_pokemon.monitoring.drift_references import ReferenceKind
from api_pokemon.monitoring.ids import made_at_seconds
from api_pokemon.monitoring.profile_rows import Group, Kind


class FieldSummary(msgspec.Struct, frozen=True):
    """A field as both see it.

    Parameters
    ----------
    name, kind, group
        Of the field.
    statistic, noise, threshold, verdict
        Ours, of all rows: it drifts where the statistic exceeds both the noise and the threshold.
    evidently_score, evidently_method, evidently_threshold, evidently_drift
        Evidently's, of the sampled rows; None where it was not asked.
    left_out
        Why it was not asked.
    """

    name: str
    kind: Kind
    group: Group
    statistic: float
    noise: float
    threshold: float
    verdict: Verdict
    evidently_score: float | None = None
    evidently_method: str | None = None
    evidently_threshold: float | None = None
    evidently_drift: bool | None = None
    left_out: str | None = None


class ReportSummary(msgspec.Struct, frozen=True):
    """A report in short. Times are Unix seconds.

    Parameters
    ----------
    report_id
        A UUIDv7.
    model_version
        Whose predictions were compared.
    from_seconds, to_seconds
        The window.
    rows, sampled_rows
        How many predictions were made in the window, and how many of them Evidently was given.
    reference_id, reference_kind
        What they were compared with.
    reference_rows, sampled_reference_rows
        How many rows the reference has, and how many of them Evidently was given.
    verdict
        Ours: `drift` where a field drifts.
    duration_seconds
        How long it took to make.
    fields
        One by one.
    """

    report_id: str
    model_version: str
    from_seconds: float
    to_seconds: float
    rows: int
    sampled_rows: int
    reference_id: str
    reference_kind: ReferenceKind
    reference_rows: int
    sampled_reference_rows: int
    verdict: Verdict
    duration_seconds: float
    fields: tuple[FieldSummary, ...]

    @property
    def made_seconds(self) -> float:
        """When it was made."""
        return made_at_seconds(self.report_id)
