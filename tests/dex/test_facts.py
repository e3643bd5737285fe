"""The facts themselves, against values known from the games and from the simulator."""

from dataclasses import FrozenInstanceError

import pytest

from api_pokemon.dex import BaseStats, Boost, Dex, Move, Secondary


def test_counts(dex: Dex) -> None:
    assert len(dex.forms) == 188
    assert len([form for form in dex.forms if not form.forme]) == 153
    assert len(dex.types) == 18
    learnable = [move for move in dex.moves if move.name != "Struggle"]
    assert len(learnable) == 226
    assert len([move for move in learnable if not move.damaging]) == 69
    assert {move.id for move in learnable} == {move_id for form in dex.forms for move_id in form.learnset}


def test_all_is_ascending_and_consistent(dex: Dex) -> None:
    ids = {form.id for form in dex.forms}
    assert [form.id for form in dex.forms] == sorted(ids)
    assert [move.id for move in dex.moves] == sorted({move.id for move in dex.moves})
    for form in dex.forms:
        assert form.base_form_id in ids
        assert form.evolves_from_id is None or form.evolves_from_id in ids
        assert list(form.learnset) == sorted(set(form.learnset))
        assert set(form.inherited) < set(form.learnset)
        assert set(form.types) <= set(dex.types)
    for move in dex.moves:
        assert move.type in dex.types
        assert move.damaging or (move.power == 0 and move.fixed_damage is None)


def test_base_form_ids_are_national_numbers(dex: Dex) -> None:
    plain = [form.id for form in dex.forms if not form.forme]
    assert plain == [*range(1, 152), 808, 809]
    assert all(form.id == form.national_id == form.base_form_id for form in dex.forms if not form.forme)


def test_a_form(dex: Dex) -> None:
    form = dex.form(10034)
    assert (form.name, form.slug, form.showdown_id) == ("Charizard-Mega-X", "charizard-mega-x", "charizardmegax")
    assert form.types == ("Fire", "Dragon")
    assert form.base_stats == BaseStats(78, 130, 111, 130, 85, 100)
    assert (form.weight_kg, form.gender, form.forme, form.base_form_id) == (110.5, "M", "Mega-X", 6)
    assert form.learnset == dex.form(6).learnset
    assert form.learns(dex.find_move("Flare Blitz").id)
    assert not form.learns(dex.find_move("Surf").id)


@pytest.mark.parametrize(
    ("name", "gender"),
    [("Bulbasaur", "M"), ("Pikachu", "M"), ("Vulpix", "F"), ("Nidoran♀", "F"), ("Kangaskhan", "F"), ("Mewtwo", "N")],
)
def test_gender_is_the_more_frequent_one(dex: Dex, name: str, gender: str) -> None:
    assert dex.find_form(name).gender == gender


def test_learnsets_hold_what_pre_evolutions_learn(dex: Dex) -> None:
    inherited = {
        form.name: len([move_id for move_id in form.inherited if dex.move(move_id).damaging]) for form in dex.forms
    }
    assert sum(inherited.values()) == 68
    assert len([count for count in inherited.values() if count]) == 28
    pairs = [(form.id, move_id) for form in dex.forms for move_id in form.learnset if dex.move(move_id).damaging]
    assert len(pairs) == 3384
    assert [dex.move(move_id).name for move_id in dex.find_form("Metapod").inherited] == ["Tackle", "String Shot"]
    assert dex.find_form("Beedrill-Mega").learns(dex.find_move("Poison Sting").id)
    assert dex.find_form("Raichu-Alola").learns(dex.find_move("Quick Attack").id)


def test_forms_without_a_damaging_move_of_their_own(dex: Dex) -> None:
    harmless = [
        form.name
        for form in dex.forms
        if not any(dex.move(move_id).damaging for move_id in set(form.learnset) - set(form.inherited))
    ]
    assert harmless == ["Metapod", "Kakuna", "Ditto"]


def test_evolutions(dex: Dex) -> None:
    assert dex.find_form("Venusaur").evolves_from_id == 2
    assert dex.find_form("Raticate-Alola").evolves_from_id == dex.find_form("Rattata-Alola").id
    assert dex.find_form("Pikachu").evolves_from_id is None  # no Pichu in this game
    assert dex.find_form("Venusaur-Mega").evolves_from_id is None


def test_a_move_as_let_us_go_changed_it(dex: Dex) -> None:
    solar_beam = dex.find_move("Solar Beam")
    assert (solar_beam.power, solar_beam.accuracy, solar_beam.pp, solar_beam.category) == (200, 100, 16, "Special")
    assert "charge" in solar_beam.flags
    assert solar_beam.callbacks == ("onBasePower", "onTryMove")


