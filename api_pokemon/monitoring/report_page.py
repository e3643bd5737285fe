"""What a report's page says above Evidently's: what was compared with what, and our verdict."""

from datetime import UTC, datetime
from html import escape

from api_pokemon.monitoring.report_summary import FieldSummary, ReportSummary

_STYLE = "font-family: sans-serif; padding: 1em 2em; line-height: 1.5"
_REFERENCES = {
    "uniform": "made-up traffic, the provisional reference",
    "window": "a stretch of production",
    "carried": "a stretch of production, answered again",
}


def with_heading(html: str, summary: ReportSummary) -> str:
    """Give Evidently's page a title and a heading."""
    title = escape(f"Drift of {summary.model_version}")
    heading = f'<header style="{_STYLE}"><h1>{title}</h1>{"".join(map(_paragraph, _sentences(summary)))}</header>'
    titled = html.replace("</head>", f"<title>{title}</title></head>", 1)
    return titled.replace("<body>", f"<body>{heading}", 1)


def _sentences(summary: ReportSummary) -> tuple[str, ...]:
    window = f"{_time(summary.from_seconds)} to {_time(summary.to_seconds)} UTC"
    drifting = [field for field in summary.fields if field.verdict == "drift"]
    drifting.sort(key=lambda field: max(field.noise, field.threshold) / field.statistic)
    verdict = f"drift: {', '.join(map(_score, drifting))}" if drifting else summary.verdict
    sampled = f"{summary.sampled_rows:,} and {summary.sampled_reference_rows:,}"
    left_out = [f"{field.name} ({field.left_out})" for field in summary.fields if field.left_out]
    return (
        f"{summary.rows:,} predictions from {window}, against {summary.reference_rows:,} rows of "
        f"{_REFERENCES[summary.reference_kind]}.",
        f"By the profiles of all of them, {verdict}.",
        f"Below is what Evidently says of {sampled} of these rows.",
        *([f"It was not asked about {', '.join(left_out)}."] if left_out else []),
    )


def _score(field: FieldSummary) -> str:
    """
    >>> _score(FieldSummary("size", "number", "request", 0.3124, 0.08, 0.1, "drift"))
    'size 0.312 (limit 0.100)'
    """
    return f"{field.name} {field.statistic:.3f} (limit {max(field.noise, field.threshold):.3f})"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
