"""The model behind MLServer, in its one process and event loop (`parallel_workers` 0): what is quickest there."""

import json

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.model_servers.duels import Model


class Ranking(MLModel):  # type: ignore[misc]  # MLServer is not installed where types are checked
    """Takes a duel as a JSON text, and ranks its moves."""

    async def load(self) -> bool:
        self._model = Model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        (duel,) = StringCodec.decode_input(payload.inputs[0])
        ranking = json.dumps(self._model.rank(json.loads(duel)))
        return InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("moves", [ranking])])


class TogetherRanking(Ranking):
    """Takes the duels of several requests at once, as MLServer's adaptive batching joins them."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        duels = [json.loads(duel) for duel in StringCodec.decode_input(payload.inputs[0])]
        rankings = [json.dumps(ranking) for ranking in self._model.rank_many(duels)]
        return InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("moves", rankings)])


class Scoring(MLModel):  # type: ignore[misc]
    """Takes rows of features, and scores them."""

    async def load(self) -> bool:
        self._model = Model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        chances = self._model.score(NumpyCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("chances", chances)])
