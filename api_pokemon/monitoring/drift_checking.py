"""Judges the latest window of each model version, and keeps what was found.

Drift of a group of fields is *detected* where its latest window drifts, and so does the window before that one: the two
have the same length and no row in common. With windows of an hour, drift that begins now is detected after one hour to
two, and is over within an hour after it ended.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from api_pokemon.monitoring.database import reading, writing
from api_pokemon.monitoring.drift_detection import Drift, DriftDetector, DriftOptions, FieldDrift, GroupDrift, Verdict
from api_pokemon.monitoring.drift_references import DriftReferences, Reference, ReferenceKind
from api_pokemon.monitoring.drift_tables import drift_checks, profiles
from api_pokemon.monitoring.ids import new_id
from api_pokemon.monitoring.profile_rows import Group
from api_pokemon.monitoring.profile_store import ProfileStore

_SEEN_FOR_SECONDS = 86_400.0
_KEEP_SECONDS = 90 * 86_400.0


class GroupCheck(msgspec.Struct, frozen=True):
    """A group of fields in the latest window, and in the one before.

    Parameters
    ----------
    group, verdict, share, drifted
        As of :class:`~api_pokemon.monitoring.drift_detection.GroupDrift`, of the latest window.
    verdict_before
        Of the window before, with which it has no row in common.
    """

    group: Group
    verdict: Verdict
    verdict_before: Verdict
    share: float
    drifted: tuple[str, ...]

    @property
    def is_detected(self) -> bool:
        """Whether it drifts in both windows."""
        return self.verdict == self.verdict_before == "drift"


class DriftCheck(msgspec.Struct, frozen=True):
    """What was found about a model version. Times are Unix seconds.

    Parameters
    ----------
    checked_seconds
        When; the same for all versions that were checked together.
    from_seconds, to_seconds
        The latest window.
    rows, reference_rows
        How many were compared.
    reference_id, reference_kind
        With what.
    verdict
        `drift` where a group drifts in the latest window.
    groups, fields
        In parts. What is kept of a check names what changed of fields that drift alone, and once there is a later check
        of the version, no field any more.
    numbers
        By verdict, how many checks of the version have had it, this one included.
    """

    model_version: str
    checked_seconds: float
    from_seconds: float
    to_seconds: float
    rows: int
    reference_rows: int
    reference_id: str
    reference_kind: ReferenceKind
    verdict: Verdict
    groups: tuple[GroupCheck, ...]
    fields: tuple[FieldDrift, ...]
    numbers: Mapping[Verdict, int]


class Judged(NamedTuple):
    """A window that was judged, and against what."""

    drift: Drift
    reference: Reference


class _Standard(NamedTuple):
    """What the windows of a model version are judged by."""

    reference: Reference
    detector: DriftDetector


class DriftChecker:
    """Compares what the profiles tell with the references.

    Every method raises `LogUnavailableError` where the database does not answer, and `ProfileError` where a newer
    version of this service has written what is there.

    Parameters
    ----------
    engine
        The log's database.
    window_seconds
        Length of a window.
    options
        How drift is told.
    """

    def __init__(
        self,
        engine: Engine,
        window_seconds: float,
        options: DriftOptions = DriftOptions(),
    ) -> None:
        self._store = ProfileStore(engine)
        self._references = DriftReferences(engine)
        self._checks = DriftChecks(engine)
        self._window_seconds = window_seconds
        self._options = options

    def run(self, now_seconds: float) -> list[DriftCheck]:
        """Check and keep, for every model version that has answered within a day, or last."""
        checked = [check for version in self._versions(now_seconds) if (check := self.check(version, now_seconds))]
        self._checks.keep(checked)
        return checked

    def check(self, model_version: str, now_seconds: float) -> DriftCheck | None:
        """Check one model version, and keep nothing; None while it has no layout."""
        begin, middle = now_seconds - 2 * self._window_seconds, now_seconds - self._window_seconds
        standard = self._standard(model_version)
        if standard is None:
            return None
        latest = self._judge(standard, middle, now_seconds)
        before = self._judge(standard, begin, middle, with_changes=False)
        groups = tuple(map(_group_check, latest.groups, before.groups))
        verdict = _verdict([group.verdict for group in groups])
        numbers = dict(self._checks.numbers(model_version))
        return DriftCheck(
            model_version,
            now_seconds,
            middle,
            now_seconds,
            latest.rows,
            latest.reference_rows,
            standard.reference.reference_id,
            standard.reference.kind,
            verdict,
            groups,
            latest.fields,
            {**numbers, verdict: numbers.get(verdict, 0) + 1},
        )

    def judge(self, model_version: str, from_seconds: float, to_seconds: float) -> Judged | None:
        """Judge any stretch of time; None while the version has no layout."""
        standard = self._standard(model_version)
        if standard is None:
            return None
        return Judged(self._judge(standard, from_seconds, to_seconds), standard.reference)

    def _standard(self, model_version: str) -> _Standard | None:
        layout = self._store.layout(model_version)
        reference = self._references.current(model_version)
        if layout is None or reference is None:
            return None
        detector = DriftDetector(self._references.profile(reference, layout), self._options)
        known = self._references.limits(reference, self._options.limits_key)
        detector.noise.found.update({size: np.array(limits) for size, limits in known.items()})
        return _Standard(reference, detector)

    def _judge(
        self, standard: _Standard, from_seconds: float, to_seconds: float, *, with_changes: bool = True
    ) -> Drift:
        reference, detector = standard
        layout, found = detector.reference.layout, detector.noise.found
        known = len(found)
        window = self._store.window(reference.model_version, layout, from_seconds, to_seconds)
        drift = detector.judge(window, with_changes=with_changes)
        if len(found) > known:
            limits = {size: drawn.tolist() for size, drawn in found.items()}
            self._references.keep_limits(reference, self._options.limits_key, limits)
        return drift

    def _versions(self, now_seconds: float) -> list[str]:
        since = now_seconds - max(_SEEN_FOR_SECONDS, 2 * self._window_seconds)
        return list(self._store.rows_by_version(since, now_seconds)) or self._store.last_versions()


class DriftChecks:
    """What was found.

    Every method raises `LogUnavailableError` where the database does not answer.

    Parameters
    ----------
    engine
        The log's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep(self, checks: list[DriftCheck]) -> None:
        """Keep what was found together, the checks before in short, and forget what is older than 90 days."""
        if not checks:
            return
        rows = [
            {
                "id": new_id(),
                "model_version": check.model_version,
                "until_seconds": check.to_seconds,
                "verdict": check.verdict,
                "body": _written(check),
            }
            for check in checks
        ]
        old = drift_checks.c.until_seconds < checks[0].checked_seconds - _KEEP_SECONDS
        with writing(self._engine) as connection:
            for check in checks:
                _shorten(connection, check.model_version)
            connection.execute(insert(drift_checks), rows)
            connection.execute(delete(drift_checks).where(old))

    def latest(self) -> list[DriftCheck]:
        """What was found together last, by model version."""
        last = select(drift_checks.c.until_seconds).order_by(drift_checks.c.id.desc()).limit(1).scalar_subquery()
        query = select(drift_checks.c.body).where(drift_checks.c.until_seconds == last)
        with reading(self._engine) as connection:
            found = [_read(body) for body in connection.scalars(query.order_by(drift_checks.c.id))]
        return list({check.model_version: check for check in found}.values())  # a job that was killed came twice

    def something_to_check_since(self) -> float | None:
        """When the first profiled prediction was made, to the minute; None where there is none."""
        with reading(self._engine) as connection:
            first: int | None = connection.scalar(select(func.min(profiles.c.bucket_start)))
        return first

    def history(self, model_version: str, most: int = 100) -> list[DriftCheck]:
        """What was found about a model version, the latest first."""
        of_it = drift_checks.c.model_version == model_version
        query = select(drift_checks.c.body).where(of_it).order_by(drift_checks.c.id.desc()).limit(most)
        with reading(self._engine) as connection:
            return [_read(body) for body in connection.scalars(query)]

    def numbers(self, model_version: str) -> Mapping[Verdict, int]:
        """By verdict, how many checks of a model version have had it."""
        return next((check.numbers for check in self.history(model_version, 1)), {})


