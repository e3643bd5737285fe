"""The envelope, between versions of this program: see ``samples``, which are never written anew."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_pokemon.monitoring import Event, EventError, Outcome, Prediction, decode, encode, made_at_seconds, new_id
from tests.monitoring.harm import harmed

SAMPLES = Path(__file__).with_name("samples")

PREDICTION = Prediction(
    "0190f5b6-7c0e-7abc-8def-0123456789ab",
    "net-2024-07",
    probability=0.875,
    duration_seconds=0.000125,
    request={"size": 3, "colour": "bleu é", "weight": 2.5, "fresh": True, "rest": None},
    choice={"pick": "a", "confidence": 0.875},
    payload=b"\x00\xff raw",
)
LEAST = Prediction("0190f5b6-7c0e-7abc-8def-0123456789ac", "v1", probability=0.5, duration_seconds=0.0)
OUTCOME = Outcome("0190f5b7-0000-7abc-8def-0123456789ab", PREDICTION.prediction_id, happened=False)

AS_WRITTEN: dict[str, Event] = {
    "prediction_v1.json": PREDICTION,
    "prediction_v1_least.json": LEAST,
    "outcome_v1.json": OUTCOME,
}


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes().rstrip(b"\n")


class PredictionOfV1(msgspec.Struct, frozen=True, tag="prediction", tag_field="kind"):
    """The reader of the first version, which is out there for good."""

    prediction_id: str = msgspec.field(name="id")
    model_version: str
    probability: float
    duration_seconds: float
    request: Mapping[str, str | int | float | bool | None] = {}
    choice: Mapping[str, str | int | float | bool | None] = {}
    payload: bytes = b""


class OutcomeOfV1(msgspec.Struct, frozen=True, tag="outcome", tag_field="kind"):
    outcome_id: str = msgspec.field(name="id")
    prediction_id: str
    happened: bool


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_an_event_is_written_byte_for_byte_as_it_was(name: str) -> None:
    assert encode(AS_WRITTEN[name]) == sample(name)


@pytest.mark.parametrize("name", AS_WRITTEN)
def test_what_an_older_version_wrote_is_read(name: str) -> None:
    assert decode(sample(name)) == AS_WRITTEN[name]


def test_what_a_newer_version_adds_is_passed_over() -> None:
    prediction = decode(sample("prediction_v2.json"))
    assert isinstance(prediction, Prediction)
    assert prediction.request == {**PREDICTION.request, "depth": 7}
    assert msgspec.structs.replace(prediction, request=PREDICTION.request) == PREDICTION
    assert decode(sample("outcome_v2.json")) == OUTCOME


def test_a_newer_kind_is_refused_by_name() -> None:
    with pytest.raises(EventError, match="retraction"):
        decode(sample("unknown_kind.json"))


@pytest.mark.parametrize("event", AS_WRITTEN.values(), ids=AS_WRITTEN)
def test_an_older_version_reads_what_is_written_today(event: Event) -> None:
    read = msgspec.json.decode(encode(event), type=PredictionOfV1 | OutcomeOfV1)
    assert msgspec.structs.asdict(read) == {
        name: value for name, value in msgspec.structs.asdict(event).items() if name in type(read).__struct_fields__
    }


def test_the_envelope_tells_version_and_time_first() -> None:
    envelope = json.loads(encode(OUTCOME))
    assert list(envelope)[:4] == ["v", "time", "kind", "id"]
    assert envelope["time"] == made_at_seconds(OUTCOME.outcome_id) == OUTCOME.made_at_seconds == 1722109329.408
    assert (OUTCOME.event_id, PREDICTION.event_id) == (OUTCOME.outcome_id, PREDICTION.prediction_id)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"{}",
        b'{"v":1}',
        sample("prediction_v1.json")[:-1],
        sample("prediction_v1.json").replace(b'"id":"0190f5b6', b'"id":"no'),
        sample("prediction_v1.json").replace(b'"probability":0.875,', b""),
        sample("prediction_v1.json").replace(b'"bleu ', b'"bleu \xff'),
        sample("outcome_v1.json").replace(b"false", b'"no"'),
    ],
)
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(EventError):
        decode(body)


@pytest.mark.parametrize("probability", [math.nan, math.inf, -0.001, 1.001])
def test_what_is_no_probability_is_not_written(probability: float) -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        encode(Prediction(new_id(), "v1", probability, 0.001))


@pytest.mark.parametrize("duration_seconds", [math.nan, math.inf, -0.001])
def test_what_is_no_duration_is_not_written(duration_seconds: float) -> None:
    with pytest.raises(ValueError, match="finite number of seconds"):
        encode(Prediction(new_id(), "v1", 0.5, duration_seconds))


@pytest.mark.parametrize(
    "event", [Prediction("42", "v1", 0.5, 0.0), Outcome("42", new_id(), True), Outcome(new_id(), "42", True)]
)
def test_what_has_no_id_is_not_written(event: Event) -> None:
    with pytest.raises(ValueError, match="'42' is not a prediction id"):
        encode(event)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
FIELDS = st.dictionaries(TEXTS, st.none() | st.booleans() | NUMBERS | TEXTS, max_size=5)
IDS = st.builds(new_id)
PREDICTIONS = st.builds(
    Prediction, IDS, TEXTS, st.floats(0, 1), st.floats(0, 1e9), FIELDS, FIELDS, st.binary(max_size=50)
)
OUTCOMES = st.builds(Outcome, IDS, IDS, st.booleans())


@given(PREDICTIONS | OUTCOMES)
def test_what_is_written_is_read_as_it_was(event: Event) -> None:
    assert decode(encode(event)) == event


@given(FIELDS, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_number_that_is_none_is_kept_as_nothing(fields: dict[str, object], number: float) -> None:
    event = decode(encode(Prediction(new_id(), "v1", 0.5, 0.0, {**fields, "bad": number})))
    assert isinstance(event, Prediction)
    assert event.request == {**fields, "bad": None}


JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
NEARLY_EVENTS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["prediction", "outcome"]) | JSON, "id": IDS | JSON},
    optional={
        "v": JSON,
        "time": JSON,
        "model_version": TEXTS | JSON,
        "probability": st.floats(0, 1) | JSON,
        "duration_seconds": st.floats(0, 1) | JSON,
        "request": FIELDS | JSON,
        "choice": FIELDS | JSON,
        "payload": TEXTS | JSON,
        "prediction_id": IDS | JSON,
        "happened": st.booleans() | JSON,
    },
).map(lambda event: json.dumps(event).encode())


@given(harmed(*map(sample, AS_WRITTEN)) | NEARLY_EVENTS)
@settings(max_examples=500)
def test_whatever_comes_is_an_event_or_refused(body: bytes) -> None:
    try:
        event = decode(body)
    except EventError:
        return
    assert isinstance(event, Prediction | Outcome)
    assert event.made_at_seconds >= 0
