"""Logged requests, answered again by another model version: what is normal for one is carried over to the next."""

from collections.abc import Iterable, Iterator

from api_pokemon.errors import DexError, DuelError, PayloadError
from api_pokemon.model.asked import read_payload
from api_pokemon.model.monitored_rows import choice_fields
from api_pokemon.model.ranking import MoveRanker
from api_pokemon.monitoring.events import Fields, Prediction


def answer_again(ranker: MoveRanker, predictions: Iterable[Prediction]) -> Iterator[tuple[Fields, Fields]]:
    """The monitored rows of these requests with another version: of the request as they were, of the choice anew.

    Requests that cannot be read, or that this dex does not know, are left out.
    """
    for prediction in predictions:
        try:
            asked = read_payload(prediction.payload)
            ranking = ranker.rank_by_id(asked.form_a, asked.form_b, asked.moves, asked.moves_b)
        except (PayloadError, DexError, DuelError):
            continue
        yield prediction.request, choice_fields(ranking)
