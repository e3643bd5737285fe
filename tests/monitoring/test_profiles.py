from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_pokemon.monitoring import Field, Fields
from api_pokemon.monitoring.errors import ProfileError
from api_pokemon.monitoring.profile_codec import decode_profile, encode_profile
from api_pokemon.monitoring.profile_layout import Layout, make_layout
from api_pokemon.monitoring.profile_rows import FieldSpec, RowBatch, row_batch
from api_pokemon.monitoring.profiles import MOST_NEWCOMERS, Profile, empty_profile, merge, newcomer_rank, profile_rows

SPECS = (FieldSpec("n", "number", "request"), FieldSpec("c", "category", "request"), FieldSpec("m", "number", "choice"))


def layout() -> Layout:
    rng = np.random.default_rng(5)
    numbers = {"n": rng.lognormal(size=2000), "m": rng.integers(0, 5, 2000).astype(np.float64)}
    return make_layout(SPECS, RowBatch(2000, numbers, {"c": {f"known {index}": 10 for index in range(20)}}))


LAYOUT = layout()

numbers = st.one_of(
    st.none(), st.floats(), st.floats(0, 10), st.integers(-3, 8), st.booleans(), st.sampled_from(["4", "x", 10**400])
)
values = st.one_of(
    st.none(),
    st.sampled_from([f"known {index}" for index in range(25)]),
    st.integers(0, 300),
    st.booleans(),
    st.floats(0, 3),
    st.text(max_size=50),
)
rows = st.lists(st.tuples(numbers, values, numbers), max_size=120)


def profile(found: Sequence[tuple[Field, Field, Field]]) -> Profile:
    requests: list[Fields] = [{"n": n, "c": c} for n, c, _ in found]
    choices: list[Fields] = [{"m": m} for _, _, m in found]
    return profile_rows(LAYOUT, row_batch(SPECS, requests, choices))


@settings(max_examples=200)
@given(rows, st.randoms(use_true_random=False), st.integers(1, 8))
def test_any_split_in_any_order_makes_the_same_profile(
    found: list[tuple[Field, Field, Field]], random: "st.random.Random", parts: int
) -> None:
    whole = profile(found)
    shuffled = random.sample(found, len(found))
    cuts = sorted(random.choices(range(len(found) + 1), k=parts - 1))
    pieces = [profile(shuffled[begin:end]) for begin, end in zip([0, *cuts], [*cuts, len(found)], strict=True)]
    random.shuffle(pieces)
    one_by_one = reduce(lambda one, other: merge([one, other]), pieces, empty_profile(LAYOUT))
    at_once = merge(decode_profile(LAYOUT, encode_profile(piece)) for piece in pieces)
    assert whole == one_by_one == at_once
    assert encode_profile(whole) == encode_profile(one_by_one) == encode_profile(at_once)


@given(rows)
def test_every_row_is_counted_in_every_field(found: list[tuple[Field, Field, Field]]) -> None:
    made = profile(found)
    for index, field in enumerate(LAYOUT.fields):
        named = sum(made.newcomers[0].values()) if field.name == "c" else 0
        assert made.counts[LAYOUT.cells_of(index)].sum() + made.missing[index] + named == len(found)


def test_a_thousand_newcomers_in_any_order() -> None:
    texts = [f"new {index}" for index in range(1000) for _ in range(index % 7 + 1)]
    rng = np.random.default_rng(3)
    whole = profile([(None, text, None) for text in texts])
    for _ in range(5):
        batches = np.array_split(rng.permutation(texts), 23)
        assert merge(profile([(None, str(text), None) for text in batch]) for batch in batches) == whole
    kept = sorted(set(texts), key=newcomer_rank)[:MOST_NEWCOMERS]
    assert whole.newcomers[0] == {text: texts.count(text) for text in kept}
    assert whole.counts[-1] == len(texts) - sum(map(texts.count, kept))


def test_what_is_known_of_numbers() -> None:
    made = profile([(None, None, m) for m in (0, 1, 1, 4, 7, -2, 2.51, None)])
    cells = LAYOUT.cells_of(1)
    filled = np.flatnonzero(made.counts[cells]) + cells.start
    assert made.counts[filled].tolist() == [1, 1, 2, 1, 1, 1]
    assert LAYOUT.anchors[filled].round(4).tolist() == [0, 0, 1, 2.5, 4, 4]
    distances = made.sums[filled] / LAYOUT.units[filled]
    assert distances.round(3).tolist() == [-2, 0, 0, 0.01, 0, 3]
    assert (made.lowest[1], made.highest[1], made.missing[1]) == (-2.0, 7.0, 1)
    assert (made.lowest[0], made.highest[0]) == (np.inf, -np.inf)


def test_far_away_values_have_a_farthest_place() -> None:
    made = profile([(1e100, None, None)] * 3)
    last = LAYOUT.cells_of(0).stop - 1
    assert (made.counts[last], made.sums[last], made.highest[0]) == (3, 3 * 2**32, 1e100)


def test_profiles_on_different_layouts_stay_apart() -> None:
    other = make_layout(SPECS[:1], RowBatch(2, {"n": np.array([1.0, 2.0])}, {}))
    with pytest.raises(ProfileError, match=r"^Profiles on different layouts cannot be merged"):
        merge([empty_profile(LAYOUT), empty_profile(other)])


@pytest.mark.parametrize("specs", [(), SPECS[:1], SPECS[1:2]])
def test_a_layout_may_lack_a_kind_of_field(specs: Sequence[FieldSpec]) -> None:
    found: Mapping[str, Field] = {"n": 1.0, "c": "x"}
    batch = row_batch(specs, [found] * 3, [{}] * 3)
    made = profile_rows(make_layout(specs, batch), batch)
    assert merge([made, made]).rows == 6
