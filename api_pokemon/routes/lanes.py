"""How many requests of each kind are in work at once."""

from collections.abc import Mapping


class Lane:
    """Requests of one kind.

    Parameters
    ----------
    most
        How many of them may be in work.
    rated
        Whether they count towards a caller's rate limit.
    """

    __slots__ = ("_most", "in_work", "rated")

    def __init__(self, most: int, *, rated: bool = True) -> None:
        self._most = most
        self.rated = rated
        self.in_work = 0

    @property
    def is_full(self) -> bool:
        return self.in_work >= self._most

    def enter(self) -> None:
        self.in_work += 1

    def leave(self) -> None:
        self.in_work -= 1


class Lanes:
    """Finds the lane of a request, so that what waits for one thing never keeps out what needs another.

    Parameters
    ----------
    lanes
        By path, such as ``/predict/best-move/batch``, or by how paths begin, such as ``/predict``.
    rest
        For all other paths.

    Examples
    --------
    >>> slow, fast, rest = Lane(1), Lane(2), Lane(3)
    >>> lanes = Lanes({"/predict": fast, "/predict/batch": slow}, rest)
    >>> [lanes.of(path) in (fast, slow) for path in ("/predict", "/predict/one", "/predict/batch", "/predictions", "*")]
    [True, True, True, False, False]
    >>> lanes.of("/predict/batch") is slow
    True
    """

    def __init__(self, lanes: Mapping[str, Lane], rest: Lane) -> None:
        self._lanes = lanes
        self._rest = rest

    def of(self, path: str) -> Lane:
        return self._lanes.get(path) or self._lanes.get(path[: path.find("/", 1)]) or self._rest
