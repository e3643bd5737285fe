import unicodedata
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_pokemon.dex import Dex, load_dex
from api_pokemon.dex.names import NameIndex, normalise
from api_pokemon.errors import UnknownNameError

DEX = load_dex()

# The known mistakes of the French source, right name first, as a list of its own: a slip in the generator's shows here.
FRENCH_MOVES = """
    Absorb = Vole-Vie; Mega Drain = Méga-Sangsue; Bone Club = Massd'Os; Egg Bomb = Bombe Œuf; Hyper Fang = Croc de Mort;
    Karate Chop = Poing Karaté; Sonic Boom = Sonic Boom; Twineedle = Double Dard; Blizzard = Blizzard;
    Skull Bash = Coud'Krâne; Body Slam = Plaquage; Bubble Beam = Bulles d'O; Double-Edge = Damoclès;
    Dragon Pulse = Draco-Choc; Fire Punch = Poing Feu; Fire Spin = Danse Flammes; Fury Swipes = Combo-Griffe;
    Ice Punch = Poing Glace; Petal Dance = Danse Fleurs; Quick Attack = Vive-Attaque; Razor Leaf = Tranch'Herbe;
    Sludge Bomb = Bombe Beurk; Smog = Purédpois; Struggle = Lutte; Swords Dance = Danse Lames;
    Thunder Punch = Poing Éclair; Thunder Wave = Cage Éclair; Vise Grip = Force Poigne; Wing Attack = Cru-Ailes;
    X-Scissor = Plaie Croix; Veevee Volley = Évo-Chardasso; Double Iron Bash = Écrous d'Poing
"""
FRENCH_FORMS = "Exeggcute = Noeunoeuf; Vileplume = Rafflesia; Nidoran♀ = Nidoran♀; Mr. Mime = M. Mime; Eevee = Évoli"
FORMES = """
    10100 Raichu-Alola, Raichu d'Alola; 10114 Exeggutor-Alola, Noadkoko d'Alola;
    10115 Marowak-Alola, Ossatueur d'Alola; 10033 Venusaur-Mega, Méga-Florizarre;
    10034 Charizard-Mega-X, Méga-Dracaufeu X; 10035 Charizard-Mega-Y, Méga-Dracaufeu Y;
    10036 Blastoise-Mega, Méga-Tortank; 10090 Beedrill-Mega, Méga-Dardargnan; 10073 Pidgeot-Mega, Méga-Roucarnage;
    10091 Rattata-Alola, Rattata d'Alola; 10092 Raticate-Alola, Rattatac d'Alola;
    10158 Pikachu-Starter, Pikachu Partenaire; 10101 Sandshrew-Alola, Sabelette d'Alola;
    10102 Sandslash-Alola, Sablaireau d'Alola; 10103 Vulpix-Alola, Goupix d'Alola;
    10104 Ninetales-Alola, Feunard d'Alola; 10105 Diglett-Alola, Taupiqueur d'Alola;
    10106 Dugtrio-Alola, Triopikeur d'Alola; 10107 Meowth-Alola, Miaouss d'Alola;
    10108 Persian-Alola, Persian d'Alola; 10037 Alakazam-Mega, Méga-Alakazam; 10109 Geodude-Alola, Racaillou d'Alola;
    10110 Graveler-Alola, Gravalanch d'Alola; 10111 Golem-Alola, Grolem d'Alola; 10071 Slowbro-Mega, Méga-Flagadoss;
    10112 Grimer-Alola, Tadmorv d'Alola; 10113 Muk-Alola, Grotadmorv d'Alola; 10038 Gengar-Mega, Méga-Ectoplasma;
    10039 Kangaskhan-Mega, Méga-Kangourex; 10040 Pinsir-Mega, Méga-Scarabrute; 10041 Gyarados-Mega, Méga-Léviator;
    10159 Eevee-Starter, Évoli Partenaire; 10042 Aerodactyl-Mega, Méga-Ptéra; 10043 Mewtwo-Mega-X, Méga-Mewtwo X;
    10044 Mewtwo-Mega-Y, Méga-Mewtwo Y
"""


def listed(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(";")]


