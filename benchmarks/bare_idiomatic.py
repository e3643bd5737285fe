"""The idiomatic FastAPI endpoint: the service's own request and response models, and a constant for an answer.

What any prediction service built on FastAPI costs before it predicts, watches or keeps anything. The reference that
`python -m benchmarks.throughput` measures the service by. Served by uvicorn, with uvloop and httptools.
"""

from fastapi import FastAPI

from api_pokemon.routes.schemas import Because, BestMove, Duel, RankedMove, Side


def _ranked(name: str, win_probability: float, winner: Side) -> RankedMove:
    return RankedMove(
        name=name,
        slug=name.lower().replace(" ", "-"),
        type="Grass",
        category="Physical",
        power=55,
        accuracy=95,
        priority=0,
        stab=True,
        type_multiplier=0.5,
        expected_damage=0.3512,
        learnable=True,
        opponent_move="Seismic Toss",
        win_probability=win_probability,
        predicted_winner=winner,
        because=Because(3.1274, 3.0, "pokemon_b"),
    )


ANSWER = BestMove(
    prediction_id="01a20ffd-26b6-764c-9149-76a1bd4b0102",
    model_version="20261123-1befb5e0",
    pokemon_a_id=1,
    pokemon_a_name="Bulbasaur",
    pokemon_b_id=25,
    pokemon_b_name="Pikachu",
    recommended_move="Razor Leaf",
    win_probability=0.61709,
    confidence=0.61709,
    opponent_assumption="worst_of_learnset",
    all_moves=(
        _ranked("Razor Leaf", 0.61709, "pokemon_a"),
        _ranked("Vine Whip", 0.48127, "pokemon_b"),
        _ranked("Sludge Bomb", 0.31406, "pokemon_b"),
        _ranked("Tackle", 0.06709, "pokemon_b"),
    ),
    unranked_moves=(),
)
"""As large as the service's usual answer, of four moves."""


def create_app() -> FastAPI:
    app = FastAPI()

    @app.post("/predict/best-move")
    async def predict_best_move(duel: Duel) -> BestMove:
        return ANSWER

    return app
