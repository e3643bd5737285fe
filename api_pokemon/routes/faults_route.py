"""Faults on purpose: GET /faults, PUT and DELETE /faults/{fault}."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api_pokemon.errors import FaultLevelError, ImpossibleFaultError, UnknownFaultError
from api_pokemon.faults import Faults, FaultStatus
from api_pokemon.routes.documentation import operation_id, problems
from api_pokemon.routes.keys import KeyGuard
from api_pokemon.routes.problems import Kind, ProblemError
from api_pokemon.routes.schemas import NO_CONTROL_CHARACTERS
from api_pokemon.routes.validation import FieldError

LONGEST_SECONDS = 600
"""For which a fault may be caused without asking again."""

Name = Annotated[
    str, Path(max_length=64, pattern=NO_CONTROL_CHARACTERS, description="As GET /faults has it, such as slow-handler.")
]
Seconds = Annotated[
    float,
    Query(ge=1, le=LONGEST_SECONDS, description="It ends by itself after this time, whatever becomes of who asked."),
]
Strength = Annotated[float | None, Query(description="How strong, in the fault's unit; without it, its default.")]

_ADMIN = (Kind.KEY_NEEDED, Kind.KEY_NOT_ENOUGH, Kind.FAULTS_NOT_ALLOWED)


@dataclass(frozen=True, slots=True)
class FaultList:
    """The faults that this process can be given, and which of them are on."""

    faults: tuple[FaultStatus, ...]


def faults_routes(faults: Faults | None, admin: KeyGuard) -> APIRouter:
    """The routes that break the service on purpose.

    Parameters
    ----------
    faults
        Of this process; None where the settings do not allow any.
    admin
        Who may.
    """
    router = APIRouter(generate_unique_id_function=operation_id, tags=["operation"], dependencies=[Depends(admin)])

    def allowed() -> Faults:
        if faults is None:
            raise ProblemError(
                Kind.FAULTS_NOT_ALLOWED, f"This service lets nobody break it. {Kind.FAULTS_NOT_ALLOWED.remedy}"
            )
        return faults

    @router.get("/faults", summary="Faults on purpose, and which are on", responses=problems(*_ADMIN))
    async def list_faults() -> FaultList:
        """Lists what `api-pokemon drill` can make go wrong in this process, so that alerts are seen to fire."""
        return FaultList(tuple(allowed().statuses()))

    @router.put(
        "/faults/{fault}",
        summary="Cause a fault for a time",
        responses=problems(*_ADMIN, Kind.UNKNOWN_FAULT, Kind.FAULT_IMPOSSIBLE, Kind.INVALID),
    )
    async def cause_fault(fault: Name, seconds: Seconds = 60, level: Strength = None) -> FaultStatus:
        """Causes a fault in this process, or lets one that is on go on for so long from now.

        Callers do notice. Only where the setting `API_POKEMON_FAULTS` allows it.
        """
        try:
            return await asyncio.to_thread(allowed().cause, fault, seconds=seconds, level=level)
        except UnknownFaultError as error:
            raise _unknown(error) from error
        except FaultLevelError as error:
            raise ProblemError(
                Kind.INVALID, str(error), errors=(FieldError(detail=str(error), parameter="level"),)
            ) from error
        except ImpossibleFaultError as error:
            raise ProblemError(Kind.FAULT_IMPOSSIBLE, str(error)) from error

    @router.delete(
        "/faults/{fault}", summary="End a fault", responses=problems(*_ADMIN, Kind.UNKNOWN_FAULT, Kind.INVALID)
    )
    async def end_fault(fault: Name) -> FaultStatus:
        """Ends a fault before its time is over; one that is not on stays so."""
        try:
            return await asyncio.to_thread(allowed().lift, fault)
        except UnknownFaultError as error:
            raise _unknown(error) from error

    return router


def _unknown(error: UnknownFaultError) -> ProblemError:
    return ProblemError(Kind.UNKNOWN_FAULT, str(error))