@pytest.mark.parametrize("entry", listed(FRENCH_MOVES))
def test_french_name_of_a_move(dex: Dex, entry: str) -> None:
    name, name_fr = entry.split(" = ")
    move = dex.find_move(name_fr)
    assert (move.local_name("en"), move.local_name("fr")) == (name, name_fr)


@pytest.mark.parametrize("entry", listed(FRENCH_FORMS))
def test_french_name_of_a_form(dex: Dex, entry: str) -> None:
    name, name_fr = entry.split(" = ")
    form = dex.find_form(name_fr)
    assert (form.local_name("en"), form.local_name("fr")) == (name, name_fr)


@pytest.mark.parametrize("entry", listed(FORMES))
def test_forme(dex: Dex, entry: str) -> None:
    form_id, names = entry.split(" ", 1)
    form = dex.form(int(form_id))
    assert f"{form.name}, {form.name_fr}" == names


def test_every_forme_is_tested(dex: Dex) -> None:
    assert len(listed(FORMES)) == len([form for form in dex.forms if form.forme]) == 35


def without_accents(name: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))


SPELLINGS: list[Callable[[str], str]] = [
    str,
    str.lower,
    str.upper,
    without_accents,
    lambda name: unicodedata.normalize("NFD", name),
    lambda name: name.replace("'", "’"),
    lambda name: name.replace("'", ""),
    lambda name: name.replace(" ", "-"),
    lambda name: name.replace("-", " "),
    lambda name: f"  {name.replace(' ', '')}\n",
    lambda name: name.replace("♀", "-F").replace("♂", "-M").replace("Œ", "OE"),
    lambda name: name.replace("♀", "♀\ufe0f"),
]


@pytest.mark.parametrize("spell", SPELLINGS)
def test_every_name_finds_its_own_thing_in_any_spelling(dex: Dex, spell: Callable[[str], str]) -> None:
    for form in dex.forms:
        for name in (form.name, form.name_fr, form.slug, form.showdown_id, *form.aliases):
            assert dex.find_form(spell(name)) is form
    for move in dex.moves:
        for name in (move.name, move.name_fr, move.slug, move.showdown_id, *move.aliases):
            assert dex.find_move(spell(name)) is move


@pytest.mark.parametrize(
    ("name", "form_id"),
    [
        ("Mega Charizard X", 10034),
        ("alolan vulpix", 10103),
        ("Partner Eevee", 10159),
        ("nœunœuf", 102),
        ("mr mime", 122),
    ],
)
def test_names_that_people_use(dex: Dex, name: str, form_id: int) -> None:
    assert dex.find_form(name).id == form_id


def test_the_game_s_own_old_spelling(dex: Dex) -> None:
    assert dex.find_move("Vice Grip") is dex.find_move("Vise Grip")


def test_two_things_may_not_share_a_name() -> None:
    with pytest.raises(ValueError, match="'poing eclair' names two things of the kind move"):
        NameIndex("move", {9: ["Poing Éclair"], 10: ["poing eclair"]})


@given(st.text(max_size=100))
def test_any_text_finds_what_is_called_so_or_nothing(text: str) -> None:
    for find in (DEX.find_form, DEX.find_move):
        with suppress(UnknownNameError):
            found = find(text)
            assert normalise(text) in map(normalise, (found.name, found.name_fr, found.slug, *found.aliases))


@given(st.binary(max_size=200).map(lambda sent: sent.decode("utf-8", "surrogateescape")) | st.text(st.characters()))
@settings(max_examples=300)
def test_any_bytes_find_a_thing_or_nothing(text: str) -> None:
    """Halves of characters and characters of no meaning too, which `text` alone does not bring."""
    for find in (DEX.find_form, DEX.find_move):
        with suppress(UnknownNameError):
            find(text)
    DEX.search_forms(text)


@given(st.text(alphabet=st.characters(categories=("L", "N")), min_size=1, max_size=64))
def test_a_name_with_a_letter_finds_its_thing_or_three_others(text: str) -> None:
    for find in (DEX.find_form, DEX.find_move):
        try:
            things = {find(text).id}
        except UnknownNameError as error:
            things = {find(name).id for name in error.suggestions}
            wanted = 3
        else:
            wanted = 1
        assert len(things) == wanted


@given(st.text())
def test_a_key_is_its_own_key(text: str) -> None:
    key = normalise(text)
    assert normalise(key) == key