def _group_check(latest: GroupDrift, before: GroupDrift) -> GroupCheck:
    return GroupCheck(latest.group, latest.verdict, before.verdict, latest.share, latest.drifted)


def _verdict(verdicts: list[Verdict]) -> Verdict:
    return next(verdict for verdict in _BY_WEIGHT if verdict in verdicts)


_BY_WEIGHT: tuple[Verdict, ...] = ("drift", "no_drift", "insufficient_data")


def _shorten(connection: Connection, model_version: str) -> None:
    """Leave out the fields of the last check: groups name those that drift, and metrics tell the scores of all."""
    of_it = drift_checks.c.model_version == model_version
    last = select(drift_checks.c.id, drift_checks.c.body).where(of_it).order_by(drift_checks.c.id.desc()).limit(1)
    for check_id, body in connection.execute(last).all():
        short = _written(msgspec.structs.replace(_read(body), fields=()))
        connection.execute(update(drift_checks).where(drift_checks.c.id == check_id).values(body=short))


def _written(check: DriftCheck) -> str:
    fields = tuple(
        field if field.verdict == "drift" else msgspec.structs.replace(field, changes=()) for field in check.fields
    )
    return msgspec.json.encode(msgspec.structs.replace(check, fields=fields)).decode()


def _read(body: str) -> DriftCheck:
    return msgspec.json.decode(body, type=DriftCheck)
