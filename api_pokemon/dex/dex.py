"""Look-up of the game's facts."""

from collections.abc import Iterable, Mapping, Sequence

from api_pokemon.dex.facts import Form, Language, Matchup, Move
from api_pokemon.dex.names import NameIndex
from api_pokemon.errors import UnknownIdError, UnknownNameError


class Dex:
    """All forms, moves and types of Let's Go Pikachu and Eevee; immutable.

    Parameters
    ----------
    forms, moves
        Ascending by id.
    type_names
        French name of each type, by its English one, in the order of the game.
    chart
        Multiplier by attacking, then by defending type; what is missing is 1.
    immunities
        By type, the statuses and the like that it cannot suffer.

    Examples
    --------
    >>> from api_pokemon.dex import load_dex
    >>> dex = load_dex()
    >>> dex.find_form("évoli").name, dex.find_move("Poing-Éclair").name
    ('Eevee', 'Thunder Punch')
    >>> dex.effectiveness("Ground", dex.find_form("Charizard").types)
    0.0
    """

    def __init__(
        self,
        forms: tuple[Form, ...],
        moves: tuple[Move, ...],
        type_names: Mapping[str, str],
        chart: Mapping[str, Mapping[str, float]],
        immunities: Mapping[str, frozenset[str]],
    ) -> None:
        self._forms = forms
        self._moves = moves
        self._types = tuple(type_names)
        self._type_names = dict(type_names)
        self._chart = {attack: {type_: chart[attack].get(type_, 1.0) for type_ in type_names} for attack in type_names}
        self._immunities = dict(immunities)
        self._form_by_id = {form.id: form for form in forms}
        self._move_by_id = {move.id: move for move in moves}
        self._form_names = NameIndex("Pokémon", {form.id: _names(form) for form in forms})
        self._move_names = NameIndex("move", {move.id: _names(move) for move in moves})
        self._move_by_spelling = {spelling: move for move in moves for spelling in _names(move)}

    @property
    def forms(self) -> tuple[Form, ...]:
        """All forms, ascending by id."""
        return self._forms

    @property
    def moves(self) -> tuple[Move, ...]:
        """All moves that a form can learn, and Struggle, ascending by id."""
        return self._moves

    @property
    def types(self) -> tuple[str, ...]:
        """The 18 types, by their English names, in the order of the game."""
        return self._types

    def form(self, form_id: int) -> Form:
        """The form of that id; `UnknownIdError` if there is none."""
        try:
            return self._form_by_id[form_id]
        except KeyError:
            raise UnknownIdError("Pokémon", form_id) from None

    def move(self, move_id: int) -> Move:
        """The move of that id; `UnknownIdError` if there is none."""
        try:
            return self._move_by_id[move_id]
        except KeyError:
            raise UnknownIdError("move", move_id) from None

    def find_form(self, name: str) -> Form:
        """The form of that name, in English, French or as a slug; `UnknownNameError` if there is none."""
        return self._form_by_id[self._form_names.find(name)]

    def find_move(self, name: str) -> Move:
        """The move of that name, in English, French or as a slug; `UnknownNameError` if there is none."""
        return self._move_by_spelling.get(name) or self._move_by_id[self._move_names.find(name)]

    def find_moves(self, names: Iterable[str]) -> list[Move]:
        """The moves of those names, as :meth:`find_move` finds each."""
        known = self._move_by_spelling
        return [known.get(name) or self.find_move(name) for name in names]

    def can_duel(self, form: Form) -> bool:
        """Whether it learns a damaging move of its own; what only a pre-evolution learns does not count.

        >>> from api_pokemon.dex import load_dex
        >>> dex = load_dex()
        >>> [form.name for form in dex.forms if not dex.can_duel(form)]
        ['Metapod', 'Kakuna', 'Ditto']
        """
        return any(self.move(move_id).damaging for move_id in form.learnset if move_id not in form.inherited)

    def search_forms(self, text: str) -> tuple[Form, ...]:
        """The forms with a name in any language that contains the text, ascending by id."""
        found = self._form_names.search(text)
        return tuple(form for form in self._forms if form.id in found)

    def search_moves(self, text: str) -> tuple[Move, ...]:
        """The moves with a name in any language that contains the text, ascending by id."""
        found = self._move_names.search(text)
        return tuple(move for move in self._moves if move.id in found)

    def effectiveness(self, attacking_type: str, defending_types: Iterable[str]) -> float:
        """The type chart's multiplier of an attack: the product over the defender's types."""
        multiplier = 1.0
        try:
            row = self._chart[attacking_type]
            for defending_type in defending_types:
                multiplier *= row[defending_type]
        except KeyError as error:
            raise UnknownNameError("type", error.args[0], ()) from None
        return multiplier

    def weaknesses(self, form: Form) -> tuple[Matchup, ...]:
        """What each of the 18 types does to the form."""
        return tuple(Matchup(type_, self.effectiveness(type_, form.types)) for type_ in self._types)

    def is_immune(self, types: Sequence[str], effect: str) -> bool:
        """Whether one of the types protects from a status, ``powder`` (Sleep Powder, Spore) or ``trapped``.

        >>> from api_pokemon.dex import load_dex
        >>> load_dex().is_immune(["Electric"], "par")
        True
        """
        return any(effect in self._immunities[type_] for type_ in types)

    def type_name(self, type_: str, language: Language) -> str:
        """The type's name in that language, by its English one."""
        if type_ not in self._type_names:
            raise UnknownNameError("type", type_, ())
        return self._type_names[type_] if language == "fr" else type_


def _names(thing: Form | Move) -> tuple[str, ...]:
    return (thing.name, thing.name_fr, thing.slug, thing.showdown_id, *thing.aliases)
