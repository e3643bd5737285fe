import zlib
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_pokemon.monitoring import Fields
from api_pokemon.monitoring.errors import ProfileError
from api_pokemon.monitoring.profile_codec import decode_profile, encode_profile
from api_pokemon.monitoring.profile_layout import (
    FIXED_POINT,
    MOST_CELLS,
    MOST_KNOWN,
    CategoryLayout,
    Layout,
    NumberLayout,
)
from api_pokemon.monitoring.profile_rows import row_batch
from api_pokemon.monitoring.profiles import MOST_NEWCOMERS, Profile, empty_profile, profile_rows
from tests.monitoring.harm import harmed

OLD_LAYOUT = (
    "82a17601a66669656c64739284a46b696e64a66e756d626572a46e616d65a16ea567726f7570a772657175657374a5656467"
    "657393cb3ff8000000000000cb4010000000000000cb401200000000000084a46b696e64a863617465676f7279a46e616d65"
    "a163a567726f7570a663686f696365a676616c75657392a6c389766f6c69a6e980b2e58c96"
)
OLD_PROFILE = (
    "89a17601a66c61796f7574c410eca67b7b2bdc9024d7d062e26d304af4a4726f777304a76d697373696e67920101a66c6f77"
    "65737491cb3ff8000000000000a76869676865737491cb4044000000000000a96e6577636f6d6572739181a750696b616368"
    "7501a6636f756e7473c40f7801636062606464640000001c0006a473756d73c41078016398c510cac0c9b0170006bf01b6"
)


def small() -> Profile:
    fields = [NumberLayout("n", "request", (1.5, 4.0, 4.5)), CategoryLayout("c", "choice", ("Évoli", "進化"))]
    layout = Layout(fields)
    requests: list[Fields] = [{"n": 1.5}, {"n": 3.0}, {"n": 40}, {}]
    choices: list[Fields] = [{"c": "進化"}, {}, {"c": "Évoli"}, {"c": "Pikachu"}]
    return profile_rows(layout, row_batch(layout.specs, requests, choices))


def wide(numbers: int, categories: int) -> Layout:
    """As many cells as there can be."""
    rng = np.random.default_rng(8)
    values = tuple(f"a rather long name of a value, {index:05}" for index in range(MOST_KNOWN))
    edges = [tuple(np.sort(rng.normal(size=MOST_CELLS - 1)).tolist()) for _ in range(numbers)]
    return Layout(
        [NumberLayout(f"n{index}", "request", edges[index]) for index in range(numbers)]
        + [CategoryLayout(f"c{index}", "request", values) for index in range(categories)]
    )


def test_it_can_be_read_again() -> None:
    for profile in (small(), empty_profile(small().layout)):
        assert decode_profile(profile.layout, encode_profile(profile)) == profile


@pytest.mark.parametrize(("numbers", "categories"), [(40, 0), (0, 40), (27, 13)])
@pytest.mark.parametrize("most", [1, 2**24, 2**31])
def test_forty_fields_take_100_kb_at_most(numbers: int, categories: int, most: int) -> None:
    """Random integers, which compress least; sums as large as they get, beyond the edges and between them."""
    rng = np.random.default_rng(most)
    layout = wide(numbers, categories)
    counts = rng.integers(0, most, layout.starts[-1])
    farthest = np.full(layout.number_cells, FIXED_POINT)
    farthest[layout.starts[:numbers]] = farthest[layout.starts[1 : numbers + 1] - 1] = 2.0**31
    sums = (counts[: layout.number_cells] * rng.uniform(0, farthest)).astype(np.int64)
    names = [f"another long one, {rng.bytes(9).hex()}{index:04}" for index in range(MOST_NEWCOMERS)]
    profile = Profile(
        layout,
        rows=2**40,
        missing=rng.integers(0, most, 40),
        counts=counts,
        sums=sums,
        lowest=rng.normal(size=numbers),
        highest=rng.normal(size=numbers),
        newcomers=tuple(dict.fromkeys(names, most) for _ in range(categories)),
    )
    body = encode_profile(profile)
    assert len(body) <= 100_000
    assert decode_profile(layout, body) == profile


def test_what_a_newer_version_adds_is_passed_over() -> None:
    written = msgspec.msgpack.decode(encode_profile(small()))
    written["more"] = b"of it"
    assert decode_profile(small().layout, msgspec.msgpack.encode(written)) == small()


