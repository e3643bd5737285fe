"""The game's facts: GET /pokemon, /moves and /types."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from annotated_types import Interval
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BeforeValidator
from pydantic_core import PydanticKnownError

from api_pokemon.dex import Dex
from api_pokemon.routes.dex_answers import DexAnswers
from api_pokemon.routes.documentation import operation_id, problems
from api_pokemon.routes.languages import LANGUAGES, CallerLanguage
from api_pokemon.routes.problems import AT_THE_DOOR, Kind
from api_pokemon.routes.schemas import (
    LARGEST_ID,
    NO_CONTROL_CHARACTERS,
    Move,
    MoveSummary,
    Page,
    Pokemon,
    PokemonSummary,
    TypeChart,
)

T = TypeVar("T")
S = TypeVar("S")

_MOST_ITEMS = 250  # all of anything


def _digits(value: object) -> object:
    """Take whole numbers as people write them; pydantic alone would also take "1.0", " 1" and "1_000"."""
    if isinstance(value, str) and not (value.isascii() and value.removeprefix("-").isdecimal()):
        raise PydanticKnownError("int_parsing")
    return value


DIGITS = BeforeValidator(_digits)
"""Behind the bounds of a number, which the OpenAPI document would not tell if they stood behind it."""

PathId = Annotated[int, Interval(ge=1, le=LARGEST_ID), DIGITS, Path(description="As the list has it.")]
Search = Annotated[
    str,
    Query(
        max_length=64,
        pattern=NO_CONTROL_CHARACTERS,
        description="A part of a name in any language; case, accents and spaces do not matter.",
    ),
]
Limit = Annotated[int, Interval(ge=1, le=_MOST_ITEMS), DIGITS, Query(description="The most items to answer with.")]
Offset = Annotated[int, Interval(ge=0, le=LARGEST_ID), DIGITS, Query(description="How many items to leave out first.")]


def _page(found: Sequence[T], limit: int, offset: int, write: Callable[[T], S]) -> Page[S]:
    return Page(total=len(found), limit=limit, offset=offset, items=tuple(map(write, found[offset : offset + limit])))


def _lasting(response: Response) -> None:
    """Facts of a finished game change with a release at most, so a client may keep them for an hour."""
    response.headers["Cache-Control"] = "public, max-age=3600"


def dex_routes(dex: Dex) -> APIRouter:
    """The routes that tell the game's facts."""
    router = APIRouter(generate_unique_id_function=operation_id, tags=["game"], dependencies=[Depends(_lasting)])
    answers = {language: DexAnswers(dex, language) for language in LANGUAGES}

    @router.get("/pokemon", summary="All Pokémon", responses=problems(*AT_THE_DOOR, Kind.INVALID))
    async def list_pokemon(
        language: CallerLanguage, search: Search = "", limit: Limit = 50, offset: Offset = 0
    ) -> Page[PokemonSummary]:
        """Lists the 188 Pokémon, ascending by id, or those with a name that contains `search`."""
        return _page(dex.search_forms(search), limit, offset, answers[language].pokemon_summary)

    @router.get(
        "/pokemon/{pokemon_id}", summary="One Pokémon", responses=problems(*AT_THE_DOOR, Kind.UNKNOWN_ID, Kind.INVALID)
    )
    async def get_pokemon(language: CallerLanguage, pokemon_id: PathId) -> Pokemon:
        """Tells a Pokémon's types and stats, every move that it can learn, and what it is weak and strong against."""
        return answers[language].pokemon(dex.form(pokemon_id))

    @router.get("/moves", summary="All moves", responses=problems(*AT_THE_DOOR, Kind.INVALID))
    async def list_moves(
        language: CallerLanguage, search: Search = "", limit: Limit = 50, offset: Offset = 0
    ) -> Page[MoveSummary]:
        """Lists the moves, ascending by id, or those with a name that contains `search`."""
        return _page(dex.search_moves(search), limit, offset, answers[language].move_summary)

    @router.get("/moves/{move_id}", summary="One move", responses=problems(*AT_THE_DOOR, Kind.UNKNOWN_ID, Kind.INVALID))
    async def get_move(language: CallerLanguage, move_id: PathId) -> Move:
        """Tells what a move is, and which Pokémon can learn it."""
        return answers[language].move(dex.move(move_id))

    @router.get("/types", summary="The type chart", responses=problems(*AT_THE_DOOR))
    async def get_types(language: CallerLanguage) -> TypeChart:
        """Tells what each of the 18 types does to each other one."""
        return answers[language].type_chart()

    return router
