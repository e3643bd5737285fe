"""What was predicted, and how it ended: GET /predictions, GET /predictions/{prediction_id}, POST …/outcome."""

from typing import Annotated, Any
from urllib.parse import urlencode

from annotated_types import Interval
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BeforeValidator, TypeAdapter, WithJsonSchema
from pydantic_core import PydanticCustomError

from api_pokemon.dex import Dex
from api_pokemon.model.monitored_rows import LOOKED_UP
from api_pokemon.monitoring import InvalidIdError, parse_id
from api_pokemon.routes.dex_route import DIGITS
from api_pokemon.routes.documentation import operation_id, problems
from api_pokemon.routes.json_route import JsonRoute
from api_pokemon.routes.keys import KeyGuard
from api_pokemon.routes.languages import CallerLanguage
from api_pokemon.routes.logged_answers import LoggedAnswers, write_outcome
from api_pokemon.routes.lookups import Lookups, Wanted, outcome_of
from api_pokemon.routes.problems import AT_THE_DOOR, Kind, ProblemError
from api_pokemon.routes.schemas import (
    NO_CONTROL_CHARACTERS,
    LoggedPage,
    LoggedPrediction,
    OutcomeReport,
    PendingPrediction,
    RecordedOutcome,
)
from api_pokemon.routes.times import UNIX_SECONDS, parse_time

MOST_LOGGED = 200
"""On one page."""

_WINNER_OF_A = "A"


def _id(value: str) -> str:
    try:
        return parse_id(value)
    except InvalidIdError as error:
        raise PydanticCustomError("prediction_id", "no prediction id") from error


def _seconds(value: object) -> object:
    try:
        return parse_time(value) if isinstance(value, str) else value
    except ValueError as error:
        raise PydanticCustomError("time", "no time") from error


_ID_SCHEMA = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-7[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$",
}
_TIME_SCHEMA = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "date"},
        {"type": "string", "pattern": UNIX_SECONDS},
    ]
}

PredictionId = Annotated[
    str,
    Path(description="As the answer to the prediction told it."),
    AfterValidator(_id),
    WithJsonSchema(_ID_SCHEMA),
]
Cursor = Annotated[
    str | None,
    AfterValidator(lambda value: None if value is None else _id(value)),
    Query(description="Go on behind this prediction: `next_cursor` of the page before."),
    WithJsonSchema(_ID_SCHEMA),
]
Time = Annotated[float | None, BeforeValidator(_seconds), WithJsonSchema(_TIME_SCHEMA)]
Since = Annotated[
    Time, Query(description="Made at this time or later: ISO 8601 (UTC without an offset), or Unix seconds.")
]
Until = Annotated[Time, Query(description="Made before this time.")]
Name = Annotated[str, Query(min_length=1, max_length=64, pattern=NO_CONTROL_CHARACTERS)]
Limit = Annotated[int, Interval(ge=1, le=MOST_LOGGED), DIGITS, Query(description="The most items to answer with.")]


