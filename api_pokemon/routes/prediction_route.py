"""POST /predict/best-move, for one duel and for many."""

import asyncio
from collections.abc import Awaitable, MutableMapping
from time import perf_counter
from typing import Any, Protocol

from fastapi import APIRouter, Depends, Request

from api_pokemon.monitoring import Prediction
from api_pokemon.routes.best_moves import BestMoves, Started
from api_pokemon.routes.documentation import operation_id, problems
from api_pokemon.routes.json_route import JsonRoute
from api_pokemon.routes.keys import KeyGuard
from api_pokemon.routes.languages import CallerLanguage
from api_pokemon.routes.problems import AT_THE_DOOR, CALLERS_FAULT, Kind, from_error
from api_pokemon.routes.schemas import BatchItem, BestMove, BestMoveBatch, Duel, DuelBatch

_TURN_SECONDS = 0.001
"""For which duels of a batch are answered until others are let in: a batch may take 20 ms, or far more without a
tablebase."""


_TOGETHER = 12
"""Duels of a batch that wait for inference together: about as many as one run of it answers. So other callers' are in
the next run, whatever the size of the batch."""


class Record(Protocol):
    """Keeps predictions and counts them, or raises `NotRecordedError`; takes the ASGI scope of the request first."""

    def __call__(self, scope: MutableMapping[str, Any], /, *predictions: Prediction) -> Awaitable[None]: ...


_BODY = (*AT_THE_DOOR, Kind.TOO_SLOW, Kind.KEY_NEEDED, Kind.TOO_LARGE, Kind.NOT_JSON, Kind.MALFORMED, Kind.INVALID)
_DUEL = (Kind.UNKNOWN_ID, Kind.UNKNOWN_NAME, Kind.NO_DAMAGING_MOVE)


def prediction_routes(best_moves: BestMoves, record: Record, guard: KeyGuard) -> APIRouter:
    """The routes that predict.

    Parameters
    ----------
    best_moves
        Predicts.
    record
        Awaited before a prediction is answered.
    guard
        Who may ask.
    """
    router = APIRouter(
        generate_unique_id_function=operation_id,
        route_class=JsonRoute,
        tags=["predictions"],
        dependencies=[Depends(guard)],
    )

    @router.post(
        "/predict/best-move", summary="The best move of one duel", responses=problems(*_BODY, *_DUEL, Kind.NOT_RECORDED)
    )
    async def predict_best_move(request: Request, duel: Duel, language: CallerLanguage) -> BestMove:
        """Ranks A's moves by the chance to win the duel with each of them, and recommends the first.

        A and B are at level 50 with equal training, no items and no abilities; each uses one move every turn until
        one of them faints. A move given twice counts once. Where the body repeats a field, the last one counts.
        """
        prediction, answer = await best_moves.finish(best_moves.begin(duel), language)
        await record(request.scope, prediction)
        return answer

    @router.post(
        "/predict/best-move/batch",
        summary="The best moves of many duels",
        responses=problems(*_BODY, Kind.NOT_RECORDED),
    )
    async def predict_best_moves(request: Request, batch: DuelBatch, language: CallerLanguage) -> BestMoveBatch:
        """Answers each of up to 256 duels, in at most 64 kB, as POST /predict/best-move would.

        A duel that cannot be asked about (an unknown id or name, no damaging move) has its problem in its place among
        the results, and the others are answered. A body of the wrong shape is refused as a whole.
        """
        predictions: list[Prediction] = []
        results: list[BatchItem] = []
        turn_ends = perf_counter() + _TURN_SECONDS
        for first in range(0, len(batch.duels), _TOGETHER):
            portion = batch.duels[first : first + _TOGETHER]
            for started in [_started(best_moves, duel, request) for duel in portion]:
                if isinstance(started, BatchItem):
                    results.append(started)
                    continue
                prediction, answer = await best_moves.finish(started, language)
                predictions.append(prediction)
                results.append(BatchItem(200, prediction=answer))
            if perf_counter() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = perf_counter() + _TURN_SECONDS
        await record(request.scope, *predictions)
        failed = len(results) - len(predictions)
        return BestMoveBatch(predicted=len(predictions), failed=failed, results=tuple(results))

    return router


def _started(best_moves: BestMoves, duel: Duel, request: Request) -> Started | BatchItem:
    """A duel of a batch that is being answered, or the problem that it has."""
    try:
        return best_moves.begin(duel)
    except CALLERS_FAULT as error:
        problem = from_error(error).problem(request.scope["path"])
        return BatchItem(problem.status, problem=problem)
