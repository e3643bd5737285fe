"""Reports by the real Evidently, beside what the profiles say. It is loaded once, for all tests of this module."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from api_pokemon.monitoring import evidently_report
from api_pokemon.monitoring.database import connect
from api_pokemon.monitoring.drift_references import DriftReferences, Reference
from api_pokemon.monitoring.errors import EvidentlyMissingError, InsufficientDataError
from api_pokemon.monitoring.evidently_report import run_evidently
from api_pokemon.monitoring.prediction_log import PredictionLog
from api_pokemon.monitoring.profile_rows import FieldSpec
from api_pokemon.monitoring.profile_store import ProfileStore
from api_pokemon.monitoring.profile_writing import ProfileWriter
from api_pokemon.monitoring.report_folder import ReportFolder
from api_pokemon.monitoring.report_metrics import ReportMetrics
from api_pokemon.monitoring.report_page import with_heading
from api_pokemon.monitoring.report_rows import ReportRows, rows_of
from api_pokemon.monitoring.report_summary import ReportSummary
from api_pokemon.monitoring.reports import Reporter
from tests.monitoring.drift_log import write
from tests.monitoring.drifting import BASELINE, baseline_of, predictions
from tests.monitoring.logged_events import START_SECONDS

ROWS = 1200
MINUTE = START_SECONDS // 60 * 60 + 60  # the first whole one
WINDOW = (MINUTE, MINUTE + 300)


def made_up(reference: Reference, most: int) -> ReportRows:
    return rows_of(2000, predictions(2000, 99)[:most])


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PredictionLog]:
    """Five normal minutes, five in which sizes are larger, and five with few predictions."""
    log = PredictionLog(connect(f"sqlite:///{tmp_path_factory.mktemp('log')}/log.sqlite"))
    log.migrate()
    first = MINUTE - START_SECONDS
    writer = ProfileWriter(baseline_of)
    write(log, predictions(ROWS, 1, first=first), writer)
    write(log, predictions(ROWS, 2, first=first + 300, shift=0.5), writer, first=ROWS + 1)
    write(log, predictions(99, 3, first=first + 600), writer, first=2 * ROWS + 1)
    yield log
    log.engine.dispose()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ReportFolder:
    return ReportFolder(tmp_path_factory.mktemp("data") / "reports")


@pytest.fixture(scope="module")
def written(log: PredictionLog, folder: ReportFolder, tmp_path_factory: pytest.TempPathFactory) -> ReportSummary:
    """A report on the larger sizes, made where nothing can be reached and no file written but the report's."""
    home = tmp_path_factory.mktemp("home")
    told: list[tuple[float, str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.delenv("DO_NOT_TRACK", raising=False)
        patch.setattr(socket.socket, "connect", _refuse)
        patch.setattr(socket, "getaddrinfo", _refuse)
        summary = Reporter(log.engine, folder, made_up, most_rows=1100).write(
            "v1", WINDOW[1], WINDOW[1] + 300, lambda share, text: told.append((share, text))
        )
    assert list(home.rglob("*")) == []
    assert [share for share, _ in told] == [0.0, 0.2, 0.9]
    return summary


def _refuse(*arguments: object) -> None:
    raise AssertionError(f"Somebody was called: {arguments}")


def test_our_verdicts_stand_beside_evidentlys(written: ReportSummary) -> None:
    assert (written.rows, written.sampled_rows) == (ROWS, 1100)
    assert (written.reference_kind, written.reference_rows, written.sampled_reference_rows) == ("uniform", 2000, 1100)
    assert written.verdict == "drift"
    assert {field.name: (field.verdict, field.evidently_drift) for field in written.fields} == {
        "size": ("drift", True),
        "colour": ("no_drift", False),
        "sure": ("no_drift", False),
    }
    size, colour = (next(field for field in written.fields if field.name == name) for name in ("size", "colour"))
    assert (size.evidently_method, size.evidently_threshold) == ("Wasserstein distance (normed)", 0.1)
    assert colour.evidently_method == "Jensen-Shannon distance"
    assert size.evidently_score == pytest.approx(size.statistic, abs=0.05)


def test_it_is_kept_as_a_page_and_as_numbers(written: ReportSummary, folder: ReportFolder) -> None:
    assert folder.find(written.report_id) == written
    json_file = folder.file(written.report_id, "json")
    assert json_file is not None
    document = json.loads(json_file.read_text("utf-8"))
    count = next(metric["value"]["count"] for metric in document["metrics"] if "count" in str(metric["value"]))
    assert count == sum(field.evidently_drift is True for field in written.fields) == 1


def test_the_page_says_what_was_compared_with_what(written: ReportSummary, folder: ReportFolder) -> None:
    html_file = folder.file(written.report_id, "html")
    assert html_file is not None
    html = html_file.read_text("utf-8")
    (heading,) = re.findall(r"<body>\s*<header[^>]*>(.*?)</header>", html, re.DOTALL)
    size = next(field for field in written.fields if field.name == "size")
    assert re.findall(r">([^<]+)<", heading) == [
        "Drift of v1",
        "1,200 predictions from 2024-07-27 19:47:00 to 2024-07-27 19:52:00 UTC, against 2,000 rows of made-up traffic, "
        "the provisional reference.",
        f"By the profiles of all of them, drift: size {size.statistic:.3f} (limit {max(size.noise, 0.1):.3f}).",
        "Below is what Evidently says of 1,100 and 1,100 of these rows.",
    ]
    assert html.count("<title>Drift of v1</title></head>") == 1


def test_the_heading_of_a_page_is_text_whatever_it_names(written: ReportSummary) -> None:
    field = msgspec.structs.replace(written.fields[0], name="<b>", verdict="no_drift", left_out="always <i>")
    summary = msgspec.structs.replace(written, model_version="<script>", fields=(field,), verdict="no_drift")
    page = with_heading("<head></head><body></body>", summary)
    assert re.findall(r"<(\w+)", page) == ["head", "title", "body", "header", "h1", "p", "p", "p", "p"]
    assert "By the profiles of all of them, no_drift." in page
    assert "It was not asked about &lt;b&gt; (always &lt;i&gt;)." in page


def test_the_page_needs_nothing_but_itself(written: ReportSummary, folder: ReportFolder) -> None:
    html_file = folder.file(written.report_id, "html")
    assert html_file is not None
    html = html_file.read_text("utf-8")
    assert len(html) > 1 << 20
    assert re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=", html) == []
    assert re.findall(r"<link[^>]*\shref=", html) == []
    styles = " ".join(re.findall(r"<style>(.*?)</style>", html, re.DOTALL))
    assert set(re.findall(r"url\(\s*['\"]?(\w+:)", styles)) == {"data:"}
    assert "@import" not in styles


def test_a_reference_from_production_is_taken_from_the_log(log: PredictionLog, tmp_path: Path) -> None:
    def never(reference: Reference, most: int) -> ReportRows:
        raise AssertionError("asked for made-up rows")

    normal = ProfileStore(log.engine).window("v1", BASELINE.layout, *WINDOW)
    references = DriftReferences(log.engine)
    references.declare("v1", "window", normal, declared_by="ash", from_seconds=WINDOW[0], to_seconds=WINDOW[1])
    try:
        summary = Reporter(log.engine, ReportFolder(tmp_path), never).write("v1", *WINDOW)
    finally:
        references.use_uniform("v1", declared_by="ash")
    assert (summary.reference_kind, summary.sampled_reference_rows, summary.verdict) == ("window", ROWS, "no_drift")
    assert [field.evidently_score for field in summary.fields] == [0.0, 0.0, 0.0]
    registry = CollectorRegistry()
    ReportMetrics(registry, ReportFolder(tmp_path))
    duration = registry.get_sample_value("drift_report_duration_seconds", {"model_version": "v1"})
    assert duration == summary.duration_seconds > 0


def rows(**columns: Any) -> ReportRows:
    length = len(next(iter(columns.values())))
    some = [{name: values[index] for name, values in columns.items()} for index in range(length)]
    return ReportRows(length, some, some)


def specs(*names: str) -> list[FieldSpec]:
    return [FieldSpec(name, "category" if name.startswith("c") else "number", "request") for name in names]


def test_fields_that_cannot_be_compared_are_left_out_and_named() -> None:
    names = specs("n_alike", "c_alike", "n_gone", "c_gone", "n_new", "n_single", "n", "c")
    varied = {"n": [float(index % 7) for index in range(200)], "c": ["a", "é", None, "b"] * 50}
    some = {"n_gone": [1.0, 2.0] * 100, "c_gone": ["a", "b"] * 100}
    none = {"n_gone": [float("nan"), None] * 100, "c_gone": [None] * 200}
    alike = {"n_alike": [3] * 200, "c_alike": ["x"] * 200}
    now = rows(**varied, **none, **alike, n_new=[1.0, 2.0] * 100, n_single=[5.0] * 200)
    before = rows(**varied, **some, **alike, n_new=[None] * 200, n_single=[4.0, float("inf")] * 100)
    made = run_evidently(names, now, before)
    assert made.left_out == {
        "n_alike": "always 3.0",
        "c_alike": "always x",
        "n_gone": "missing in all rows of the window",
        "c_gone": "missing in all rows of the window",
        "n_new": "missing in all rows of the reference",
    }
    assert set(made.scores) == {"n_single", "n", "c"}
    assert [made.scores[name].is_drift for name in ("n_single", "n", "c")] == [True, False, False]
    assert "NaN" not in made.json


def test_where_nothing_can_be_compared_it_is_told() -> None:
    alike = rows(n=[1] * 100)
    with pytest.raises(InsufficientDataError, match="All fields are constant or missing"):
        run_evidently(specs("n"), alike, alike)


@pytest.mark.parametrize(
    ("version", "window", "message"),
    [
        ("v1", (MINUTE + 600, MINUTE + 900), "v1 has made 99 predictions in the window; a report takes 100."),
        ("v1", (0.0, 300.0), "v1 has made 0 predictions in the window; a report takes 100."),
        ("v2", WINDOW, "v2 has made 0 predictions in the window; a report takes 100."),
    ],
)
def test_too_few_rows_are_told(
    log: PredictionLog, tmp_path: Path, version: str, window: tuple[float, float], message: str
) -> None:
    with pytest.raises(InsufficientDataError, match=f"^{re.escape(message)}$"):
        Reporter(log.engine, ReportFolder(tmp_path), made_up).write(version, *window)
    assert list(tmp_path.iterdir()) == []


def test_a_reference_whose_rows_are_gone_is_told(log: PredictionLog, tmp_path: Path) -> None:
    with pytest.raises(InsufficientDataError, match=r"^Only 0 of the 2,000 rows of the reference of v1 are left"):
        Reporter(log.engine, ReportFolder(tmp_path), lambda reference, most: ReportRows(0, [], [])).write("v1", *WINDOW)


def test_without_evidently_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidently_report, "find_spec", lambda name: None)
    with pytest.raises(EvidentlyMissingError, match="`make reports-env` installs it"):
        run_evidently(specs("n"), rows(n=[1, 2]), rows(n=[1, 2]))