def moves_where(dex: Dex, **values: object) -> list[str]:
    return [move.name for move in dex.moves if all(getattr(move, field) == value for field, value in values.items())]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"multihit": (2, 2)}, ["Double Kick", "Twineedle", "Bonemerang", "Double Iron Bash"]),
        ({"recoil": 0.25}, ["Take Down", "Submission"]),
        ({"recoil": 0.33}, ["Double-Edge", "Flare Blitz"]),
        ({"struggle_recoil": True}, ["Struggle"]),
        ({"drain": 0.5}, ["Absorb", "Mega Drain", "Dream Eater", "Leech Life", "Bouncy Bubble"]),
        ({"crash_damage": True}, ["Jump Kick", "High Jump Kick"]),
        ({"will_crit": True}, ["Zippy Zap"]),
        ({"self_destruct": True}, ["Self-Destruct", "Explosion"]),
        ({"ohko": True}, ["Guillotine", "Horn Drill", "Fissure"]),
        ({"fixed_damage": "level"}, ["Seismic Toss", "Night Shade"]),
        ({"fixed_damage": 20}, ["Sonic Boom"]),
        ({"fixed_damage": 40}, ["Dragon Rage"]),
        ({"self_volatile_status": "lockedmove"}, ["Thrash", "Petal Dance", "Outrage"]),
        ({"self_volatile_status": "mustrecharge"}, ["Hyper Beam"]),
        ({"self_side_condition": "reflect"}, ["Baddy Bad"]),
        ({"volatile_status": "partiallytrapped"}, ["Bind", "Wrap", "Fire Spin", "Clamp"]),
        ({"self_boosts": (Boost("attack", -1), Boost("defense", -1))}, ["Superpower"]),
        ({"offensive_pokemon": "target"}, ["Foul Play"]),
        ({"breaks_protect": True}, ["Feint"]),
        ({"self_switch": True, "category": "Physical"}, ["U-turn"]),
        ({"force_switch": True, "category": "Physical"}, ["Dragon Tail"]),
        ({"thaws_target": True}, ["Scald"]),
        ({"priority": -5}, ["Counter", "Mirror Coat"]),
        ({"heal": 0.5}, ["Recover", "Soft-Boiled", "Roost"]),
        ({"boosts": (Boost("attack", 2),)}, ["Swords Dance"]),
        ({"status": "slp"}, ["Sing", "Sleep Powder", "Hypnosis", "Lovely Kiss", "Spore"]),
        ({"secondaries": (Secondary(20),)}, ["Tri Attack"]),
        ({"secondaries": (Secondary(30, status="psn"),)}, ["Poison Sting", "Sludge", "Sludge Bomb", "Poison Jab"]),
        ({"secondaries": (Secondary(30, boosts=(Boost("special_attack", -1),)),)}, ["Moonblast"]),
        ({"secondaries": (Secondary(100, volatile_status="flinch"),)}, ["Fake Out"]),
    ],
)
def test_mechanics(dex: Dex, values: dict[str, object], names: list[str]) -> None:
    assert moves_where(dex, **values) == names


def test_callbacks_show_the_special_cases(dex: Dex) -> None:
    computed = {"basePowerCallback", "damageCallback"}
    assert [move.name for move in dex.moves if computed & set(move.callbacks)] == [
        *("Low Kick", "Counter", "Psywave", "Super Fang", "Mirror Coat", "Pika Papow", "Veevee Volley"),
    ]
    assert dex.find_move("Rage").callbacks == ("condition.onBeforeMove", "condition.onHit", "condition.onStart")


def test_no_damaging_move_is_without_a_way_to_do_damage(dex: Dex) -> None:
    def explained(move: Move) -> bool:
        return bool(move.power or move.fixed_damage or move.ohko or move.callbacks)

    assert [move.name for move in dex.moves if move.damaging and not explained(move)] == []


def test_pp_are_those_of_a_duel(dex: Dex) -> None:
    assert {move.name: move.pp for move in map(dex.move, (57, 63, 45, 165))} == {
        "Surf": 24,
        "Hyper Beam": 8,
        "Growl": 64,
        "Struggle": 1,
    }


def test_values_are_immutable(dex: Dex) -> None:
    with pytest.raises(FrozenInstanceError):
        dex.form(1).name = "Missingno"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        dex.forms = ()  # type: ignore[misc]
