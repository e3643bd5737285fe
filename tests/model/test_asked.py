"""What is kept to make a prediction again."""

import pytest

from api_pokemon.dex import Dex
from api_pokemon.errors import PayloadError
from api_pokemon.model import ModelPredictor, MoveRanker
from api_pokemon.model.asked import AskedDuel, asked_duel, read_payload

STORED = {
    b'{"v":1,"form_a":1,"form_b":25,"moves":[57,75,79],"moves_b":null,"ranked":[[75,0.41],[57,0.262734]]}': AskedDuel(
        form_a=1, form_b=25, moves=(57, 75, 79), moves_b=None, ranked=((75, 0.41), (57, 0.262734))
    ),
    b'{"v":1,"form_a":6,"form_b":6,"moves":[53],"moves_b":[53,45],"ranked":[[53,0.5]]}': AskedDuel(
        form_a=6, form_b=6, moves=(53,), moves_b=(53, 45), ranked=((53, 0.5),)
    ),
}
"""Payloads that lie in logs."""


@pytest.mark.parametrize("payload", STORED)
def test_what_was_kept_stays_readable(payload: bytes) -> None:
    assert read_payload(payload) == STORED[payload]
    assert STORED[payload].payload() == payload


def test_what_a_newer_version_adds_is_passed_over() -> None:
    (payload, asked), *_ = STORED.items()
    newer = payload.replace(b'"v":1,', b'"v":2,"weather":{"rain":true},')
    assert read_payload(newer).ranked == asked.ranked


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"null",
        b"\xff\xfe",
        b'{"v":1,"form_a":1,"form_b":25,"moves":[57],"moves_b":null,"ranked":[]}',
        b'{"v":1,"form_a":1,"form_b":25,"moves":[],"moves_b":null,"ranked":[[57,0.5]]}',
        b'{"v":1,"form_a":1,"form_b":25,"moves":[57],"moves_b":null,"ranked":[[57,1.5]]}',
        b'{"v":1,"form_a":"Bulbasaur","form_b":25,"moves":[57],"moves_b":null,"ranked":[[57,0.5]]}',
    ],
)
def test_what_tells_of_no_duel_is_refused(payload: bytes) -> None:
    with pytest.raises(PayloadError, match=rf"The payload of {len(payload)} bytes tells of no duel: "):
        read_payload(payload)


def test_a_ranking_is_kept_by_its_ids(dex: Dex, live: ModelPredictor) -> None:
    ranking = MoveRanker(dex, live).rank(1, 25, ["surf", "Poudre Dodo", "RAZOR LEAF"], ["Growl", "Thunderbolt"])
    asked = asked_duel(ranking)
    assert (asked.form_a, asked.form_b, asked.moves, asked.moves_b) == (1, 25, (57, 79, 75), (45, 85))
    assert [move_id for move_id, _ in asked.ranked] == [item.move.id for item in ranking.moves]
    assert asked.ranked[0] == (asked.recommended, round(ranking.moves[0].win_probability, 6))
    assert read_payload(asked.payload()) == asked
