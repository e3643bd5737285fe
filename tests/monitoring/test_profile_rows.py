import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_pokemon.monitoring import Field, Prediction
from api_pokemon.monitoring.profile_rows import FieldSpec, as_text, count_values, prediction_batch, row_batch

NUMBER = [FieldSpec("n", "number", "request")]

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.floats(),
    st.text(max_size=60),
    st.sampled_from(["1", "1.0", " 2 ", "1_000", "nan", "inf", "true", "None", "\ud800"]),
)


def measured(values: Sequence[Field]) -> list[float]:
    return row_batch(NUMBER, [{"n": value} for value in values], [{}] * len(values)).numbers["n"].tolist()


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3.0), (2.5, 2.5), (True, 1.0), (False, 0.0), ("7", 7.0), (1e100, 1e100)],
)
def test_a_number_is_measured(value: Field, number: float) -> None:
    assert measured([value]) == [number]


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, 1.1e100, 10**400, "much", ""])
def test_what_is_no_number_is_missing(value: Field) -> None:
    assert [math.isnan(number) for number in measured([1, value])] == [False, True]


def test_there_is_one_zero() -> None:
    assert np.signbit(measured([-0.0, 0.0, -0])).tolist() == [False, False, False]


def test_an_absent_field_is_missing() -> None:
    specs = [FieldSpec("n", "number", "request"), FieldSpec("c", "category", "choice")]
    batch = row_batch(specs, [{"n": 1}, {}], [{}, {"n": 2, "c": "x"}])
    assert np.array_equal(batch.numbers["n"], [1.0, np.nan], equal_nan=True)
    assert batch.categories["c"] == {None: 1, "x": 1}


@given(st.lists(anything))
def test_what_a_value_becomes_depends_on_it_alone(values: list[Field]) -> None:
    alone = [measured([value])[0] for value in values]
    assert np.array_equal(measured(values), alone, equal_nan=True)
    texts = [as_text(value) for value in values]
    assert count_values(values) == {text: texts.count(text) for text in texts}


@given(anything)
def test_a_text_is_short_and_can_be_written_down(value: Field) -> None:
    text = as_text(value)
    assert text is None or len(text.encode()) <= 40


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Évoli", "Évoli"),
        ("進化", "進化"),
        ("", ""),
        (True, "true"),
        (1, "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (math.inf, None),
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 29 + "…91898847"),
        ("é" * 30, "é" * 14 + "…0f0dc0bf"),
        ("\ud800", "?"),
    ],
)
def test_a_value_is_told_as_a_text(value: Field, text: str | None) -> None:
    assert as_text(value) == text


def test_true_is_not_one() -> None:
    assert count_values([True, 1, 1.0, "1", "true"]) == {"true": 2, "1": 3}


def test_the_rows_of_predictions_are_taken_apart() -> None:
    made = Prediction("0190f5b6-7c0e-7abc-8def-0123456789ab", "v1", 0.25, 0.001, {"n": 4}, {"c": "x"})
    batch = prediction_batch([*NUMBER, FieldSpec("c", "category", "choice")], [made, made])
    assert (batch.rows, batch.numbers["n"].tolist(), batch.categories["c"]) == (2, [4.0, 4.0], {"x": 2})
