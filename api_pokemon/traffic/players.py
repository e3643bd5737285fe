"""What real players ask: some Pokémon are everybody's favourites, and habits can change.

`uniform` is what no client does. *Players* have favourites, by a popularity that is the same every day; so their
traffic is what a reference for drift should be taken from. Each entry of `DRIFTS` is the same players with one habit
changed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from itertools import accumulate
from random import Random
from types import MappingProxyType
from typing import NamedTuple

from api_pokemon.dex import Dex, Form, Move

_MOVES = 4
_SHARE_WITH_KNOWN_REPLIES = 0.6
_STEEPNESS = 0.9
"""Of the popularity: the form of rank r is asked for in proportion to 1 / (r + 3) ** steepness."""


class Asked(NamedTuple):
    """One duel that a player asks about; the replies are empty where the opponent's moves are unknown."""

    attacker: Form
    defender: Form
    moves: list[Move]
    replies: list[Move]


@dataclass(frozen=True, slots=True)
class Habits:
    """How players choose.

    Parameters
    ----------
    favour
        What the popularity of a form is multiplied with, for the own side.
    favour_opponent
        The same for the other side.
    wish
        The weight of a move among those of its Pokémon.
    fewest_moves
        Players bring between so many moves and four.
    """

    favour: Callable[[Form], float]
    favour_opponent: Callable[[Form], float]
    wish: Callable[[Move], float]
    fewest_moves: int = 3

    def of(self, dex: Dex) -> Callable[[Random], Asked]:
        """What players with these habits ask about, one duel a call."""
        popularity = _popularity(dex)
        attackers = _Lot((form, popularity[form.id] * self.favour(form)) for form in fighters(dex))
        defenders = _Lot((form, popularity[form.id] * self.favour_opponent(form)) for form in fighters(dex))
        known_attacks = {form.id: attacks(dex, form) for form in fighters(dex)}

        def ask(random: Random) -> Asked:
            attacker, defender = attackers.draw(random), defenders.draw(random)
            moves = self._moves(known_attacks[attacker.id], random.randint(self.fewest_moves, _MOVES), random)
            known = random.random() < _SHARE_WITH_KNOWN_REPLIES
            replies = self._moves(known_attacks[defender.id], _MOVES, random) if known else []
            return Asked(attacker, defender, moves, replies)

        return ask

    def _moves(self, moves: list[Move], most: int, random: Random) -> list[Move]:
        """So many of them, or all; each draw by the wishes for those that are left."""
        left = list(moves)
        drawn: list[Move] = []
        while left and len(drawn) < most:
            drawn.append(left.pop(random.choices(range(len(left)), [self.wish(move) for move in left])[0]))
        return drawn


class _Lot:
    """Draws forms by their weights."""

    def __init__(self, weights: Iterable[tuple[Form, float]]) -> None:
        weighed = [(form, weight) for form, weight in weights if weight]
        self._forms = [form for form, _ in weighed]
        self._edges = list(accumulate(weight for _, weight in weighed))

    def draw(self, random: Random) -> Form:
        return random.choices(self._forms, cum_weights=self._edges)[0]


def _popularity(dex: Dex) -> dict[int, float]:
    """By form id. The order of the ranks is arbitrary and always the same."""
    order = [form.id for form in dex.forms]
    Random("popularity").shuffle(order)
    return {form_id: 1 / (rank + 3) ** _STEEPNESS for rank, form_id in enumerate(order)}


def fighters(dex: Dex) -> list[Form]:
    """The forms that can duel."""
    return [form for form in dex.forms if dex.can_duel(form)]


def attacks(dex: Dex, form: Form) -> list[Move]:
    """The moves of its learnset that do damage."""
    return [move for move in map(dex.move, form.learnset) if move.damaging]


def _base_stat_total(form: Form) -> int:
    return sum(astuple(form.base_stats))


def _is_newcomer(form: Form) -> bool:
    return form.slug.endswith(("-mega", "-mega-x", "-mega-y"))


def _power(move: Move) -> float:
    return 20.0 + move.power


def _weakness(move: Move) -> float:
    return 1 / _power(move) ** 2


def _known_form(form: Form) -> float:
    return 0.0 if _is_newcomer(form) else 1.0


def _water_form(form: Form) -> float:
    return _known_form(form) * (6.0 if "Water" in form.types else 1.0)


def _strong_form(form: Form) -> float:
    return _known_form(form) * (_base_stat_total(form) / 400) ** 4


def _new_form(form: Form) -> float:
    return 4.0 if _is_newcomer(form) else 1.0


PLAYERS = Habits(favour=_known_form, favour_opponent=_known_form, wish=_power)
"""Favourites among the forms that are not Mega, with the stronger ones of their moves."""

DRIFTS: Mapping[str, Habits] = MappingProxyType(
    {
        "types": replace(PLAYERS, favour=_water_form, favour_opponent=_water_form),
        "strength": replace(PLAYERS, favour=_strong_form),
        "newcomers": replace(PLAYERS, favour=_new_form),
        "movesets": replace(PLAYERS, wish=_weakness, fewest_moves=1),
    }
)
"""A season of water; strong forms on the own side; Mega forms, which nobody had; few and weak moves."""
