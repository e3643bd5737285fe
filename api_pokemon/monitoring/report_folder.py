"""Where drift reports are kept: a folder for each, which is there as a whole or not at all.

::

    reports/
        0190f5b6-7c0e-7abc-8def-0123456789ab/   named by an id that no other report has, and that sorts by time
            report.html  report.json            by Evidently
            summary.json                        what was compared with what, and both verdicts
        .0190f5b7-…                             one that is being written, or removed
"""

import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from api_pokemon.monitoring.errors import InvalidIdError
from api_pokemon.monitoring.ids import made_at_seconds, parse_id
from api_pokemon.monitoring.report_summary import ReportSummary

Format: TypeAlias = Literal["html", "json"]

_SUMMARY = "summary.json"
_ABANDONED_SECONDS = 3600.0
"""Far longer than a report takes to be written: what is older was left behind by a process that was killed."""


class ReportFolder:
    """Drift reports in a folder, which several processes may read and write.

    Every method raises `OSError` where the folder cannot be read, or written; one that does not exist holds nothing.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(self, summary: ReportSummary, html: str, json: str) -> Path:
        """Keep a report and return its folder. If that fails or is interrupted, nothing of it stays."""
        draft = self.path / f".{summary.report_id}"
        draft.mkdir(parents=True)
        try:
            (draft / "report.html").write_text(html, encoding="utf-8")
            (draft / "report.json").write_text(json, encoding="utf-8")
            (draft / _SUMMARY).write_bytes(msgspec.json.encode(summary))
            return draft.rename(self.path / summary.report_id)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def summaries(self, most: int | None = None) -> list[ReportSummary]:
        """The summaries of the latest reports, or of all, the latest first."""
        found = (self.find(report_id) for report_id in self._ids()[:most])
        return [summary for summary in found if summary is not None]

    def find(self, report_id: str) -> ReportSummary | None:
        """The summary of a report, None where there is none, or it is of another version of this service."""
        try:
            path = self._of(report_id) / _SUMMARY
            return msgspec.json.decode(path.read_bytes(), type=ReportSummary) if self._holds(path) else None
        except (FileNotFoundError, NotADirectoryError, InvalidIdError, msgspec.DecodeError):
            return None

    def file(self, report_id: str, format_: Format) -> Path | None:
        """The file of a report, None where there is none."""
        try:
            path = self._of(report_id) / f"report.{format_}"
        except InvalidIdError:
            return None
        return path if path.is_file() and self._holds(path) else None

    def tidy(self, *, keep: int | None, keep_seconds: float | None) -> int:
        """Remove reports beyond the last ones and the youngest, and what was left behind half-written.

        Returns
        -------
        int
            How many reports went.
        """
        now_seconds = time.time()
        ids = self._ids()
        oldest = -1.0 if keep_seconds is None else now_seconds - keep_seconds
        kept = {report_id for report_id in ids[:keep] if made_at_seconds(report_id) >= oldest}
        gone = [report_id for report_id in ids if report_id not in kept]
        for report_id in gone:
            with suppress(FileNotFoundError):  # another worker removes old ones too
                self._of(report_id).rename(self.path / f".{report_id}")
            shutil.rmtree(self.path / f".{report_id}", ignore_errors=True)
        for draft in self._drafts():
            if made_at_seconds(draft.name[1:]) < now_seconds - _ABANDONED_SECONDS:
                shutil.rmtree(draft, ignore_errors=True)
        return len(gone)

    def _holds(self, path: Path) -> bool:
        """Whether a file is in this folder once all links are followed: none leads what is shown out of it."""
        return path.resolve().is_relative_to(self.path.resolve())

    def _of(self, report_id: str) -> Path:
        return self.path / parse_id(report_id)

    def _ids(self) -> list[str]:
        """The latest first."""
        return sorted((path.name for path in self._paths() if _is_id(path.name)), reverse=True)

    def _drafts(self) -> list[Path]:
        return [path for path in self._paths() if path.name.startswith(".") and _is_id(path.name[1:])]

    def _paths(self) -> list[Path]:
        try:
            return list(self.path.iterdir())
        except FileNotFoundError:
            return []


def _is_id(name: str) -> bool:
    try:
        return parse_id(name) == name
    except InvalidIdError:
        return False
