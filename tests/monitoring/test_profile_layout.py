from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from numpy.typing import ArrayLike

from api_pokemon.monitoring.errors import ProfileError
from api_pokemon.monitoring.profile_layout import MOST_CELLS, Layout, make_layout
from api_pokemon.monitoring.profile_rows import FieldSpec, RowBatch

NUMBER = FieldSpec("n", "number", "request")
CATEGORY = FieldSpec("c", "category", "choice")


def edges_of(values: ArrayLike) -> Sequence[float]:
    numbers = np.array(values, dtype=np.float64)
    return make_layout([NUMBER], RowBatch(len(numbers), {"n": numbers}, {})).numbers[0].edges


def values_of(counts: dict[str | None, int]) -> Sequence[str]:
    return make_layout([CATEGORY], RowBatch(sum(counts.values()), {}, {"c": counts})).categories[0].values


def test_edges_are_quantiles_and_finer_in_the_tails() -> None:
    edges = edges_of(np.arange(10_001))
    assert edges[:8] == (0, 1, 3, 6, 12, 25, 50, 100)
    assert edges[8:-8] == tuple(range(150, 9_901, 50))
    assert edges[-8:] == (9_950, 9_975, 9_987, 9_993, 9_996, 9_998, 10_000, np.nextafter(10_000, 10_001))


def test_more_rows_make_the_tails_finer_up_to_a_point() -> None:
    assert [len(edges_of(np.arange(count))) for count in (10_000, 100_000, 820_000, 1_640_000)] == [
        212,
        218,
        226,
        226,
    ]


@pytest.mark.parametrize("power", [1, 2, 3, 5, 8])
def test_there_are_never_more_cells_than_fit_into_a_profile(power: int) -> None:
    """The longer the tails, the more of them is told, and the fewer quantiles are left."""
    values = np.random.default_rng(power).standard_normal(300_000) ** power
    cells = make_layout([NUMBER], RowBatch(len(values), {"n": values}, {})).numbers[0].cells
    assert 225 < cells <= MOST_CELLS


def test_each_of_a_few_values_is_an_edge_and_no_gap_is_wide() -> None:
    edges = edges_of([2, 2, 2, 5, 5, 7])
    assert edges[-1] == np.nextafter(7, 8)
    assert {2, 5, 7} < set(edges)
    assert (len(edges), max(np.diff(edges)).round(4)) == (51, 0.1034)


@pytest.mark.parametrize("values", [[], [np.nan], [np.nan, np.inf]])
def test_a_number_without_values_has_edges(values: list[float]) -> None:
    assert edges_of(values) == (0.0, 5e-324)


def test_known_values_are_the_most_frequent_ones() -> None:
    counts: dict[str | None, int] = {f"{index:03}": 1000 - index // 2 for index in range(1000)}
    assert values_of(counts | {None: 5000}) == tuple(f"{index:03}" for index in range(200))


def test_a_category_without_values_knows_none() -> None:
    assert values_of({None: 3}) == ()


def test_names_must_differ() -> None:
    with pytest.raises(ProfileError, match=r"^Each field needs a name of its own: n has more than one field\.$"):
        make_layout([NUMBER, FieldSpec("n", "category", "choice")], RowBatch(0, {"n": np.zeros(0)}, {"n": {}}))


def make() -> Layout:
    return make_layout([CATEGORY, NUMBER], RowBatch(3, {"n": np.array([1.0, 2.5, 4.0])}, {"c": {"é": 2, "ß": 1}}))


def test_it_can_be_written_down() -> None:
    layout = make()
    again = Layout.decode(layout.encode())
    assert again.fields == layout.fields
    assert again.fingerprint == layout.fingerprint
    assert again.specs == (NUMBER, CATEGORY)


def test_what_a_newer_version_adds_is_passed_over() -> None:
    written = msgspec.msgpack.decode(make().encode())
    written["more"] = 1
    written["fields"][0]["more"] = 1
    assert Layout.decode(msgspec.msgpack.encode(written)).fingerprint == make().fingerprint


@pytest.mark.parametrize("body", [b"", b"no layout", msgspec.msgpack.encode({"v": 2, "fields": []})])
def test_what_is_no_layout_is_refused(body: bytes) -> None:
    with pytest.raises(ProfileError, match=r"^These bytes are no layout that this version knows: "):
        Layout.decode(body)
