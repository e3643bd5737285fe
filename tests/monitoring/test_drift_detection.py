from collections.abc import Mapping

import numpy as np
import pytest

from api_pokemon.monitoring.drift_changes import MISSING, OTHER, Change
from api_pokemon.monitoring.drift_detection import (
    CATEGORY_STATISTICS,
    NUMBER_STATISTICS,
    Drift,
    DriftDetector,
    DriftOptions,
)
from api_pokemon.monitoring.errors import ProfileError
from api_pokemon.monitoring.profile_layout import Floats, Layout, make_layout
from api_pokemon.monitoring.profile_rows import FieldSpec, RowBatch
from api_pokemon.monitoring.profiles import Profile, empty_profile, merge, profile_rows
from tests.monitoring.profiled import category_profile, number_layout

FEW = DriftOptions(draws=1000)
SPECS = (
    FieldSpec("size", "number", "request"),
    FieldSpec("colour", "category", "request"),
    FieldSpec("score", "number", "choice"),
)


def batch(sizes: Floats, colours: Mapping[str | None, int], scores: Floats) -> RowBatch:
    return RowBatch(len(sizes), {"size": sizes, "score": scores}, {"colour": colours})


def usual_batch(seed: int, rows: int, shift: float = 0.0, red: float = 0.1) -> RowBatch:
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(rows, [red, *[(1 - red) / 4] * 4])
    colours: dict[str | None, int] = dict(zip(("rouge", "bleu", "vert", "jaune", "noir"), counts.tolist(), strict=True))
    return batch(rng.normal(10 + 3 * shift, 3, rows), colours, rng.beta(5, 1, rows))


LAYOUT = make_layout(SPECS, usual_batch(0, 10_000))
REFERENCE = profile_rows(LAYOUT, usual_batch(0, 10_000))


@pytest.fixture(scope="module")
def detector() -> DriftDetector:
    return DriftDetector(REFERENCE, FEW)


def window(rows: RowBatch) -> Profile:
    return profile_rows(LAYOUT, rows)


def verdicts(drift: Drift) -> dict[str, str]:
    return {field.name: field.verdict for field in drift.fields}


def test_what_is_as_usual_is_no_drift(detector: DriftDetector) -> None:
    drift = detector.judge(window(usual_batch(1, 1000)))
    assert set(verdicts(drift).values()) == {"no_drift"}
    assert [(group.group, group.verdict, group.share, group.drifted) for group in drift.groups] == [
        ("request", "no_drift", 0.0, ()),
        ("choice", "no_drift", 0.0, ()),
    ]
    assert (drift.rows, drift.reference_rows) == (1000, 10_000)


def test_groups_are_judged_separately(detector: DriftDetector) -> None:
    drift = detector.judge(window(usual_batch(2, 1000, shift=0.25, red=0.5)))
    assert verdicts(drift) == {"size": "drift", "score": "no_drift", "colour": "drift"}
    assert [(group.group, group.verdict, group.share, group.drifted) for group in drift.groups] == [
        ("request", "drift", 1.0, ("colour", "size")),
        ("choice", "no_drift", 0.0, ()),
    ]
    assert [round(field.statistic, 3) for field in drift.fields] == [0.221, 0.048, 0.317]


def test_below_what_matters_is_no_drift_however_sure(detector: DriftDetector) -> None:
    drift = detector.judge(window(usual_batch(3, 100_000, shift=0.09)))
    size = drift.fields[0]
    assert size.noise < size.statistic < size.threshold
    assert size.verdict == "no_drift"


def test_below_what_chance_does_is_no_drift() -> None:
    strict = DriftDetector(REFERENCE, DriftOptions(draws=1000, threshold=0.0))
    drift = strict.judge(window(usual_batch(4, 100, shift=0.15)))
    size = drift.fields[0]
    assert size.threshold < size.statistic < size.noise
    assert size.verdict == "no_drift"


def test_what_changed_is_told(detector: DriftDetector) -> None:
    drift = detector.judge(window(usual_batch(5, 1000, shift=1.0, red=0.5)))
    size, _, colour = drift.fields
    assert colour.changes[0].value == "rouge"
    assert colour.changes[0].grew
    assert [change.grew for change in colour.changes[1:]] == [False] * 4
    top = size.changes[0]
    assert Change(top.value, round(top.reference_share, 4), top.window_share) == Change(
        "13.8492 to 20.4455", 0.1001, 0.382
    )
    assert [round(change.reference_share, 2) for change in size.changes] == [0.1] * 5


