"""Drift: GET /drift/status, GET /drift/history, GET and POST /drift/reports, GET /drift/reports/{report_id}."""

from typing import Annotated, Any

from annotated_types import Interval
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api_pokemon.routes.dex_route import DIGITS
from api_pokemon.routes.documentation import operation_id, problems
from api_pokemon.routes.drift_answers import write_check, write_report, write_report_in_short, write_status
from api_pokemon.routes.drift_lookups import DriftLookups
from api_pokemon.routes.drift_schemas import DriftHistory, DriftStatus, QueuedReport, Report, ReportList
from api_pokemon.routes.echo import shorten
from api_pokemon.routes.keys import KeyGuard
from api_pokemon.routes.problems import AT_THE_DOOR, Kind, ProblemError
from api_pokemon.routes.schemas import NO_CONTROL_CHARACTERS

MOST_CHECKS = 500
MOST_REPORTS = 200

_HTML, _JSON = ".html", ".json"
_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Evidently's scripts draw, and do nothing else: they have no origin, so no keys, and can ask nobody for anything."""

Version = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=64,
        pattern=NO_CONTROL_CHARACTERS,
        description="Of this model version; by default those of the latest check.",
    ),
]
ReportName = Annotated[
    str,
    Path(
        description="The id of a report. With `.html` or `.json` behind it, that is what comes, whatever is accepted."
    ),
]


def drift_routes(lookups: DriftLookups, admin: KeyGuard) -> APIRouter:
    """The routes about drift.

    Parameters
    ----------
    lookups
        Finds what is known.
    admin
        Who may see it: what it shows is made of the requests of all callers.
    """
    router = APIRouter(generate_unique_id_function=operation_id, tags=["drift"], dependencies=[Depends(admin)])
    keys = (*AT_THE_DOOR, Kind.KEY_NEEDED, Kind.KEY_NOT_ENOUGH)

    @router.get("/drift/status", summary="Is there drift?", responses=problems(*keys, Kind.LOG_UNAVAILABLE))
    async def get_drift_status() -> DriftStatus:
        """Tells what the worker's latest check has found: each model version and field, the window, the reference.

        A group of fields drifts where a field exceeds both what chance does and what matters; it is `is_detected`, and
        there is an alert, where the window before drifts, too.
        """
        return write_status(await lookups.known(), lookups.periods)

    @router.get(
        "/drift/history", summary="Earlier checks", responses=problems(*keys, Kind.INVALID, Kind.LOG_UNAVAILABLE)
    )
    async def get_drift_history(
        model_version: Version = None,
        limit: Annotated[
            int, Interval(ge=1, le=MOST_CHECKS), DIGITS, Query(description="The most checks to answer with.")
        ] = 100,
    ) -> DriftHistory:
        """Lists the last checks, the latest first. They are kept for 90 days."""
        return DriftHistory(tuple(map(write_check, await lookups.history(limit, model_version))))

    @router.get(
        "/drift/reports", summary="Drift reports", responses=problems(*keys, Kind.INVALID, Kind.LOG_UNAVAILABLE)
    )
    async def list_drift_reports(
        limit: Annotated[
            int, Interval(ge=1, le=MOST_REPORTS), DIGITS, Query(description="The most reports to answer with.")
        ] = 50,
    ) -> ReportList:
        """Lists the reports that are kept, the latest first: our verdicts beside those of Evidently."""
        return ReportList(tuple(map(write_report_in_short, await lookups.reports(limit))))

    @router.post(
        "/drift/reports",
        status_code=202,
        summary="Ask for a drift report",
        responses=problems(*keys, Kind.LOG_UNAVAILABLE),
    )
    async def request_drift_report() -> QueuedReport:
        """Asks the worker for a report on the latest window of each model version, beside those by the clock.

        It is begun once a worker is free. `last_report_job` of GET /drift/status tells what became
        of it, GET /drift/reports has it when it is there. Who asks again before it has begun gets the same job.
        """
        return QueuedReport(await lookups.ask_for_report(), "queued")

    @router.get(
        "/drift/reports/{report_id}",
        summary="One drift report, as a page or as numbers",
        response_model=Report,
        responses={
            200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "As it is accepted."},
            **problems(*keys, Kind.UNKNOWN_REPORT, Kind.LOG_UNAVAILABLE),
        },
    )
    async def get_drift_report(request: Request, report_id: ReportName) -> Any:
        """Shows Evidently's page to whoever accepts `text/html`, as browsers do, and its numbers to all others."""
        bare = report_id.removesuffix(_HTML).removesuffix(_JSON)
        if report_id.endswith(_HTML) or (bare == report_id and "text/html" in request.headers.get("Accept", "")):
            page = await lookups.page(bare)
            if page is not None:
                return Response(page, media_type="text/html", headers={**_VARIES, "Content-Security-Policy": _POLICY})
        else:
            found = await lookups.report(bare)
            if found is not None:
                return write_report(*found)
        raise ProblemError(
            Kind.UNKNOWN_REPORT, f"There is no drift report {shorten(report_id)}. {Kind.UNKNOWN_REPORT.remedy}"
        )

    return router


_VARIES = {"Vary": "Accept"}
