"""A model's ONNX file, as what scores feature rows."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read at the import: without it, what runs here is told to Microsoft

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile

from api_pokemon.errors import ModelDamagedError

PROBABILITIES = "probabilities"
ONNX_ERRORS = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile)
"""What onnxruntime raises at a file that is no model; it has no base for them, not even ``RuntimeError``."""


class OnnxScore:
    """Feature rows to the first's win probability, by onnxruntime on one thread.

    Parameters
    ----------
    model
        Path of an ONNX file, or its bytes.
    """

    def __init__(self, model: Path | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the service scales by processes; threads of one would fight over cores
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
            )
        except ONNX_ERRORS as error:
            name = "the model" if isinstance(model, bytes) else model
            raise ModelDamagedError(f"onnxruntime cannot read {name}: {error}") from error
        self._input = self._session.get_inputs()[0].name

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        (probabilities,) = self._session.run([PROBABILITIES], {self._input: rows})
        return np.asarray(probabilities[:, 1])