def test_a_range_with_one_value_is_named_by_it() -> None:
    """Edges between whole numbers are there for what may come; nobody wants to read of 2 to 2.0625."""
    specs = [FieldSpec("moves", "number", "request")]

    def profile(*values: float) -> Profile:
        return profile_rows(layout, RowBatch(100 * len(values), {"moves": np.repeat(np.array(values), 100)}, {}))

    layout = make_layout(specs, RowBatch(4, {"moves": np.array([1.0, 2.0, 3.0, 4.0])}, {}))
    detector = DriftDetector(profile(1, 2, 3, 4), FEW)
    (field,) = detector.judge(profile(2, 2, 2, 5)).fields
    assert [change.value for change in field.changes] == ["2", "1", "3", "4", "above 4"]
    (field,) = detector.judge(profile(1.01, 2, 3.51, 4)).fields
    assert [change.value for change in field.changes] == ["3", "3.0625 to 4"]


def test_a_newcomer_is_named() -> None:
    usual: dict[str | None, int] = {"a": 5000, "b": 5000}
    detector = DriftDetector(category_profile(usual, usual), FEW)
    drift = detector.judge(category_profile(usual, {"a": 475, "b": 475, "ピカチュウ": 50}))
    (field,) = drift.fields
    assert (field.verdict, round(field.statistic, 3)) == ("drift", 0.133)
    assert field.changes[0] == Change("ピカチュウ", 0.0, 0.05)


def test_missing_values_drift_too(detector: DriftDetector) -> None:
    rows = usual_batch(6, 1000)
    sizes = rows.numbers["size"].copy()
    sizes[:200] = np.nan
    drift = detector.judge(window(batch(sizes, {**rows.categories["colour"], None: 300}, rows.numbers["score"])))
    assert verdicts(drift) == {"size": "drift", "score": "no_drift", "colour": "drift"}
    assert drift.fields[0].changes[0] == Change(MISSING, 0.0, 0.2)
    assert drift.fields[2].changes[0].value == MISSING


def test_many_newcomers_are_compared_by_those_that_both_sides_may_name() -> None:
    """A thousand values, of which neither side names all: nothing has changed, and nothing is said to have."""
    rng = np.random.default_rng(7)
    shares = rng.dirichlet(np.ones(1000))

    def rows(count: int) -> dict[str | None, int]:
        counts = rng.multinomial(count, shares)
        return {f"value {index}": int(found) for index, found in enumerate(counts) if found}

    usual = rows(50_000)
    detector = DriftDetector(category_profile(usual, usual), FEW)
    fields = [detector.judge(category_profile(usual, rows(5000))).fields[0] for _ in range(20)]
    assert [field.verdict for field in fields] == ["no_drift"] * 20
    assert max(field.statistic for field in fields) < 0.1
    gone = detector.judge(category_profile(usual, {f"stranger {index}": 5 for index in range(1000)})).fields[0]
    assert (gone.verdict, round(gone.statistic, 2)) == ("drift", 0.49)
    assert OTHER in {change.value for change in gone.changes}


@pytest.mark.parametrize("number", NUMBER_STATISTICS)
@pytest.mark.parametrize("category", CATEGORY_STATISTICS)
def test_statistics_can_be_chosen(number: str, category: str) -> None:
    detector = DriftDetector(REFERENCE, DriftOptions(number=number, category=category, draws=1000))
    assert set(verdicts(detector.judge(window(usual_batch(8, 1000)))).values()) == {"no_drift"}
    drift = detector.judge(window(usual_batch(9, 1000, shift=0.5, red=0.5)))
    assert verdicts(drift) == {"size": "drift", "score": "no_drift", "colour": "drift"}


def test_an_unknown_statistic_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^There is no statistic 'magic': one of wasserstein, kolmogorov_smirnov, "):
        DriftDetector(REFERENCE, DriftOptions(number="magic"))


