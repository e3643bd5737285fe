"""What goes in and out of the API: each class is the OpenAPI document, the validation and the serialisation at once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api_pokemon.dex import BaseStats, Category, Language
from api_pokemon.routes.problems import Problem

T = TypeVar("T")

LARGEST_ID = 2**31 - 1
MOST_MOVES = 20
MOST_DUELS = 256

NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f-\x9f]*$"

Side = Literal["pokemon_a", "pokemon_b", "either"]
FormId = Annotated[
    int, Field(ge=1, le=LARGEST_ID, description="A Pokémon's id, as PokéAPI has it and GET /pokemon lists it.")
]
MoveName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_CONTROL_CHARACTERS)]
MoveNames = Annotated[list[MoveName], Field(min_length=1, max_length=MOST_MOVES)]
LocalName = Annotated[str, Field(description="In the language of the answer.")]
LocalNames = Annotated[dict[Language, str], Field(description="In every language.")]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Winner = Annotated[Literal["A", "B"], Field(description="Which of the two Pokémon won the duel.")]
LoggedField = str | int | float | bool | None


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Duel(_Request):
    """Two Pokémon and the moves that A can choose from."""

    pokemon_a_id: Annotated[FormId, Field(examples=[1])]
    pokemon_b_id: Annotated[FormId, Field(examples=[25])]
    available_moves: Annotated[
        MoveNames,
        Field(
            description="A's moves, by English or French name or slug; case, accents, spaces and hyphens do not "
            "matter. A move that A cannot learn is ranked too, and marked.",
            examples=[["Surf", "Razor Leaf", "Sleep Powder"]],
        ),
    ]
    available_moves_b: Annotated[
        MoveNames | None,
        Field(
            description="B's moves, where they are known; its status moves are left out. Without them B answers each "
            "move with whatever it can learn that is worst for A.",
        ),
    ] = None


class DuelBatch(_Request):
    """Up to 256 duels."""

    duels: Annotated[list[Duel], Field(min_length=1, max_length=MOST_DUELS)]


@dataclass(frozen=True, slots=True)
class Because:
    """Why a move is as good as it is."""

    hits_to_knock_out: Annotated[
        float | None,
        Field(
            description="Uses of the move that knock B out, misses included, on average; null where 99 would not, or "
            "where the damage depends on what B does (Counter)."
        ),
    ]
    opponent_hits_to_knock_out: Annotated[float | None, Field(description="The same of the opponent's move against A.")]
    moves_first: Annotated[Side, Field(description="By priority and speed; `either` at a speed tie.")]


@dataclass(frozen=True, slots=True)
class RankedMove:
    """One of A's damaging moves, and how the duel goes with it."""

    name: LocalName
    slug: Annotated[str, Field(description="The same in every language, as PokéAPI has it.")]
    type: LocalName
    category: Category
    power: Annotated[int | None, Field(description="Null where the game computes it.")]
    accuracy: Annotated[int | None, Field(description="In percent; null never misses.")]
    priority: int
    stab: Annotated[bool, Field(description="Same-type attack bonus.")]
    type_multiplier: Annotated[float, Field(description="By the type chart, against B: 0 to 4.")]
    expected_damage: Annotated[
        float,
        Field(description="Of one use, misses included, as a share of B's full HP; above 1 it is more than enough."),
    ]
    learnable: Annotated[bool, Field(description="Whether A can learn the move in these games.")]
    opponent_move: Annotated[
        str, Field(description="The reply that B is assumed to give, in the language of the answer.")
    ]
    win_probability: Annotated[Probability, Field(description="P(A wins) with this move against that reply.")]
    predicted_winner: Annotated[Side, Field(description="Who wins more often; `either` at exactly 0.5.")]
    because: Because


@dataclass(frozen=True, slots=True)
class UnrankedMove:
    """A move that was asked about and cannot decide a duel."""

    name: LocalName
    slug: str
    reason: Annotated[str, Field(description="In the language of the answer.")]


@dataclass(frozen=True, slots=True)
class BestMove:
    """The best of A's moves, and all of them ranked."""

    prediction_id: Annotated[str, Field(description="A UUIDv7, under which the prediction is on record.")]
    model_version: str
    pokemon_a_id: int
    pokemon_a_name: LocalName
    pokemon_b_id: int
    pokemon_b_name: LocalName
    recommended_move: Annotated[str, Field(description="The name of the first of `all_moves`.")]
    win_probability: Annotated[Probability, Field(description="P(A wins) with the recommended move.")]
    confidence: Annotated[float, Field(ge=0.5, le=1.0, description="max(p, 1 - p) of that probability.")]
    opponent_assumption: Annotated[
        Literal["given_moves", "worst_of_learnset"],
        Field(description="What B may reply with: the moves that were given, or all that it can learn."),
    ]
    all_moves: Annotated[
        tuple[RankedMove, ...], Field(description="By win probability, the best first; no move twice.")
    ]
    unranked_moves: tuple[UnrankedMove, ...]


@dataclass(slots=True)  # not frozen, which would take three times as long to make, and a batch has 256
class BatchItem:
    """The answer to one duel of a batch: a prediction, or the problem that it has."""

    status: Annotated[int, Field(description="What POST /predict/best-move would answer to this duel alone.")]
    prediction: BestMove | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class BestMoveBatch:
    """The answers, in the order of the duels."""

    predicted: Annotated[int, Field(description="Duels with a prediction.")]
    failed: Annotated[int, Field(description="Duels with a problem.")]
    results: tuple[BatchItem, ...]


