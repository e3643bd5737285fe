"""What a model version brings along to be watched: what its rows are measured on, and what they look like at first."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from api_pokemon.monitoring.errors import ProfileError
from api_pokemon.monitoring.profile_codec import decode_profile, encode_profile
from api_pokemon.monitoring.profile_layout import Layout, make_layout
from api_pokemon.monitoring.profile_rows import FieldSpec, RowBatch
from api_pokemon.monitoring.profiles import Profile, profile_rows


class _Written(msgspec.Struct, frozen=True):
    """A baseline as it is written down. A version may add fields with a default; it never changes what one means."""

    v: Literal[1]
    layout: bytes
    profile: bytes


class Baseline(NamedTuple):
    """The first reference of a model version, before anybody has said what is normal.

    Parameters
    ----------
    layout
        What all rows of the version are measured on, for good.
    profile
        What they look like under made-up traffic.

    Examples
    --------
    >>> from api_pokemon.monitoring.profile_rows import row_batch
    >>> specs = [FieldSpec("size", "number", "request")]
    >>> baseline = make_baseline(specs, row_batch(specs, [{"size": 1}, {"size": 3}], [{}, {}]))
    >>> Baseline.decode(baseline.encode()).profile == baseline.profile
    True
    """

    layout: Layout
    profile: Profile

    def encode(self) -> bytes:
        """Write it down."""
        return msgspec.msgpack.encode(_Written(1, self.layout.encode(), encode_profile(self.profile)))

    @classmethod
    def decode(cls, body: bytes) -> "Baseline":
        """Read what :meth:`encode` of this or of another version has written.

        Raises
        ------
        ProfileError
            If this is no baseline, or one whose meaning this version does not know.
        """
        try:
            read = msgspec.msgpack.decode(body, type=_Written)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProfileError(f"These bytes are no baseline that this version knows: {error}") from error
        layout = Layout.decode(read.layout)
        return cls(layout, decode_profile(layout, read.profile))


def make_baseline(specs: Sequence[FieldSpec], rows: RowBatch) -> Baseline:
    """Make the baseline that these rows show.

    Raises
    ------
    ProfileError
        If two fields have the same name.
    """
    layout = make_layout(specs, rows)
    return Baseline(layout, profile_rows(layout, rows))
