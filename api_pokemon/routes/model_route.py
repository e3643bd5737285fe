"""GET /predict/model-info."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from api_pokemon.model import Engine, ModelMetadata
from api_pokemon.routes.documentation import operation_id, problems
from api_pokemon.routes.problems import AT_THE_DOOR


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo(ModelMetadata):
    """What the answering model version was made from, what it can do, and what answers for it."""

    engine: Annotated[
        Engine, Field(description="`tablebase` looks answers up, `onnx` infers them; they agree within 0.0005.")
    ]


def model_routes(metadata: ModelMetadata, engine: Callable[[], Engine]) -> APIRouter:
    """The route about the model version that answers."""
    router = APIRouter(generate_unique_id_function=operation_id, tags=["predictions"])
    facts = {field.name: getattr(metadata, field.name) for field in fields(metadata)}

    @router.get("/predict/model-info", summary="The model that answers", responses=problems(*AT_THE_DOOR))
    async def get_model_info() -> ModelInfo:
        """Tells how the model was made, its duel rules, and its errors beside the noise floor of their measurement."""
        return ModelInfo(**facts, engine=engine())

    return router