class OutcomeReport(_Request):
    """How a predicted duel really ended."""

    winner: Winner


@dataclass(frozen=True, slots=True)
class RecordedOutcome:
    """How a predicted duel really ended, as it is on record."""

    winner: Winner
    reported_at: Annotated[datetime, Field(description="When it was reported first.")]


@dataclass(frozen=True, slots=True)
class MoveChance:
    """A move and what was told of it."""

    name: LocalName
    slug: str
    win_probability: Probability


@dataclass(frozen=True, slots=True)
class LoggedDuel:
    """What was asked, and how the moves were ranked."""

    pokemon_a_id: int
    pokemon_a_name: LocalName
    pokemon_b_id: int
    pokemon_b_name: LocalName
    available_moves: Annotated[tuple[LocalName, ...], Field(description="A's moves, each once, as they were given.")]
    available_moves_b: Annotated[tuple[LocalName, ...] | None, Field(description="B's, where they were given.")]
    recommended_move: Annotated[str, Field(description="The name of the first of `all_moves`.")]
    all_moves: Annotated[tuple[MoveChance, ...], Field(description="By win probability, the best first.")]


@dataclass(frozen=True, slots=True)
class LoggedPrediction:
    """A prediction as it is on record."""

    prediction_id: str
    status: Literal["logged"]
    made_at: datetime
    model_version: str
    win_probability: Annotated[Probability, Field(description="P(A wins) with the recommended move, as it was told.")]
    confidence: Annotated[float, Field(ge=0.5, le=1.0, description="max(p, 1 - p) of that probability.")]
    duel: Annotated[
        LoggedDuel | None, Field(description="Null where it was recorded by a version that this one cannot read.")
    ]
    request: Annotated[dict[str, LoggedField], Field(description="What is watched of the question.")]
    choice: Annotated[dict[str, LoggedField], Field(description="What is watched of the answer.")]
    outcome: Annotated[RecordedOutcome | None, Field(description="Null until it is reported.")]


@dataclass(frozen=True, slots=True)
class PendingPrediction:
    """A prediction that is recorded and safe, and not in the log yet."""

    prediction_id: str
    status: Literal["pending"]


@dataclass(frozen=True, slots=True)
class LoggedPage:
    """A part of the log, the newest first."""

    items: tuple[LoggedPrediction, ...]
    next_cursor: Annotated[str | None, Field(description="For `cursor`; null on the last page.")]
    next: Annotated[str | None, Field(description="The path of the next page, with the same filters.")]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list."""

    total: Annotated[int, Field(description="Items that match, on all pages.")]
    limit: int
    offset: int
    items: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class TypeName:
    """One of the 18 types."""

    slug: Annotated[str, Field(description="The same in every language.")]
    name: LocalName


@dataclass(frozen=True, slots=True)
class PokemonName:
    """A Pokémon by name."""

    id: int
    name: LocalName
    slug: str


@dataclass(frozen=True, slots=True)
class PokemonSummary(PokemonName):
    """A Pokémon in a list."""

    types: tuple[TypeName, ...]
    can_duel: Annotated[
        bool, Field(description="Whether it has a damaging move of its own; without one it cannot be predicted.")
    ]


@dataclass(frozen=True, slots=True)
class MoveSummary:
    """A move in a list."""

    id: int
    name: LocalName
    slug: str
    type: TypeName
    category: Category
    power: Annotated[int | None, Field(description="Null where it has none, or where the game computes it.")]
    accuracy: Annotated[int | None, Field(description="In percent; null never misses.")]
    priority: int


@dataclass(frozen=True, slots=True)
class Matchup:
    """What attacks of a type do to a Pokémon."""

    type: TypeName
    multiplier: Annotated[float, Field(description="0, 0.25, 0.5, 2 or 4.")]


@dataclass(frozen=True, slots=True)
class Pokemon(PokemonSummary):
    """A Pokémon, what it can learn and what hurts it."""

    names: LocalNames
    national_id: Annotated[int, Field(description="Of the species; formes of one species share it.")]
    base_form_id: Annotated[int, Field(description="The id of the species' plain form, which may be this one.")]
    base_stats: BaseStats
    weight_kg: float
    moves: Annotated[
        tuple[MoveSummary, ...], Field(description="All that it can learn, with what its pre-evolutions learn.")
    ]
    weaknesses: Annotated[tuple[Matchup, ...], Field(description="Types that hit it harder, the worst first.")]
    resistances: Annotated[tuple[Matchup, ...], Field(description="Types that hit it less, immunities (0) first.")]


@dataclass(frozen=True, slots=True)
class Move(MoveSummary):
    """A move, and who can learn it."""

    names: LocalNames
    learned_by: tuple[PokemonName, ...]


@dataclass(frozen=True, slots=True)
class AttackingType:
    """A row of the type chart."""

    type: TypeName
    multipliers: Annotated[
        dict[str, float],
        Field(description="By the slug of the defending type: 0, 0.5, 1 or 2. Of two types, the product."),
    ]


@dataclass(frozen=True, slots=True)
class TypeChart:
    """What each attacking type does to each defending one."""

    types: tuple[AttackingType, ...]
