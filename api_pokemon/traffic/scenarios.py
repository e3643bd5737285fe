"""What a client asks: endless, seeded streams of calls, one scenario each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Protocol

from api_pokemon.dex import Dex, Form, Language, Move
from api_pokemon.traffic.players import DRIFTS, PLAYERS, Habits, attacks, fighters

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
    forms = fighters(dex)
    all_attacks = [move for move in dex.moves if move.damaging and not move.struggle_recoil]
    while True:
        form_a, form_b = random.choice(forms), random.choice(forms)
        moves = _some_moves(dex, form_a, random)
        if random.random() < _SHARE_WITH_AN_UNLEARNABLE_MOVE:
            moves[-1:] = [random.choice([move for move in all_attacks if not form_a.learns(move.id)])]
        known = random.random() < _SHARE_WITH_KNOWN_REPLIES
        replies = _subset(attacks(dex, form_b), random) if known else []
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


def _names(moves: Sequence[Move], language: Language) -> tuple[str, ...]:
    return tuple(move.local_name(language) for move in moves)


def _played_by(habits: Habits) -> Scenario:
    """Calls of players with these habits; every call can be answered."""

    def play(dex: Dex, random: Random) -> Iterator[Call]:
        asks = habits.of(dex)
        while True:
            duel = asks(random)
            language: Language = "fr" if random.random() < _SHARE_IN_FRENCH else "en"
            replies = _names(duel.replies, language) or None
            yield Call(duel.attacker.id, duel.defender.id, _names(duel.moves, language), replies, language)

    return play


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {"uniform": uniform, "players": _played_by(PLAYERS)}
    | {f"drift-{name}": _played_by(habits) for name, habits in DRIFTS.items()}
)
"""By the name that ``api-pokemon traffic --scenario`` takes."""
