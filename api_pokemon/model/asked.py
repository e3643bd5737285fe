"""What is kept of a prediction so that it can be made again: the duel by its ids, and what was answered.

::

    {"v": 1, "form_a": 1, "form_b": 25, "moves": [57, 75], "moves_b": null, "ranked": [[75, 0.41], [57, 0.262734]]}

``v`` counts the versions of this payload. A version may add fields, which need a default here and are passed over by
readers that do not know them; it never drops a field nor changes what one means.
"""

from operator import attrgetter
from typing import Annotated

import msgspec

from api_pokemon.errors import PayloadError
from api_pokemon.model.ranking import Ranking

PAYLOAD_VERSION = 1
WIN_DECIMALS = 6
"""To how many decimals a win probability is told, and kept: as many as P(A) + P(B) = 1 is held to."""

_WIN_PARTS = 10.0**WIN_DECIMALS

Ids = tuple[int, ...]
SomeIds = Annotated[Ids, msgspec.Meta(min_length=1)]
Chance = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class AskedDuel(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A duel that was asked about, and its answer.

    Parameters
    ----------
    form_a, form_b
        Ids of the two forms.
    moves
        Ids of the moves that A could choose from, each once, in the order in which they were given: it decides between
        equals.
    moves_b
        Ids of B's moves as they were given; None where B may reply with all that it can learn.
    ranked
        Each damaging one of `moves` with its win probability, the best first; so the first was recommended.

    Examples
    --------
    >>> asked = AskedDuel(form_a=1, form_b=25, moves=(57, 75), moves_b=None, ranked=((75, 0.41), (57, 0.26)))
    >>> read_payload(asked.payload()) == asked
    True
    """

    v: int = PAYLOAD_VERSION
    form_a: int
    form_b: int
    moves: SomeIds
    moves_b: SomeIds | None
    ranked: Annotated[tuple[tuple[int, Chance], ...], msgspec.Meta(min_length=1)]

    @property
    def recommended(self) -> int:
        """The recommended move's id."""
        return self.ranked[0][0]

    def payload(self) -> bytes:
        """Write it down."""
        return _encoder.encode(self)


_id_of = attrgetter("id")
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AskedDuel)


def told_win(win_probability: float) -> float:
    """A win probability as it is told and kept; `round` takes eight times as long.

    >>> told_win(0.12345678), told_win(1.0)
    (0.123457, 1.0)
    """
    return int(win_probability * _WIN_PARTS + 0.5) / _WIN_PARTS


def asked_duel(ranking: Ranking) -> AskedDuel:
    """What is kept of an answered duel."""
    replies = ranking.replies
    return AskedDuel(
        form_a=ranking.form_a.id,
        form_b=ranking.form_b.id,
        moves=tuple(map(_id_of, ranking.candidates)),
        moves_b=None if replies is None else tuple(map(_id_of, replies)),
        ranked=tuple([(item.move.id, told_win(item.win_probability)) for item in ranking.moves]),
    )


def read_payload(payload: bytes) -> AskedDuel:
    """Read what this or another version has kept.

    Raises
    ------
    PayloadError
        If it is not a payload of this kind.
    """
    try:
        return _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PayloadError(f"The payload of {len(payload)} bytes tells of no duel: {error}.") from error
