"""How a profile is written down: at most 100 kB for 40 fields, whatever the rows.

Integers are told apart into bytes of the same weight, and as many of these as the largest one needs are kept; bytes
that resemble each other then lie together, and compress well.
"""

import zlib
from typing import Literal

import msgspec
import numpy as np

from api_pokemon.monitoring.errors import ProfileError
from api_pokemon.monitoring.profile_layout import Ints, Layout
from api_pokemon.monitoring.profiles import Newcomers, Profile


class _Written(msgspec.Struct, frozen=True):
    """A profile as it is written down. A version may add fields with a default; it never changes what one means."""

    v: Literal[1]
    layout: bytes
    rows: int
    missing: tuple[int, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    newcomers: tuple[Newcomers, ...]
    counts: bytes
    sums: bytes


def encode_profile(profile: Profile) -> bytes:
    """Write a profile down; equal profiles are written alike."""
    return msgspec.msgpack.encode(
        _Written(
            1,
            profile.layout.fingerprint,
            profile.rows,
            tuple(profile.missing.tolist()),
            tuple(profile.lowest.tolist()),
            tuple(profile.highest.tolist()),
            tuple(dict(sorted(newcomers.items())) for newcomers in profile.newcomers),
            _packed(profile.counts),
            _packed(profile.sums),
        )
    )


def decode_profile(layout: Layout, body: bytes) -> Profile:
    """Read what :func:`encode_profile` of this or of another version has written.

    Parameters
    ----------
    layout
        That of the profile, which the bytes name and do not contain.

    Raises
    ------
    ProfileError
        If this is no profile, one whose meaning this version does not know, or one on another layout.
    """
    try:
        read = msgspec.msgpack.decode(body, type=_Written)
        if read.layout == layout.fingerprint:
            return _profile(layout, read)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError, zlib.error) as error:
        raise ProfileError(f"These bytes are no profile that this version knows: {error}") from error
    raise ProfileError(
        f"This profile is on the layout {read.layout.hex()}, and cannot be read with {layout.fingerprint.hex()}."
    )


def _profile(layout: Layout, read: _Written) -> Profile:
    lengths = tuple(map(len, (read.missing, read.lowest, read.highest, read.newcomers)))
    numbers = len(layout.numbers)
    if lengths != (len(layout.fields), numbers, numbers, len(layout.categories)):
        raise ValueError(f"parts of the lengths {lengths} are not those of its layout")
    return Profile(
        layout,
        rows=read.rows,
        missing=np.array(read.missing, np.int64),
        counts=_unpacked(read.counts, int(layout.starts[-1])),
        sums=_unpacked(read.sums, layout.number_cells),
        lowest=np.array(read.lowest, np.float64),
        highest=np.array(read.highest, np.float64),
        newcomers=read.newcomers,
    )


def _packed(values: Ints) -> bytes:
    """Non-negative integers, their lowest bytes first."""
    planes = np.ascontiguousarray(values.astype("<i8").view(np.uint8).reshape(-1, 8).T)
    used = (int(values.max(initial=0)).bit_length() + 7) // 8
    return zlib.compress(planes[:used].tobytes(), level=1)


def _unpacked(body: bytes, count: int) -> Ints:
    unfolding = zlib.decompressobj()
    unfolded = unfolding.decompress(body, 8 * count + 1)  # and no more, whatever a few bytes claim to be
    if not unfolding.eof:
        raise ValueError(f"what should be {count} integers is too long, or cut off")
    planes = np.frombuffer(unfolded, np.uint8).reshape(-1, count) if count else np.zeros((0, 0), np.uint8)
    values = np.zeros((count, 8), np.uint8)
    values[:, : len(planes)] = planes.T
    unpacked: Ints = values.view("<i8").reshape(count).astype(np.int64)
    return unpacked
