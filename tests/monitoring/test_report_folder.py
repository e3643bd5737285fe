"""Reports are there as a whole or not at all, and go in time."""

from pathlib import Path

import msgspec
import pytest

from api_pokemon.monitoring import new_id
from api_pokemon.monitoring.report_folder import ReportFolder
from api_pokemon.monitoring.report_summary import FieldSummary, ReportSummary
from tests.monitoring.disks import small_disk

FIELD = FieldSummary("size", "number", "request", 0.3, 0.1, 0.1, "drift", 0.31, "Wasserstein distance", 0.1, True)
DAY_SECONDS = 86_400.0


def summary(age_seconds: float = 0.0) -> ReportSummary:
    new = new_id()
    time = f"{int(new.replace('-', '')[:12], 16) - round(age_seconds * 1000):012x}"
    report_id = f"{time[:8]}-{time[8:]}{new[13:]}"
    window = ("v1", 60.0, 120.0, 500, 400)
    return ReportSummary(report_id, *window, new_id(), "uniform", 2000, 2000, "drift", 12.5, (FIELD,))


@pytest.fixture
def folder(tmp_path: Path) -> ReportFolder:
    return ReportFolder(tmp_path / "reports")


def test_before_the_first_report_there_is_none(folder: ReportFolder) -> None:
    assert folder.summaries() == []
    assert folder.find(new_id()) is None
    assert folder.tidy(keep=1, keep_seconds=1.0) == 0
    assert not folder.path.exists()


def test_what_was_kept_is_found(folder: ReportFolder) -> None:
    first, second = summary(), summary()
    for kept in (first, second):
        folder.keep(kept, "<p>été</p>", "{}")
    assert folder.summaries() == [second, first]
    assert folder.summaries(1) == [second]
    assert folder.find(first.report_id) == first
    html, json = folder.file(first.report_id, "html"), folder.file(first.report_id, "json")
    assert html is not None
    assert json is not None
    assert html.read_text("utf-8") == "<p>été</p>"
    assert json.read_text("utf-8") == "{}"
    assert sorted(path.name for path in folder.path.iterdir()) == sorted([first.report_id, second.report_id])


@pytest.mark.parametrize(
    "report_id", ["", "..", "../reports", "/etc", "summary.json", "\0", "0190f5b6-7c0e-7abc-8def-0123456789ab/.."]
)
def test_only_ids_are_looked_up(folder: ReportFolder, report_id: str) -> None:
    folder.keep(summary(), "", "")
    assert folder.find(report_id) is None
    assert folder.file(report_id, "html") is None


def test_an_id_in_capitals_is_the_same(folder: ReportFolder) -> None:
    kept = summary()
    folder.keep(kept, "", "")
    assert folder.find(kept.report_id.upper()) == kept


def test_a_summary_that_cannot_be_read_hides_no_other(folder: ReportFolder) -> None:
    first, second = summary(), summary()
    for kept in (first, second):
        (folder.keep(kept, "", "") / "summary.json").write_bytes(msgspec.json.encode(kept))
    (folder.path / second.report_id / "summary.json").write_text('{"report_id"')
    assert folder.summaries() == [first]


def test_the_last_ones_stay(folder: ReportFolder) -> None:
    kept = [summary() for _ in range(5)]
    for item in kept:
        folder.keep(item, "", "")
    assert folder.tidy(keep=2, keep_seconds=None) == 3
    assert folder.summaries() == [kept[4], kept[3]]
    assert folder.tidy(keep=None, keep_seconds=None) == 0


def test_old_ones_go(folder: ReportFolder) -> None:
    old, young = summary(age_seconds=3 * DAY_SECONDS), summary(age_seconds=DAY_SECONDS)
    folder.keep(old, "", "")
    folder.keep(young, "", "")
    assert folder.tidy(keep=None, keep_seconds=2 * DAY_SECONDS) == 1
    assert folder.summaries() == [young]
    assert [path.name for path in folder.path.iterdir()] == [young.report_id]


def test_what_a_killed_process_left_behind_goes_and_what_is_being_written_stays(folder: ReportFolder) -> None:
    abandoned, present = summary(age_seconds=2 * 3600.0), summary()
    for draft in (abandoned, present):
        (folder.path / f".{draft.report_id}").mkdir(parents=True)
        (folder.path / f".{draft.report_id}" / "report.html").write_text("<p>ha")
    (folder.path / ".note").touch()
    assert folder.summaries() == []
    assert folder.tidy(keep=None, keep_seconds=None) == 0
    assert {path.name for path in folder.path.iterdir()} == {".note", f".{present.report_id}"}


def test_a_full_disk_leaves_nothing_of_a_report(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 256 << 10) as disk:
        folder = ReportFolder(disk.folder / "reports")
        folder.keep(first := summary(), "small", "{}")
        with pytest.raises(OSError, match="No space left on device"):
            folder.keep(summary(), "x" * (512 << 10), "{}")
        assert folder.summaries() == [first]
        assert [path.name for path in folder.path.iterdir()] == [first.report_id]
