"""What is normal for each model version, who said so, and why: every word of it is kept, and the last one counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update

from api_pokemon.monitoring.database import reading, writing
from api_pokemon.monitoring.drift_tables import drift_references
from api_pokemon.monitoring.errors import NoReferenceError
from api_pokemon.monitoring.ids import made_at_seconds, new_id
from api_pokemon.monitoring.profile_codec import decode_profile, encode_profile
from api_pokemon.monitoring.profile_layout import Layout
from api_pokemon.monitoring.profiles import Profile

ReferenceKind: TypeAlias = Literal["uniform", "window", "carried"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A word about what is normal. Times are Unix seconds.

    Parameters
    ----------
    kind
        Where its rows come from: ``uniform`` from made-up traffic, ``window`` from a stretch of production,
        ``carried`` from the requests of such a stretch, answered again by this model version.
    declared_by, reason
        Who said so, and why.
    from_seconds, to_seconds
        The stretch of production; None for made-up traffic.
    rows
        How many rows it shows.
    undone_by, undone_seconds
        Who took it back, and when; None while it stands.
    """

    reference_id: str
    model_version: str
    kind: ReferenceKind
    declared_by: str
    reason: str
    from_seconds: float | None
    to_seconds: float | None
    rows: int
    undone_by: str | None
    undone_seconds: float | None

    @property
    def declared_seconds(self) -> float:
        """When it was said."""
        return made_at_seconds(self.reference_id)

    @property
    def is_provisional(self) -> bool:
        """Whether nobody has said yet what is normal: no real client is like made-up traffic."""
        return self.kind == "uniform"


class DriftReferences:
    """The references of all model versions.

    Every method raises `LogUnavailableError` where the database does not answer.

    Parameters
    ----------
    engine
        The log's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def current(self, model_version: str) -> Reference | None:
        """The one that counts; None before the version has a layout."""
        standing = drift_references.c.undone_seconds.is_(None)
        return next(iter(self._found(1, model_version, standing)), None)

    def history(self, model_version: str | None = None, most: int = 100) -> list[Reference]:
        """The last ones, newest first, those that were undone, too."""
        return self._found(most, model_version)

    def versions(self) -> list[str]:
        """The model versions that have a reference, the one that got its first one last at the end."""
        query = select(drift_references.c.model_version).order_by(drift_references.c.id)
        with reading(self._engine) as connection:
            return list(dict.fromkeys(connection.scalars(query)))

    def profile(self, reference: Reference, layout: Layout) -> Profile:
        """The rows of a reference.

        Raises
        ------
        ProfileError
            If a newer version of this service has written them.
        """
        query = select(drift_references.c.body).where(drift_references.c.id == reference.reference_id)
        with reading(self._engine) as connection:
            return decode_profile(layout, connection.execute(query).scalar_one())

    def declare(
        self,
        model_version: str,
        kind: ReferenceKind,
        profile: Profile,
        *,
        declared_by: str,
        reason: str = "",
        from_seconds: float | None = None,
        to_seconds: float | None = None,
    ) -> Reference:
        """Say what is normal from now on."""
        reference_id = new_id()
        values = {
            "id": reference_id,
            "model_version": model_version,
            "kind": kind,
            "declared_by": declared_by,
            "reason": reason,
            "from_seconds": from_seconds,
            "to_seconds": to_seconds,
            "rows": profile.rows,
            "body": encode_profile(profile),
        }
        with writing(self._engine) as connection:
            connection.execute(insert(drift_references), values)
            return _one(connection, reference_id)

    def use_uniform(self, model_version: str, *, declared_by: str, reason: str = "") -> Reference:
        """Go back to the reference that the model version came with.

        Raises
        ------
        NoReferenceError
            If it has none, or it is the one that counts.
        """
        current = self.current(model_version)
        if current is None:
            raise NoReferenceError(f"The model version {model_version!r} has no reference yet.")
        if current.kind == "uniform":
            raise NoReferenceError("The reference is that of uniform traffic already.")
        first = (drift_references.c.model_version == model_version) & (drift_references.c.kind == "uniform")
        copied = ("model_version", "kind", "rows", "body", "limits")
        query = select(*(drift_references.c[name] for name in copied)).where(first).order_by(drift_references.c.id)
        reference_id = new_id()
        with writing(self._engine) as connection:
            values = dict(connection.execute(query.limit(1)).one()._mapping)
            said = {"id": reference_id, "declared_by": declared_by, "reason": reason}
            connection.execute(insert(drift_references), {**values, **said})
            return _one(connection, reference_id)

    def undo(self, model_version: str, *, undone_by: str, now_seconds: float) -> tuple[Reference, Reference]:
        """Take the current reference back; returns it, and the one before, which counts again.

        Raises
        ------
        NoReferenceError
            If there is none before it.
        """
        standing = drift_references.c.undone_seconds.is_(None)
        found = self._found(2, model_version, standing)
        if len(found) < 2:
            raise NoReferenceError(f"There is nothing to undo: {model_version!r} has no reference but its first one.")
        last = (drift_references.c.id == found[0].reference_id) & standing
        with writing(self._engine) as connection:
            values = {"undone_by": undone_by, "undone_seconds": now_seconds}
            connection.execute(update(drift_references).where(last).values(values))
            return _one(connection, found[0].reference_id), found[1]

    def limits(self, reference: Reference, key: str) -> dict[int, list[float]]:
        """What :meth:`keep_limits` has kept under that key: by size of the window, what chance does to each field."""
        with reading(self._engine) as connection:
            kept = _limits(connection, reference).get(key)
        return {} if kept is None else msgspec.json.decode(kept, type=dict[int, list[float]])

    def keep_limits(self, reference: Reference, key: str, limits: Mapping[int, Sequence[float]]) -> None:
        """Keep what takes long to find out, and follows from the reference and what the key tells."""
        found = msgspec.Raw(msgspec.json.encode({size: list(values) for size, values in sorted(limits.items())}))
        of_it = drift_references.c.id == reference.reference_id
        with writing(self._engine) as connection:
            others = {other: kept for other, kept in _limits(connection, reference).items() if not other.isdigit()}
            text = msgspec.json.encode({**others, key: found}).decode()
            connection.execute(update(drift_references).where(of_it).values(limits=text))

    def _found(self, most: int, model_version: str | None, *conditions: Any) -> list[Reference]:
        query = select(*_COLUMNS).where(*conditions).order_by(drift_references.c.id.desc()).limit(most)
        if model_version is not None:
            query = query.where(drift_references.c.model_version == model_version)
        with reading(self._engine) as connection:
            return [Reference(*tuple(row)) for row in connection.execute(query)]


def _limits(connection: Connection, reference: Reference) -> dict[str, msgspec.Raw]:
    """By key; an older version had none, and kept them by the size of the window."""
    query = select(drift_references.c.limits).where(drift_references.c.id == reference.reference_id)
    return msgspec.json.decode(connection.execute(query).scalar_one(), type=dict[str, msgspec.Raw])


_COLUMNS = (
    drift_references.c.id,
    drift_references.c.model_version,
    drift_references.c.kind,
    drift_references.c.declared_by,
    drift_references.c.reason,
    drift_references.c.from_seconds,
    drift_references.c.to_seconds,
    drift_references.c.rows,
    drift_references.c.undone_by,
    drift_references.c.undone_seconds,
)


def _one(connection: Connection, reference_id: str) -> Reference:
    return Reference(*tuple(connection.execute(select(*_COLUMNS).where(drift_references.c.id == reference_id)).one()))
