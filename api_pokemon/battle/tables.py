"""The dex as arrays: one row per form and one per damaging move, so that duels are counted in bulk."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from api_pokemon.battle.stats import FRIENDSHIP, LEVEL, hit_points, other_stat
from api_pokemon.dex import Dex, Move
from api_pokemon.dex import Stat as StatName

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MAX_USES = 10
"""A knock-out that takes more successful uses than this is told as this many."""
CRITICAL_CHANCE = (0.0, 1 / 24, 1 / 8, 1 / 2, 1.0)
STATUS_IMMUNE = {"par": ("Electric",), "brn": ("Fire",), "psn": ("Poison", "Steel"), "frz": ("Ice",)}
STAT_NAMES: tuple[StatName, ...] = ("attack", "defense", "special_attack", "special_defense", "speed")
RHYTHMS = ("every turn", "charge", "recharge", "bide", "once")
TWO_TO_FIVE = {2: 1 / 3, 3: 1 / 3, 4: 1 / 6, 5: 1 / 6}
WEIGHT_POWER = ((200, 120), (100, 100), (50, 80), (25, 60), (10, 40), (0, 20))
"""Low Kick's power from the target's weight in kg."""


@dataclass(frozen=True, slots=True)
class MoveTable:
    """Damaging moves; every array has one row a move, in the order of ``ids``.

    Attributes
    ----------
    power, type, physical, accuracy, critical_chance, priority, pp
        As in the dex; ``type`` is a row of the type chart, ``accuracy`` in [0, 1], 0 where the move can never work.
    hits, hits_variance, fewest_hits, most_hits : hits of one use
    critical_weights, criticals : (moves, 3, MAX_USES)
        For 1 … ``MAX_USES`` uses that hit: the chances of no, one and several critical hits, and how many those are.
    is_fixed, fixed_low, fixed_high, one_hit, halves, weight_power, target_attack
        Damage that the formula does not give, or takes from another stat.
    rhythm : row of ``RHYTHMS``
    recoil, drain : share of the damage dealt
    crash, self_destruct, lock, trap : 0 or 1
    flinch, confusion, status : chance in [0, 1] per use; ``status`` has one column per key of ``STATUS_IMMUNE``
    target_stages, own_stages : expected stages per use, one column per name of ``STAT_NAMES``
    """

    ids: tuple[int, ...]
    showdown_ids: tuple[str, ...]
    power: Ints
    type: Ints
    physical: Bools
    accuracy: Floats
    critical_chance: Floats
    priority: Ints
    pp: Ints
    hits: Floats
    hits_variance: Floats
    fewest_hits: Ints
    most_hits: Ints
    critical_weights: Floats
    criticals: Floats
    is_fixed: Bools
    fixed_low: Ints
    fixed_high: Ints
    one_hit: Bools
    halves: Bools
    weight_power: Bools
    target_attack: Bools
    rhythm: Ints
    recoil: Floats
    drain: Floats
    crash: Floats
    self_destruct: Floats
    lock: Floats
    trap: Floats
    flinch: Floats
    confusion: Floats
    status: Floats
    target_stages: Floats
    own_stages: Floats


class DuelTables:
    """Forms, damaging moves and the pairs of both that can be learned, as arrays.

    Attributes
    ----------
    form_row, move_row : dict
        Row by id; a status move, and Struggle, has no row.
    hit_points, attack, defense, special_attack, special_defense, speed : (forms,)
        Stats at level 50.
    effectiveness : (types, forms)
        Type multiplier of an attack.
    has_type : (forms, types)
    status_immune : (forms, statuses)
    pair_form, pair_move : (pairs,)
        The learnable (form, damaging move) pairs, by form row, then move row; none for forms that cannot duel.
    first_pair : (forms + 1,)
        Pairs of form row f are ``first_pair[f]`` up to ``first_pair[f + 1]``.
    """

    def __init__(self, dex: Dex) -> None:
        self.form_ids = tuple(form.id for form in dex.forms)
        self.form_row = {form_id: row for row, form_id in enumerate(self.form_ids)}
        self.moves = move_table(dex)
        self.move_row = {move_id: row for row, move_id in enumerate(self.moves.ids)}
        base = [form.base_stats for form in dex.forms]
        self.hit_points = hit_points(np.array([stats.hp for stats in base]))
        self.attack = other_stat(np.array([stats.attack for stats in base]))
        self.defense = other_stat(np.array([stats.defense for stats in base]))
        self.special_attack = other_stat(np.array([stats.special_attack for stats in base]))
        self.special_defense = other_stat(np.array([stats.special_defense for stats in base]))
        self.speed = other_stat(np.array([stats.speed for stats in base]))
        self.effectiveness = np.array([[dex.effectiveness(t, form.types) for form in dex.forms] for t in dex.types])
        self.has_type = np.array([[t in form.types for t in dex.types] for form in dex.forms])
        self.status_immune = np.array(
            [[any(t in form.types for t in types) for types in STATUS_IMMUNE.values()] for form in dex.forms]
        )
        self.weight_power = np.array(
            [next(power for weight, power in WEIGHT_POWER if form.weight_kg >= weight) for form in dex.forms]
        )
        pairs = [
            (row, self.move_row[move_id])
            for row, form in enumerate(dex.forms)
            if dex.can_duel(form)
            for move_id in form.learnset
            if move_id in self.move_row
        ]
        self.pair_form, self.pair_move = np.array(sorted(pairs), dtype=np.intp).T
        self.first_pair = np.searchsorted(self.pair_form, np.arange(len(self.form_ids) + 1))

    @cached_property
    def pair_row(self) -> NDArray[np.int32]:
        """Row of a learnable pair, shape (forms, moves); -1 where the form cannot learn the move."""
        rows = np.full((len(self.form_ids), len(self.moves.ids)), -1, dtype=np.int32)
        rows[self.pair_form, self.pair_move] = np.arange(len(self.pair_form))
        return rows


def move_table(dex: Dex) -> MoveTable:
    """The damaging moves of the dex as arrays; Struggle, which nobody can choose, is none of them."""
    moves = [move for move in dex.moves if move.damaging and not move.struggle_recoil]
    type_row = {name: row for row, name in enumerate(dex.types)}

    def ints(value: Callable[[Move], int]) -> Ints:
        return np.array([value(move) for move in moves], dtype=np.int64)

    def floats(value: Callable[[Move], float]) -> Floats:
        return np.array([value(move) for move in moves], dtype=np.float64)

    def bools(value: Callable[[Move], bool]) -> Bools:
        return np.array([value(move) for move in moves], dtype=np.bool_)

    critical_chance = floats(lambda move: 1.0 if move.will_crit else CRITICAL_CHANCE[move.crit_ratio])
    hits = floats(lambda move: _hits(move)[0])
    critical_weights, criticals = _critical_mix(critical_chance, hits)
    return MoveTable(
        ids=tuple(move.id for move in moves),
        showdown_ids=tuple(move.showdown_id for move in moves),
        power=ints(_power),
        type=ints(lambda move: type_row[move.type]),
        physical=bools(lambda move: move.category == "Physical"),
        accuracy=floats(_accuracy),
        critical_chance=critical_chance,
        priority=ints(lambda move: move.priority),
        pp=ints(lambda move: move.pp),
        hits=hits,
        hits_variance=floats(lambda move: _hits(move)[1]),
        fewest_hits=ints(lambda move: (move.multihit or (1, 1))[0]),
        most_hits=ints(lambda move: (move.multihit or (1, 1))[1]),
        critical_weights=critical_weights,
        criticals=criticals,
        is_fixed=bools(lambda move: _fixed(move) is not None or move.ohko),
        fixed_low=ints(lambda move: (_fixed(move) or (0, 0))[0]),
        fixed_high=ints(lambda move: (_fixed(move) or (0, 0))[1]),
        one_hit=bools(lambda move: move.ohko),
        halves=bools(lambda move: move.showdown_id == "superfang"),
        weight_power=bools(lambda move: move.showdown_id == "lowkick"),
        target_attack=bools(lambda move: move.offensive_pokemon == "target"),
        rhythm=ints(_rhythm),
        recoil=floats(lambda move: move.recoil or 0),
        drain=floats(lambda move: move.drain or 0),
        crash=floats(lambda move: move.crash_damage),
        self_destruct=floats(lambda move: move.self_destruct),
        lock=floats(lambda move: move.self_volatile_status == "lockedmove"),
        trap=floats(lambda move: move.volatile_status == "partiallytrapped"),
        flinch=floats(lambda move: _chance(move, lambda s: s.volatile_status == "flinch")),
        confusion=floats(lambda move: _chance(move, lambda s: s.volatile_status == "confusion")),
        status=np.array([[_status_chance(move, status) for status in STATUS_IMMUNE] for move in moves]),
        target_stages=np.array([[_target_stages(move, stat) for stat in STAT_NAMES] for move in moves]),
        own_stages=np.array([[_own_stages(move, stat) for stat in STAT_NAMES] for move in moves]),
    )


def _power(move: Move) -> int:
    if move.showdown_id in ("pikapapow", "veeveevolley"):
        return FRIENDSHIP * 10 // 25
    return move.power


def _accuracy(move: Move) -> float:
    if move.showdown_id == "dreameater":  # needs a target asleep
        return 0.0
    return 1.0 if move.accuracy is None else move.accuracy / 100


def _hits(move: Move) -> tuple[float, float]:
    """Mean and variance of the number of hits."""
    if move.multihit is None:
        return 1.0, 0.0
    low, high = move.multihit
    if low == high:
        return float(low), 0.0
    mean = sum(hits * chance for hits, chance in TWO_TO_FIVE.items())
    return mean, sum((hits - mean) ** 2 * chance for hits, chance in TWO_TO_FIVE.items())


def _critical_mix(chance: Floats, hits_per_use: Floats) -> tuple[Floats, Floats]:
    """Critical hits are told as none, one, or the mean number of two and more."""
    hits = np.arange(1, MAX_USES + 1) * hits_per_use[:, None]
    chance = chance[:, None]
    none = (1 - chance) ** hits
    one = hits * chance * (1 - chance) ** (hits - 1)
    more = np.maximum(1 - none - one, 1e-12)
    several = np.minimum(np.maximum((hits * chance - one) / more, 2), hits)
    return np.stack([none, one, more], axis=1), np.stack([np.zeros_like(hits), np.ones_like(hits), several], axis=1)


def _fixed(move: Move) -> tuple[int, int] | None:
    """Lowest and highest damage that no stat changes."""
    if move.showdown_id == "psywave":
        return LEVEL // 2, LEVEL * 3 // 2
    if move.fixed_damage is None:
        return None
    amount = LEVEL if move.fixed_damage == "level" else move.fixed_damage
    return amount, amount


def _rhythm(move: Move) -> int:
    if "charge" in move.flags:
        return RHYTHMS.index("charge")
    if move.self_volatile_status == "mustrecharge":
        return RHYTHMS.index("recharge")
    if move.showdown_id == "fakeout":  # works in the first turn only
        return RHYTHMS.index("once")
    return RHYTHMS.index("bide" if move.showdown_id == "bide" else "every turn")


def _chance(move: Move, happens: Callable[..., bool]) -> float:
    """Chance per hitting use, over all hits, that one of the secondaries that fit happens."""
    hits = _hits(move)[0]
    missed = 1.0
    for secondary in move.secondaries:
        if happens(secondary):
            missed *= (1 - secondary.chance / 100) ** hits
    return 1 - missed


def _status_chance(move: Move, status: str) -> float:
    if move.showdown_id == "triattack" and status in ("par", "brn", "frz"):
        return 0.2 / 3
    return _chance(move, lambda secondary: secondary.status == status)


def _target_stages(move: Move, stat: StatName) -> float:
    return sum(
        secondary.chance / 100 * boost.stages
        for secondary in move.secondaries
        for boost in secondary.boosts
        if boost.stat == stat
    )


def _own_stages(move: Move, stat: StatName) -> float:
    if move.showdown_id == "skullbash" and stat == "defense":
        return 1.0  # while it charges
    always = sum(boost.stages for boost in move.self_boosts if boost.stat == stat)
    return always + sum(
        secondary.chance / 100 * boost.stages
        for secondary in move.secondaries
        for boost in secondary.self_boosts
        if boost.stat == stat
    )
