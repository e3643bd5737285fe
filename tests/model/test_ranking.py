"""From names to a ranked answer, with a real model behind it."""

import numpy as np
import pytest

from api_pokemon.battle.tables import DuelTables
from api_pokemon.dex import Dex
from api_pokemon.errors import ApiPokemonError, NoDamagingMoveError, UnknownIdError, UnknownNameError
from api_pokemon.model import ModelPredictor, MoveRanker, Ranking

PIKACHU, SQUIRTLE, BULBASAUR, GASTLY = 25, 7, 1, 92


@pytest.fixture(scope="module")
def ranker(dex: Dex, live: ModelPredictor) -> MoveRanker:
    return MoveRanker(dex, live)


def names(ranking: Ranking) -> list[str]:
    return [ranked.move.name for ranked in ranking.moves]


def test_best_first(ranker: MoveRanker) -> None:
    ranking = ranker.rank(PIKACHU, SQUIRTLE, ["Quick Attack", "Thunderbolt", "Tail Whip", "Thunder Shock"])
    chances = [ranked.win_probability for ranked in ranking.moves]
    assert set(names(ranking)) == {"Quick Attack", "Thunderbolt", "Thunder Shock"}
    assert names(ranking)[0] == "Thunderbolt"
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > chances[-1]
    assert (ranking.form_a.name, ranking.form_b.name) == ("Pikachu", "Squirtle")
    assert [(unranked.move.name, unranked.reason) for unranked in ranking.unranked] == [("Tail Whip", "status")]


def test_equal_chances_keep_the_callers_order(ranker: MoveRanker) -> None:
    """Gastly is immune to both; the model cannot tell their users apart."""
    moves = ["Scratch", "Pound"]
    for order in (moves, moves[::-1]):
        ranking = ranker.rank(SQUIRTLE, GASTLY, order, ["Lick"])
        assert ranking.moves[0].win_probability == ranking.moves[1].win_probability
        assert names(ranking) == order


def test_languages_and_spelling_change_nothing(ranker: MoveRanker) -> None:
    english = ranker.rank(PIKACHU, SQUIRTLE, ["Thunderbolt", "Quick Attack"], ["Bubble Beam", "Water Gun"])
    french = ranker.rank(PIKACHU, SQUIRTLE, ["tonnerre", "VIVE ATTAQUE"], ["Bulles d’O", "pistolet-a-o"])
    assert french == english


def test_a_move_named_twice_counts_once(ranker: MoveRanker) -> None:
    once = ranker.rank(PIKACHU, SQUIRTLE, ["Thunderbolt", "Growl"], ["Surf"])
    again = ranker.rank(PIKACHU, SQUIRTLE, ["Thunderbolt", "tonnerre", "Growl", "growl"], ["Surf", "surf", "SURF"])
    assert again == once


def test_an_unknown_moveset_answers_with_the_worst_of_the_learnset(
    dex: Dex, ranker: MoveRanker, tables: DuelTables
) -> None:
    ranking = ranker.rank(PIKACHU, SQUIRTLE, ["Thunderbolt", "Quick Attack"])
    learnset = [dex.move(move_id) for move_id in dex.form(SQUIRTLE).learnset]
    replies = [move.name for move in learnset if move.damaging]
    assert ranking.opponent_assumption == "worst_of_learnset"
    for ranked in ranking.moves:
        chances = {
            reply: ranker.rank(PIKACHU, SQUIRTLE, [ranked.move.name], [reply]).moves[0].win_probability
            for reply in replies
        }
        assert ranked.win_probability == pytest.approx(min(chances.values()), abs=1e-7)
        assert chances[ranked.opponent_move.name] == pytest.approx(ranked.win_probability, abs=1e-7)


def test_given_moves_are_the_only_replies(ranker: MoveRanker) -> None:
    ranking = ranker.rank(PIKACHU, SQUIRTLE, ["Thunderbolt"], ["Tackle", "Earthquake"])
    assert ranking.opponent_assumption == "given_moves"
    assert ranking.moves[0].opponent_move.name == "Earthquake"


def test_unlearnable_moves_are_ranked_and_marked(ranker: MoveRanker) -> None:
    ranking = ranker.rank(BULBASAUR, PIKACHU, ["Surf", "Tackle", "Struggle", "Growl"])
    assert {ranked.move.name: ranked.learnable for ranked in ranking.moves} == {"Surf": False, "Tackle": True}
    assert [(unranked.move.name, unranked.reason) for unranked in ranking.unranked] == [
        ("Struggle", "last_resort"),
        ("Growl", "status"),
    ]


def test_what_decides_no_duel_is_no_reply(ranker: MoveRanker) -> None:
    given = ranker.rank(BULBASAUR, PIKACHU, ["Tackle"], ["Growl", "Thunderbolt", "Struggle"])
    assert given.moves == ranker.rank(BULBASAUR, PIKACHU, ["Tackle"], ["Thunderbolt"]).moves


def test_what_was_given_is_kept_in_its_order(ranker: MoveRanker) -> None:
    ranking = ranker.rank(BULBASAUR, PIKACHU, ["Surf", "Growl", "Tackle", "surf"], ["Growl", "Thunderbolt"])
    assert [move.name for move in ranking.candidates] == ["Surf", "Growl", "Tackle"]
    assert [move.name for move in ranking.replies or ()] == ["Growl", "Thunderbolt"]
    assert ranker.rank(BULBASAUR, PIKACHU, ["Surf"]).replies is None