def test_what_an_older_version_has_written_can_be_read() -> None:
    """These bytes are never made anew: a change that cannot read them loses what is stored."""
    assert decode_profile(Layout.decode(bytes.fromhex(OLD_LAYOUT)), bytes.fromhex(OLD_PROFILE)) == small()


def test_another_meaning_is_refused() -> None:
    written = msgspec.msgpack.decode(encode_profile(small())) | {"v": 2}
    with pytest.raises(ProfileError, match=r"^These bytes are no profile that this version knows: "):
        decode_profile(small().layout, msgspec.msgpack.encode(written))


@pytest.mark.parametrize("changes", [{"counts": b""}, {"counts": b"no such"}, {"sums": None}, {"missing": "none"}])
def test_what_is_damaged_is_refused(changes: dict[str, object]) -> None:
    written = msgspec.msgpack.decode(encode_profile(small())) | changes
    with pytest.raises(ProfileError, match=r"^These bytes are no profile that this version knows: "):
        decode_profile(small().layout, msgspec.msgpack.encode(written))


def test_another_layout_is_refused() -> None:
    with pytest.raises(ProfileError, match=r"^This profile is on the layout [0-9a-f]{32}, and cannot be read with "):
        decode_profile(wide(1, 1), encode_profile(small()))


INTS = st.integers(-(2**63), 2**64 - 1) | st.integers(-2, 5)
VALUES = st.none() | INTS | st.floats() | st.text(max_size=5) | st.binary(max_size=20) | st.lists(INTS, max_size=4)
PACKED = st.binary(max_size=100).map(zlib.compress) | st.binary(max_size=20)
CHANGES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "rows": INTS | VALUES,
        "missing": st.lists(INTS, max_size=4) | VALUES,
        "lowest": st.lists(st.floats(), max_size=3) | VALUES,
        "highest": st.lists(st.floats(), max_size=3) | VALUES,
        "newcomers": st.lists(st.dictionaries(st.text(max_size=5), INTS, max_size=3), max_size=3) | VALUES,
        "counts": PACKED | VALUES,
        "sums": PACKED | VALUES,
    },
)


def nearly_a_profile(changes: dict[str, Any]) -> bytes:
    return msgspec.msgpack.encode(msgspec.msgpack.decode(encode_profile(small())) | changes)


@given(harmed(encode_profile(small()), bytes.fromhex(OLD_PROFILE)) | CHANGES.map(nearly_a_profile))
@settings(max_examples=500)
def test_whatever_comes_is_a_profile_that_can_be_written_again_or_refused(body: bytes) -> None:
    layout = small().layout
    try:
        profile = decode_profile(layout, body)
    except ProfileError:
        return
    assert len(profile.missing) == len(layout.fields)
    again = decode_profile(layout, encode_profile(profile))
    assert encode_profile(again) == encode_profile(profile)


@given(harmed(small().layout.encode(), bytes.fromhex(OLD_LAYOUT)))
@settings(max_examples=300)
def test_whatever_comes_is_a_layout_or_refused(body: bytes) -> None:
    try:
        layout = Layout.decode(body)
    except ProfileError:
        return
    assert Layout.decode(layout.encode()).fingerprint == layout.fingerprint


def test_a_small_body_does_not_unfold_to_a_large_one() -> None:
    bomb = zlib.compress(bytes(1 << 26))
    assert len(bomb) < 100_000
    with pytest.raises(ProfileError, match="too long"):
        decode_profile(small().layout, nearly_a_profile({"counts": bomb}))


COUNTS = st.integers(0, 2**62) | st.integers(0, 300)


@given(st.data())
def test_any_profile_is_read_as_it_was_written(data: st.DataObject) -> None:
    layout = small().layout

    def draw(length: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.array(data.draw(st.lists(COUNTS, min_size=length, max_size=length)), np.int64)

    profile = Profile(
        layout,
        rows=data.draw(COUNTS),
        missing=draw(len(layout.fields)),
        counts=draw(int(layout.starts[-1])),
        sums=draw(layout.number_cells),
        lowest=np.array([data.draw(st.floats(allow_nan=False))]),
        highest=np.array([data.draw(st.floats(allow_nan=False))]),
        newcomers=(data.draw(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), COUNTS)),),
    )
    assert decode_profile(layout, encode_profile(profile)) == profile