def predictions_routes(lookups: Lookups, dex: Dex, predict: KeyGuard, admin: KeyGuard) -> APIRouter:
    """The routes about what is on record.

    Parameters
    ----------
    lookups
        Finds it, and takes outcomes in.
    dex
        Knows names.
    predict, admin
        Who may look up one prediction and tell its outcome, and who may list them all.
    """
    router = APIRouter(generate_unique_id_function=operation_id, tags=["predictions"])
    fast = APIRouter(generate_unique_id_function=operation_id, tags=["predictions"], route_class=JsonRoute)
    answers = LoggedAnswers(dex)

    @router.get(
        "/predictions",
        summary="What was predicted",
        dependencies=[Depends(admin)],
        responses=problems(
            *AT_THE_DOOR,
            *(Kind.KEY_NEEDED, Kind.KEY_NOT_ENOUGH, Kind.UNKNOWN_ID, Kind.UNKNOWN_NAME, Kind.INVALID),
            Kind.LOG_UNAVAILABLE,
        ),
    )
    async def list_predictions(
        request: Request,
        language: CallerLanguage,
        since: Since = None,
        until: Until = None,
        model_version: Annotated[Name | None, Query(description="Answered by this model version.")] = None,
        pokemon: Annotated[
            Name | None, Query(description="With this Pokémon on either side, by id, name or slug.")
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> LoggedPage:
        """Lists logged predictions, the newest first.

        Pages go on behind their last item, so that what is predicted meanwhile shifts none of them: follow `next`. A
        prediction is here once a worker has logged it, as a rule within a second.
        """
        any_field = {} if pokemon is None else dict.fromkeys(LOOKED_UP, _slug(dex, pokemon))
        wanted = Wanted(cursor, since, until, model_version, any_field)
        found = await lookups.page(limit + 1, wanted)
        items = tuple(answers.prediction(logged, outcome_of(logged), language) for logged in found[:limit])
        following = items[-1].prediction_id if len(found) > limit else None
        return LoggedPage(items, following, following and _next(request, following))

    @router.get(
        "/predictions/{prediction_id}",
        summary="One prediction, and how it ended",
        dependencies=[Depends(predict)],
        response_model=LoggedPrediction,
        responses={
            202: {"model": PendingPrediction, "description": "It is recorded, and not in the log yet: ask again."},
            **problems(*AT_THE_DOOR, Kind.KEY_NEEDED, Kind.UNKNOWN_PREDICTION, Kind.INVALID, Kind.LOG_UNAVAILABLE),
        },
    )
    async def get_prediction(language: CallerLanguage, prediction_id: PredictionId) -> LoggedPrediction | Response:
        """Tells what was asked, what was answered and, once it was reported, who won."""
        found = await lookups.find(prediction_id)
        if found is None:
            raise _unknown(prediction_id)
        if found.logged is None:
            return _pending(prediction_id)
        return answers.prediction(found.logged, found.outcome, language)

    @fast.post(
        "/predictions/{prediction_id}/outcome",
        summary="How a predicted duel really ended",
        dependencies=[Depends(predict)],
        responses=problems(
            *AT_THE_DOOR,
            Kind.TOO_SLOW,
            *(Kind.KEY_NEEDED, Kind.UNKNOWN_PREDICTION, Kind.OUTCOME_CONTRADICTS, Kind.TOO_LARGE, Kind.NOT_JSON),
            *(Kind.MALFORMED, Kind.INVALID, Kind.NOT_RECORDED, Kind.LOG_UNAVAILABLE),
        ),
    )
    async def report_outcome(
        request: Request, report: OutcomeReport, language: CallerLanguage, prediction_id: PredictionId
    ) -> RecordedOutcome:
        """Records who won, months later if need be, given that A used the recommended move.

        The same report again changes nothing and is answered alike. The other winner is refused: what was reported
        first stays.
        """
        prediction_id = _checked(prediction_id)
        known = await lookups.report(prediction_id, happened=report.winner == _WINNER_OF_A)
        if known is None:
            raise _unknown(prediction_id)
        outcome = write_outcome(known)
        if outcome.winner != report.winner:
            raise ProblemError(
                Kind.OUTCOME_CONTRADICTS,
                f"That {outcome.winner} won is on record since {outcome.reported_at:%Y-%m-%dT%H:%M:%SZ}; "
                f"{report.winner} cannot have won, too.",
            )
        return outcome

    router.routes.extend(fast.routes)
    return router


def _slug(dex: Dex, pokemon: str) -> str:
    is_id = pokemon.isascii() and pokemon.isdecimal()
    return (dex.form(int(pokemon)) if is_id else dex.find_form(pokemon)).slug


def _next(request: Request, cursor: str) -> str:
    filters = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"{request.scope['path']}?{urlencode([*filters, ('cursor', cursor)])}"


def _checked(prediction_id: str) -> str:
    """The id as FastAPI checks it elsewhere; `JsonRoute` hands over what stands in the path."""
    try:
        return parse_id(prediction_id)
    except InvalidIdError as error:
        where: dict[str, Any] = {"type": "prediction_id", "loc": ("path", "prediction_id"), "input": prediction_id}
        raise RequestValidationError([where]) from error


_PENDING = TypeAdapter(PendingPrediction)


def _pending(prediction_id: str) -> Response:
    return Response(
        _PENDING.dump_json(PendingPrediction(prediction_id, "pending")),
        status_code=202,
        media_type="application/json",
        headers={"Retry-After": "1"},
    )


def _unknown(prediction_id: str) -> ProblemError:
    return ProblemError(
        Kind.UNKNOWN_PREDICTION,
        f"No prediction {prediction_id} is on record. {Kind.UNKNOWN_PREDICTION.remedy}",
    )