@pytest.mark.parametrize("replies", [None, ["Growl", "Thunderbolt"]])
def test_ids_are_ranked_as_names_are(ranker: MoveRanker, replies: list[str] | None) -> None:
    ranking = ranker.rank(BULBASAUR, PIKACHU, ["Surf", "Growl", "Tackle"], replies)
    ids = [move.id for move in ranking.candidates]
    assert (
        ranker.rank_by_id(BULBASAUR, PIKACHU, ids, replies and [move.id for move in ranking.replies or ()]) == ranking
    )


def test_unknown_ids_are_refused(ranker: MoveRanker) -> None:
    with pytest.raises(UnknownIdError, match=r"There is no move with id 9999\."):
        ranker.rank_by_id(BULBASAUR, PIKACHU, [57], [9999])


def test_numbers_of_a_ranked_move(ranker: MoveRanker) -> None:
    """Thunderbolt does 86 to 104, on average 95.125, to Squirtle's 119 HP; 142.25 when it is critical, once in 24."""
    (ranked,) = ranker.rank(PIKACHU, SQUIRTLE, ["Thunderbolt"], ["Surf"]).moves
    assert (ranked.stab, ranked.type_multiplier, ranked.learnable) == (True, 2.0, True)
    assert ranked.expected_damage == pytest.approx((23 * 95.125 + 142.25) / 24 / 119, rel=1e-9)
    assert ranked.moves_first == "attacker"
    assert ranked.hits_to_knock_out == pytest.approx(1 * 1 / 24 + 2 * 23 / 24, abs=1e-6)


@pytest.mark.parametrize(
    ("form_a", "move", "form_b", "reply", "first"),
    [
        ("Electrode", "Tackle", "Slowpoke", "Tackle", "attacker"),
        ("Slowpoke", "Tackle", "Electrode", "Tackle", "opponent"),
        ("Slowpoke", "Quick Attack", "Electrode", "Tackle", "attacker"),
        ("Electrode", "Tackle", "Slowpoke", "Quick Attack", "opponent"),
        ("Electrode", "Quick Attack", "Slowpoke", "Quick Attack", "attacker"),
        ("Electrode", "Counter", "Slowpoke", "Tackle", "opponent"),
        ("Ponyta", "Tackle", "Venusaur-Mega", "Tackle", "attacker"),
        ("Bulbasaur", "Tackle", "Bulbasaur", "Vine Whip", "either"),
    ],
)
def test_who_moves_first(
    dex: Dex, ranker: MoveRanker, form_a: str, move: str, form_b: str, reply: str, first: str
) -> None:
    (ranked,) = ranker.rank(dex.find_form(form_a).id, dex.find_form(form_b).id, [move], [reply]).moves
    assert ranked.moves_first == first


def test_misses_count_in_damage_and_in_hits(ranker: MoveRanker) -> None:
    (ranked,) = ranker.rank(99, 143, ["Guillotine"], ["Surf"]).moves
    assert ranked.expected_damage == pytest.approx(0.3)
    assert ranked.hits_to_knock_out == pytest.approx(1 / 0.3)


def test_an_immune_target(ranker: MoveRanker) -> None:
    (ranked,) = ranker.rank(SQUIRTLE, GASTLY, ["Tackle"], ["Lick"]).moves
    assert (ranked.type_multiplier, ranked.expected_damage) == (0.0, 0.0)
    assert (ranked.hits_to_knock_out, ranked.moves_first) == (99.0, "opponent")
    assert ranked.win_probability < 0.1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 1, ["Tackle"]), UnknownIdError, "There is no Pokémon with id 0."),
        ((1, 152, ["Tackle"]), UnknownIdError, "There is no Pokémon with id 152."),
        ((1, 4, ["Takcle"]), UnknownNameError, "There is no move named 'Takcle'. Did you mean Tackle"),
        ((1, 4, ["Tackle"], ["Embre"]), UnknownNameError, "There is no move named 'Embre'. Did you mean Ember"),
        (
            (1, 4, ["Growl", "Toxic"]),
            NoDamagingMoveError,
            "None of the given moves can win a duel (Growl, Toxic); give at least one damaging move.",
        ),
        (
            (11, 4, ["Tackle"]),
            NoDamagingMoveError,
            "Metapod (id 11) learns no damaging move of its own, so it cannot duel.",
        ),
        ((4, 14, ["Ember"]), NoDamagingMoveError, "Kakuna (id 14) learns no damaging move of its own"),
        ((132, 132, ["Ember"], ["Ember"]), NoDamagingMoveError, "Ditto (id 132) learns no damaging move of its own"),
        (
            (1, 4, ["Tackle"], ["Growl", "Struggle"]),
            NoDamagingMoveError,
            "None of the opponent's moves can win a duel (Growl, Struggle); give at least one damaging move.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_ranked(
    ranker: MoveRanker, arguments: tuple[int, int, list[str]], error: type[ApiPokemonError], message: str
) -> None:
    with pytest.raises(error) as raised:
        ranker.rank(*arguments)
    assert str(raised.value).startswith(message)


def test_both_engines_rank_alike(dex: Dex, ranker: MoveRanker, stored: ModelPredictor, tables: DuelTables) -> None:
    other = MoveRanker(dex, stored)
    random = np.random.default_rng(5)
    able = [tables.form_ids[row] for row in np.unique(tables.pair_form)]
    damaging = [dex.move(move_id).name for move_id in tables.moves.ids]
    for form_a, form_b in random.choice(able, (40, 2)).tolist():
        moves = random.choice(damaging, 4, replace=False).tolist()
        mine, theirs = (one.rank(form_a, form_b, moves) for one in (ranker, other))
        assert {r.move.name: round(r.win_probability, 3) for r in theirs.moves} == pytest.approx(
            {r.move.name: r.win_probability for r in mine.moves}, abs=0.0011
        )
