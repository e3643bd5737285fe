"""Another service with another model, watched by the same package.

A forest from scikit-learn tells benign tumours from malignant ones by ten measurements of their cells, on the data set
that ships with scikit-learn. What watching adds to it stands between the two marks.

    uvicorn examples.tumours:create_app --factory
    curl -X POST localhost:8000/predict -H "Content-Type: application/json" \\
        -d '{"measurements": [14, 19, 92, 650, 0.1, 0.1, 0.1, 0.05, 0.2, 0.06]}'
    curl localhost:8000/metrics
"""

from time import perf_counter
from typing import Annotated

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

from api_pokemon.monitoring import Prediction, new_id, watch

MODEL_VERSION = "forest-1"
MEASUREMENTS = 10


class Sample(BaseModel):
    """The means of ten measurements of cell nuclei, in the data set's order."""

    measurements: Annotated[list[float], Field(min_length=MEASUREMENTS, max_length=MEASUREMENTS)]


class Diagnosis(BaseModel):
    prediction_id: str
    diagnosis: str
    probability: float


def train() -> RandomForestClassifier:
    data = load_breast_cancer()
    return RandomForestClassifier(n_estimators=20, random_state=0).fit(data.data[:, :MEASUREMENTS], data.target)


def create_app() -> FastAPI:
    app = FastAPI(title="Tumours")
    model = train()
    names = [str(name) for name in load_breast_cancer().target_names]
    # watching begins
    watching = watch(app, application="tumours", version="1.0", model_versions=[MODEL_VERSION])

    async def tell(request: Request, probability: float, began: float) -> str:
        prediction = Prediction(new_id(), MODEL_VERSION, probability, perf_counter() - began)
        await watching.record(request.scope, prediction)
        return prediction.prediction_id

    # watching ends

    @app.post("/predict")
    async def predict(sample: Sample, request: Request) -> Diagnosis:
        began = perf_counter()
        probabilities = model.predict_proba([sample.measurements])[0]
        best = int(probabilities.argmax())
        probability = float(probabilities[best])
        prediction_id = await tell(request, probability, began)
        return Diagnosis(prediction_id=prediction_id, diagnosis=names[best], probability=probability)

    return app
