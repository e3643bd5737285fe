"""Keeps the profiles of all that is logged, in the transaction that logs it."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import Connection

from api_pokemon.monitoring.drift_baseline import Baseline
from api_pokemon.monitoring.drift_tables import unprofiled
from api_pokemon.monitoring.errors import ProfileError
from api_pokemon.monitoring.events import Prediction
from api_pokemon.monitoring.ids import new_id
from api_pokemon.monitoring.log_writing import Written
from api_pokemon.monitoring.profile_layout import Layout
from api_pokemon.monitoring.profile_rows import prediction_batch
from api_pokemon.monitoring.profile_table import (
    Bucket,
    add_profiles,
    find_layout,
    register,
    replacing,
    write_beside_others,
)
from api_pokemon.monitoring.profiles import Profile, profile_rows

logger = logging.getLogger(__name__)

BUCKET_SECONDS = 60

_MOST_LAYOUTS = 16
"""That are kept in memory: of the model versions that wrote last."""

BaselineOf = Callable[[str], Baseline | None]
"""Returns the baseline of a model version; None where it is not here."""


class ProfileWriter:
    """Takes part in the log's transactions (as `also` of a consumer): what is new there enters the profiles.

    Rows of a model version that has no layout yet, and whose baseline is not here, are logged without a profile. The
    version is noted as *unprofiled*, and :class:`~api_pokemon.monitoring.profile_catch_up.CatchUp` makes up for it.

    Parameters
    ----------
    baseline_of
        Asked for a model version that nobody has profiled so far.
    bucket_seconds
        Length of the buckets, in event time.
    """

    def __init__(self, baseline_of: BaselineOf, *, bucket_seconds: int = BUCKET_SECONDS) -> None:
        self._baseline_of = baseline_of
        self._bucket_seconds = bucket_seconds
        self._part = new_id()
        self._layouts: dict[str, Layout] = {}
        self._told: set[str] = set()

    def __call__(self, connection: Connection, written: Written) -> None:
        if not written.predictions:
            return
        write_beside_others(connection)
        for version, predictions in sorted(_by_version(written.predictions).items()):
            try:
                self._add(connection, version, predictions)
            except ProfileError as error:
                self._put_off(connection, version, predictions, str(error))

    def _add(self, connection: Connection, version: str, predictions: Sequence[Prediction]) -> None:
        layout = self._layout(connection, version)
        if layout is None:
            self._put_off(connection, version, predictions, "this version of the model is not here")
        else:
            add_profiles(
                connection, version, layout, self._part, profile_by_bucket(layout, predictions, self._bucket_seconds)
            )

    def _layout(self, connection: Connection, version: str) -> Layout | None:
        """Kept only once it is in the database for good: this transaction may come to nothing."""
        if (stored := self._layouts.pop(version, None) or find_layout(connection, version)) is not None:
            self._layouts[version] = stored  # at the end
            while len(self._layouts) > _MOST_LAYOUTS:
                del self._layouts[next(iter(self._layouts))]
            return stored
        if (baseline := self._baseline_of(version)) is None:
            return None
        register(connection, version, baseline)
        return find_layout(connection, version)

    def _put_off(self, connection: Connection, version: str, predictions: Sequence[Prediction], reason: str) -> None:
        noted = {
            "model_version": version,
            "part": self._part,
            "noted": new_id(),
            "from_seconds": min(prediction.made_at_seconds for prediction in predictions),
        }
        connection.execute(replacing(connection, unprofiled, least=("from_seconds",)), noted)
        if version not in self._told:
            self._told.add(version)
            logger.warning("predictions of %s are logged without a profile, to be made up for: %s", version, reason)


def profile_by_bucket(
    layout: Layout, predictions: Iterable[Prediction], bucket_seconds: int
) -> Mapping[Bucket, Profile]:
    """Make the profiles of predictions, each in the bucket that its time lies in."""
    found: defaultdict[Bucket, list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        found[_bucket_of(prediction.prediction_id, bucket_seconds)].append(prediction)
    specs = layout.specs
    return {bucket: profile_rows(layout, prediction_batch(specs, inside)) for bucket, inside in found.items()}


def _bucket_of(prediction_id: str, bucket_seconds: int) -> Bucket:
    """That of :func:`~api_pokemon.monitoring.ids.made_at_seconds`, for what is known to be an id, and faster."""
    milliseconds = int(prediction_id[:8] + prediction_id[9:13], 16)
    return Bucket(milliseconds // (1000 * bucket_seconds) * bucket_seconds, bucket_seconds)


def _by_version(predictions: Iterable[Prediction]) -> Mapping[str, list[Prediction]]:
    found: defaultdict[str, list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        found[prediction.model_version].append(prediction)
    return found
