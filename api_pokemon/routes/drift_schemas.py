"""What is told of drift over HTTP."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from api_pokemon.monitoring.drift_detection import Verdict
from api_pokemon.monitoring.drift_references import ReferenceKind
from api_pokemon.monitoring.job import State
from api_pokemon.monitoring.profile_rows import Group, Kind

Share = Annotated[float, Field(ge=0.0, le=1.0)]
TheVerdict = Annotated[
    Verdict, Field(description="`insufficient_data` where the window or the reference has fewer than 100 rows.")
]
TheKind = Annotated[
    ReferenceKind,
    Field(
        description="`uniform`: made-up traffic, until somebody says what is normal; `window`: a stretch of "
        "production; `carried`: the requests of such a stretch, answered again by this model version."
    ),
]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, and how many predictions were made in it."""

    begins_at: datetime
    ends_at: datetime
    rows: int


@dataclass(frozen=True, slots=True)
class DriftReference:
    """What is normal."""

    reference_id: str
    kind: TheKind
    rows: int


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A value that became more or less frequent."""

    value: Annotated[str, Field(description="Of a category; a range of numbers in words.")]
    reference_share: Share
    window_share: Share


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """A monitored field in the latest window."""

    name: str
    group: Group
    kind: Kind
    score: Annotated[
        float, Field(description="Normalised Wasserstein distance of numbers, Jensen-Shannon of categories, or as set.")
    ]
    chance: Annotated[
        float, Field(description="What chance alone exceeds in 1 % of such windows, all fields together.")
    ]
    threshold: Annotated[float, Field(description="What matters in practice: drift exceeds both.")]
    verdict: TheVerdict
    changes: Annotated[
        tuple[ValueChange, ...], Field(description="Of one that drifts, what changed most; the largest change first.")
    ]


@dataclass(frozen=True, slots=True)
class GroupDrift:
    """What was asked (`request`), or what the model chose (`choice`)."""

    group: Group
    verdict: TheVerdict
    verdict_before: Annotated[Verdict, Field(description="Of the window before, with which it shares no row.")]
    is_detected: Annotated[bool, Field(description="Whether both windows drift, which is when an alert fires.")]
    share: Annotated[Share, Field(description="Of its fields, those that drift.")]
    drifted: Annotated[tuple[str, ...], Field(description="Their names, the furthest first.")]


@dataclass(frozen=True, slots=True)
class DriftCheck:
    """What one check has found about a model version."""

    model_version: str
    checked_at: datetime
    verdict: TheVerdict
    window: Window
    reference: DriftReference
    groups: tuple[GroupDrift, ...]


@dataclass(frozen=True, slots=True)
class VersionDrift(DriftCheck):
    """The latest check of a model version, field by field."""

    features: tuple[FeatureDrift, ...]


@dataclass(frozen=True, slots=True)
class ReportJob:
    """The last time that reports were asked for, by the clock or by somebody."""

    job_id: str
    state: State
    error: Annotated[str | None, Field(description="Why the last attempt failed.")]


@dataclass(frozen=True, slots=True)
class Schedule:
    """What comes when. Null is what does not come by the clock."""

    check_seconds: int
    next_check_at: datetime
    report_seconds: int | None
    next_report_at: datetime | None
    last_report_job: Annotated[ReportJob | None, Field(description="Null before the first one.")]


@dataclass(frozen=True, slots=True)
class DriftStatus:
    """What is known of drift now."""

    versions: Annotated[
        tuple[VersionDrift, ...], Field(description="Those of the latest check; empty before the first one.")
    ]
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class DriftHistory:
    """Checks, the latest first."""

    checks: tuple[DriftCheck, ...]


@dataclass(frozen=True, slots=True)
class ReportInShort:
    """A report in a list."""

    report_id: str
    made_at: datetime
    model_version: str
    verdict: TheVerdict
    window: Window
    reference: DriftReference
    drifted: Annotated[tuple[str, ...], Field(description="The fields that drift by our verdict, of all rows.")]
    evidently_drifted: Annotated[tuple[str, ...], Field(description="Those by Evidently's, of the sampled rows.")]
    html: Annotated[str, Field(description="The path of the page.")]


@dataclass(frozen=True, slots=True)
class ReportList:
    """Reports, the latest first."""

    reports: tuple[ReportInShort, ...]


@dataclass(frozen=True, slots=True)
class FieldInReport:
    """A field as both see it."""

    name: str
    group: Group
    kind: Kind
    score: float
    chance: float
    threshold: float
    verdict: TheVerdict
    evidently_score: Annotated[float | None, Field(description="A distance or a p-value, as the method says.")]
    evidently_method: str | None
    evidently_threshold: float | None
    evidently_drift: Annotated[bool | None, Field(description="Null where Evidently was not asked.")]
    left_out: Annotated[str | None, Field(description="Why it was not: the field is constant, or missing.")]


@dataclass(frozen=True, slots=True)
class Report(ReportInShort):
    """A report as numbers."""

    sampled_rows: Annotated[int, Field(description="Of the window, those that Evidently was given.")]
    sampled_reference_rows: Annotated[int, Field(description="Of the reference, those that Evidently was given.")]
    duration_seconds: float
    fields: tuple[FieldInReport, ...]
    evidently: Annotated[dict[str, Any], Field(description="What Evidently has computed, as it writes it down.")]


@dataclass(frozen=True, slots=True)
class QueuedReport:
    """A report that was asked for: the next worker that is free writes it."""

    job_id: str
    status: Literal["queued"]
