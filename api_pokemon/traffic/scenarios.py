"""What a client asks: endless, seeded streams of calls, one scenario each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Protocol

from api_pokemon.dex import Dex, Form, Language, Move

_MOST_MOVES = 4
_SHARE_WITH_AN_UNLEARNABLE_MOVE = 0.05
_SHARE_WITH_KNOWN_REPLIES = 0.3
_SHARE_IN_FRENCH = 0.25


@dataclass(frozen=True, slots=True)
class Call:
    """One question to ``POST /predict/best-move``, asked and to be answered in `language`."""

    pokemon_a_id: int
    pokemon_b_id: int
    available_moves: tuple[str, ...]
    available_moves_b: tuple[str, ...] | None
    language: Language

    def body(self) -> dict[str, object]:
        """The request's JSON."""
        body: dict[str, object] = {
            "pokemon_a_id": self.pokemon_a_id,
            "pokemon_b_id": self.pokemon_b_id,
            "available_moves": self.available_moves,
        }
        if self.available_moves_b is not None:
            body["available_moves_b"] = self.available_moves_b
        return body


class Scenario(Protocol):
    """Makes an endless stream of calls; the same one from the same seed."""

    def __call__(self, dex: Dex, random: Random) -> Iterator[Call]: ...


def uniform(dex: Dex, random: Random) -> Iterator[Call]:
    """Any form against any other with up to four moves of its learnset; every call can be answered.

    Now and then a move that the form cannot learn is among them; three calls in ten know the opponent's moves; one in
    four is in French.

    Examples
    --------
    >>> from itertools import islice
    >>> from api_pokemon.dex import load_dex
    >>> for call in islice(uniform(load_dex(), Random(1)), 2):
    ...     print(call.pokemon_a_id, call.pokemon_b_id, call.available_moves)
    37 149 ('Protect', 'Fire Blast', 'Fire Spin', 'Roar')
    10038 1 ('Léchouille', 'Onde Folie', 'Frappe Atlas', 'Griffe')
    """
    fighters = [form for form in dex.forms if dex.can_duel(form)]
    attacks = [move for move in dex.moves if move.damaging and not move.struggle_recoil]
    while True:
        form_a, form_b = random.choice(fighters), random.choice(fighters)
        moves = _some_moves(dex, form_a, random)
        if random.random() < _SHARE_WITH_AN_UNLEARNABLE_MOVE:
            moves[-1:] = [random.choice([move for move in attacks if not form_a.learns(move.id)])]
        known = random.random() < _SHARE_WITH_KNOWN_REPLIES
        replies = _subset(_damaging(dex, form_b), random) if known else []
        language: Language = "fr" if random.random() < _SHARE_IN_FRENCH else "en"
        yield Call(form_a.id, form_b.id, _names(moves, language), _names(replies, language) or None, language)


def _some_moves(dex: Dex, form: Form, random: Random) -> list[Move]:
    """One to four moves of the learnset, with at least one that does damage."""
    learnset = [dex.move(move_id) for move_id in form.learnset]
    while True:
        moves = _subset(learnset, random)
        if any(move.damaging for move in moves):
            return moves


def _subset(moves: list[Move], random: Random) -> list[Move]:
    return random.sample(moves, min(random.randint(1, _MOST_MOVES), len(moves)))


def _damaging(dex: Dex, form: Form) -> list[Move]:
    return [move for move in map(dex.move, form.learnset) if move.damaging]


def _names(moves: list[Move], language: Language) -> tuple[str, ...]:
    return tuple(move.local_name(language) for move in moves)


SCENARIOS: Mapping[str, Scenario] = MappingProxyType({"uniform": uniform})
"""By the name that ``api-pokemon traffic --scenario`` takes."""
