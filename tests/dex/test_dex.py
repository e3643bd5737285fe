import subprocess
import sys

import pytest

from api_pokemon.dex import Dex
from api_pokemon.errors import UnknownIdError, UnknownNameError


@pytest.mark.parametrize("form_id", [0, -1, 152, 10**30])
def test_unknown_form_id(dex: Dex, form_id: int) -> None:
    with pytest.raises(UnknownIdError, match=f"no Pokémon with id {form_id}"):
        dex.form(form_id)


def test_unknown_move_id(dex: Dex) -> None:
    with pytest.raises(UnknownIdError, match="no move with id 9999"):
        dex.move(9999)


def test_unknown_name_knows_the_nearest(dex: Dex) -> None:
    with pytest.raises(UnknownNameError) as caught:
        dex.find_move("Thunderblt")
    assert str(caught.value) == (
        "There is no move named 'Thunderblt'. Did you mean Thunderbolt, Thunder, Thunder Wave?"
    )


def test_suggestions_come_once_each_in_the_nearest_language(dex: Dex) -> None:
    with pytest.raises(UnknownNameError) as caught:
        dex.find_form("salamech")
    assert caught.value.suggestions == ("Salamèche", "Alolan Meowth", "Sandslash")
    with pytest.raises(UnknownNameError) as caught:
        dex.find_form("nidoran")
    assert caught.value.suggestions[:2] == ("Nidoran♀", "Nidoran♂")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("zzz", ("Buzzy Buzz", "Bug Buzz", "Blizzard")),
        ("xyz123", ("Zippy Zap", "Buzzy Buzz", "Fly")),
        ("Z-Move", ("Mirror Move", "Morsure", "Vole-Vie")),
        ("33", ("Cut", "Fly", "Dig")),
        ("q", ("Piqué", "E-Coque", "Mimique")),
    ],
)
def test_far_from_every_name_the_nearest_are_still_told(dex: Dex, name: str, nearest: tuple[str, ...]) -> None:
    with pytest.raises(UnknownNameError) as caught:
        dex.find_move(name)
    assert caught.value.suggestions == nearest


@pytest.mark.parametrize("name", ["", " ", "???", "\x00", "\ud800", "x" * 65, "é" * 10_000, "surf" * 2_500])
def test_what_no_name_can_be_compared_with_gets_no_suggestion_and_a_short_message(dex: Dex, name: str) -> None:
    for find in (dex.find_form, dex.find_move):
        with pytest.raises(UnknownNameError) as caught:
            find(name)
        assert caught.value.suggestions == ()
        assert len(str(caught.value)) < 120


def test_search_is_in_both_languages(dex: Dex) -> None:
    assert [form.name for form in dex.search_forms("bizarre")] == ["Bulbasaur", "Ivysaur"]
    assert [form.name for form in dex.search_forms("EEVEE")] == ["Eevee", "Eevee-Starter"]
    assert [move.name for move in dex.search_moves("éclair")] == ["Thunder Punch", "Thunder Shock", "Thunder Wave"]
    assert [move.id for move in dex.search_moves("thunder p")] == [9]


def test_search_for_nothing_and_for_nonsense(dex: Dex) -> None:
    assert dex.search_forms(" ") == dex.forms
    assert dex.search_moves("") == dex.moves
    assert dex.search_moves("?!") == ()
    assert dex.search_moves("x" * 10_000) == ()


@pytest.mark.parametrize(
    ("attack", "defence", "multiplier"),
    [
        ("Water", ("Fire",), 2.0),
        ("Water", ("Fire", "Rock"), 4.0),
        ("Fire", ("Water", "Dragon"), 0.25),
        ("Ground", ("Fire", "Flying"), 0.0),
        ("Ghost", ("Psychic",), 2.0),
        ("Fairy", ("Dragon",), 2.0),
        ("Steel", ("Fairy",), 2.0),
        ("Dark", ("Steel",), 1.0),
        ("Normal", (), 1.0),
    ],
)
def test_effectiveness(dex: Dex, attack: str, defence: tuple[str, ...], multiplier: float) -> None:
    assert dex.effectiveness(attack, defence) == multiplier


def test_the_whole_chart(dex: Dex) -> None:
    chart = [dex.effectiveness(attack, [defence]) for attack in dex.types for defence in dex.types]
    assert {multiplier: chart.count(multiplier) for multiplier in chart} == {0.0: 8, 0.5: 61, 1.0: 204, 2.0: 51}


@pytest.mark.parametrize(("attack", "defence"), [("Bird", "Fire"), ("Fire", "Stellar")])
def test_effectiveness_of_an_unknown_type(dex: Dex, attack: str, defence: str) -> None:
    with pytest.raises(UnknownNameError, match="no type named"):
        dex.effectiveness(attack, [defence])


def test_weaknesses(dex: Dex) -> None:
    weaknesses = dex.weaknesses(dex.find_form("Charizard"))
    assert [matchup.type for matchup in weaknesses] == list(dex.types)
    assert {type_: multiplier for type_, multiplier in weaknesses if multiplier > 1} == {
        "Rock": 4.0,
        "Water": 2.0,
        "Electric": 2.0,
    }


@pytest.mark.parametrize(
    ("types", "effect", "immune"),
    [
        (["Fire"], "brn", True),
        (["Ice"], "frz", True),
        (["Bug", "Poison"], "tox", True),
        (["Steel"], "psn", True),
        (["Grass"], "powder", True),
        (["Ghost"], "trapped", True),
        (["Water"], "brn", False),
    ],
)
def test_immunities(dex: Dex, types: list[str], effect: str, immune: bool) -> None:
    assert dex.is_immune(types, effect) is immune


def test_type_names(dex: Dex) -> None:
    assert [dex.type_name(type_, "fr") for type_ in dex.types] == [
        *("Normal", "Combat", "Vol", "Poison", "Sol", "Roche", "Insecte", "Spectre", "Acier"),
        *("Feu", "Eau", "Plante", "Électrik", "Psy", "Glace", "Dragon", "Ténèbres", "Fée"),
    ]
    assert dex.type_name("Bug", "en") == "Bug"
    with pytest.raises(UnknownNameError):
        dex.type_name("Bird", "fr")


def test_looking_up_what_exists_needs_no_fuzzy_matching() -> None:
    program = (
        "import sys; from api_pokemon.dex import load_dex; load_dex().find_move('SURF !');"
        "assert not {'rapidfuzz', 'numpy', 'fastapi'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