def test_another_layout_is_refused(detector: DriftDetector) -> None:
    with pytest.raises(ProfileError, match=r"^A window and its reference must be on the same layout"):
        detector.judge(empty_profile(number_layout(np.arange(5.0))))


def test_the_same_window_gets_the_same_verdict() -> None:
    found = [DriftDetector(REFERENCE, FEW).judge(window(usual_batch(10, 1000))) for _ in range(2)]
    assert found[0] == found[1]


STRANGE: Mapping[str, RowBatch] = {
    "no rows": batch(np.zeros(0), {}, np.zeros(0)),
    "one row": batch(np.array([1.0]), {"rouge": 1}, np.array([0.5])),
    "constant": batch(np.full(500, 3.0), {"rouge": 500}, np.full(500, 0.5)),
    "all missing": batch(np.full(500, np.nan), {None: 500}, np.full(500, np.nan)),
    "infinities": batch(np.full(500, np.inf), {"inf": 500}, np.full(500, -np.inf)),
    "the largest numbers": batch(np.full(500, 1e100), {"進化": 500}, np.full(500, -1e100)),
    "beyond them": batch(np.full(500, 1.7e308), {"": 500}, np.full(500, 5e-324)),
    "a thousand values": batch(np.arange(1000.0), {f"é{index}": 1 for index in range(1000)}, np.arange(1000.0)),
    "usual": usual_batch(12, 300),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", NUMBER_STATISTICS)
@pytest.mark.parametrize("name", STRANGE)
def test_nothing_strange_makes_it_fail(name: str, number: str) -> None:
    """Each beside each, as window and as reference, on the layouts of both."""
    options = DriftOptions(number=number, draws=100)
    for layout in (LAYOUT, make_layout(SPECS, STRANGE[name])):
        detector = DriftDetector(profile_rows(layout, STRANGE[name]), options)
        for other in STRANGE.values():
            drift = detector.judge(profile_rows(layout, other))
            numbers = [value for field in drift.fields for value in (field.statistic, field.noise)]
            assert np.all(np.isfinite(numbers))
            assert min(numbers) >= 0
            enough = min(drift.rows, drift.reference_rows) >= 100
            assert all((field.verdict == "insufficient_data") is not enough for field in drift.fields)
        same = detector.judge(detector.reference)
        assert [field.statistic for field in same.fields] == [0.0] * 3


@pytest.mark.parametrize("number", NUMBER_STATISTICS)
@pytest.mark.parametrize("category", CATEGORY_STATISTICS)
def test_nothing_is_no_distance_from_anything(number: str, category: str) -> None:
    """A quiet night is no spike on a dashboard."""
    options = DriftOptions(number=number, category=category, draws=100)
    nothing = empty_profile(LAYOUT)
    for reference, found in ((REFERENCE, nothing), (nothing, REFERENCE), (nothing, nothing)):
        fields = DriftDetector(reference, options).judge(found).fields
        assert {(field.statistic, field.verdict) for field in fields} == {(0.0, "insufficient_data")}


def test_a_layout_without_fields() -> None:
    drift = DriftDetector(empty_profile(Layout([]))).judge(empty_profile(Layout([])))
    assert (drift.fields, drift.groups) == ((), ())


def test_unchanged_windows_stay_quiet_even_beside_a_small_reference() -> None:
    """Twenty references, smaller than the windows: one alarm in a hundred windows is the stated rate."""
    alarms = 0
    for seed in range(20):
        usual = usual_batch(1000 + seed, 400)
        layout = make_layout(SPECS, usual)
        detector = DriftDetector(profile_rows(layout, usual), FEW)
        for repeat in range(10):
            drift = detector.judge(profile_rows(layout, usual_batch(2000 + 20 * seed + repeat, 1000)))
            alarms += any(group.verdict == "drift" for group in drift.groups)
    assert alarms == 0


def test_a_merged_window_is_judged_as_one(detector: DriftDetector) -> None:
    parts = [window(usual_batch(seed, 100)) for seed in range(30, 40)]
    assert detector.judge(merge(parts)).rows == 1000
    assert {field.verdict for field in detector.judge(parts[0]).fields} == {"no_drift"}
    few = window(usual_batch(50, 99))
    assert {field.verdict for field in detector.judge(few).fields} == {"insufficient_data"}
