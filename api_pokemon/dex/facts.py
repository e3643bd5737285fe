"""What is known of a form and of a move, as immutable values.

Words are Pokémon Showdown's own: a status is ``brn``, ``frz``, ``par``, ``psn``, ``slp`` or ``tox``; a volatile status
is ``flinch``, ``confusion``, ``lockedmove`` and the like.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Category = Literal["Physical", "Special", "Status"]
Gender = Literal["M", "F", "N"]
Language = Literal["en", "fr"]
Stat = Literal["attack", "defense", "special_attack", "special_defense", "speed", "accuracy", "evasion"]


class Boost(NamedTuple):
    """A change of one stat, in stages from -6 to 6."""

    stat: Stat
    stages: int


class Matchup(NamedTuple):
    """How much an attack of a type is multiplied: 0, 1/4, 1/2, 1, 2 or 4."""

    type: str
    multiplier: float


@dataclass(frozen=True, slots=True)
class BaseStats:
    """A species' base stats, 1 to 255 each."""

    hp: int
    attack: int
    defense: int
    special_attack: int
    special_defense: int
    speed: int


@dataclass(frozen=True, slots=True)
class Secondary:
    """What a hit may do beside its damage.

    Parameters
    ----------
    chance
        In percent.
    status, volatile_status, boosts
        What happens to the target; all of them empty where a callback decides (Tri Attack).
    self_boosts
        What happens to the user.
    """

    chance: int
    status: str | None = None
    volatile_status: str | None = None
    boosts: tuple[Boost, ...] = ()
    self_boosts: tuple[Boost, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """A move, as the simulator's ``gen7letsgo`` has it.

    Parameters
    ----------
    id
        Showdown's ``num``, which is PokéAPI's move id too.
    slug
        PokéAPI's spelling, ``thunder-punch``; `showdown_id` is ``thunderpunch``.
    aliases
        Further names that find it.
    power
        0 where the move has none, or where a callback computes it.
    accuracy
        In percent; None never misses.
    pp
        As a duel starts: with all PP Ups, 8/5 of the move's own (Struggle's 1 is never used up).
    multihit
        Fewest and most hits; a move that hits twice has ``(2, 2)``.
    recoil, drain
        Share of the damage dealt that the user loses, or regains.
    struggle_recoil
        The user loses a quarter of its own maximum HP.
    crash_damage
        The user loses half of its own maximum HP when it misses.
    heal
        Share of the user's maximum HP that it regains.
    crit_ratio
        Stage of the chance of a critical hit, 1 for most moves.
    fixed_damage
        HP, or ``level`` for the user's level.
    status, volatile_status, boosts
        What happens to the move's target, which is the user itself where `target` is ``self``.
    self_boosts, self_volatile_status, self_side_condition
        What happens to the user, always.
    side_condition
        What is laid on the side that `target` names.
    offensive_pokemon, defensive_stat
        Whose Attack, and which stat, damage is computed with, where it is unusual (Foul Play: ``target``).
    callbacks
        Where in the simulator's data a function stands, dotted: what these do is not in the other fields.
    """

    id: int
    slug: str
    showdown_id: str
    name: str
    name_fr: str
    type: str
    category: Category
    power: int
    accuracy: int | None
    pp: int
    priority: int = 0
    aliases: tuple[str, ...] = ()
    target: str = "normal"
    flags: frozenset[str] = frozenset()
    multihit: tuple[int, int] | None = None
    recoil: float | None = None
    struggle_recoil: bool = False
    drain: float | None = None
    crash_damage: bool = False
    heal: float | None = None
    crit_ratio: int = 1
    will_crit: bool = False
    self_destruct: bool = False
    ohko: bool = False
    fixed_damage: int | Literal["level"] | None = None
    secondaries: tuple[Secondary, ...] = ()
    status: str | None = None
    volatile_status: str | None = None
    boosts: tuple[Boost, ...] = ()
    self_boosts: tuple[Boost, ...] = ()
    self_volatile_status: str | None = None
    side_condition: str | None = None
    self_side_condition: str | None = None
    offensive_pokemon: Literal["target", "source"] | None = None
    defensive_stat: Stat | None = None
    ignore_defensive: bool = False
    ignore_immunity: bool = False
    breaks_protect: bool = False
    self_switch: bool = False
    force_switch: bool = False
    stalling: bool = False
    calls_move: bool = False
    thaws_target: bool = False
    callbacks: tuple[str, ...] = ()

    @property
    def damaging(self) -> bool:
        """Whether it is Physical or Special: not whether it needs no help to do damage (Counter)."""
        return self.category != "Status"

    def local_name(self, language: Language) -> str:
        """The name in the games of that language."""
        return self.name_fr if language == "fr" else self.name


@dataclass(frozen=True, slots=True)
class Form:
    """A Pokémon as it stands in a duel: a species, or its Alola, Mega or partner forme.

    Parameters
    ----------
    id
        PokéAPI's ``pokemon.id``.
    slug
        PokéAPI's spelling, ``raichu-alola``; `showdown_id` is ``raichualola``.
    aliases
        Further names that find it, ``Alolan Raichu``.
    types
        One or two, the first first.
    gender
        The one that it has in a simulated duel: the species' more frequent one, ``M`` if even, ``N`` if it has none.
    forme
        ``Alola``, ``Mega``, ``Mega-X``, ``Mega-Y``, ``Starter``, or empty.
    base_form_id
        The species' plain form, which may be this one.
    evolves_from_id
        None for first stages, Megas, partners, and the Alola formes that this game has only by trade (Raichu-Alola).
    learnset
        Move ids, ascending, with what its pre-evolutions learn; a Mega knows what its base form knows.
    inherited
        Those of the learnset that only a pre-evolution learns: Metapod's Tackle, which it kept from Caterpie.
    """

    id: int
    slug: str
    showdown_id: str
    name: str
    name_fr: str
    national_id: int
    types: tuple[str, ...]
    base_stats: BaseStats
    weight_kg: float
    gender: Gender
    forme: str
    base_form_id: int
    learnset: tuple[int, ...]
    evolves_from_id: int | None = None
    inherited: tuple[int, ...] = ()
    aliases: tuple[str, ...] = ()
    _learnable: frozenset[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_learnable", frozenset(self.learnset))

    def learns(self, move_id: int) -> bool:
        """Whether the move is in its learnset."""
        return move_id in self._learnable

    def local_name(self, language: Language) -> str:
        """The name in the games of that language."""
        return self.name_fr if language == "fr" else self.name
