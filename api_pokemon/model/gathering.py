"""Questions of callers that wait at the same time, answered in one run."""

from asyncio import AbstractEventLoop, Future, get_running_loop
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import msgspec

from api_pokemon.model.live import Question
from api_pokemon.model.lookup import Answer

MOST_ROWS = 1000
"""Of one run, unless one question alone has more: it holds the event loop, some 5 ms for so many."""


class Begun(msgspec.Struct, frozen=True):
    """What is known of the answers to a request, None where it is not, and what will tell the rest."""

    found: list[Answer | None]
    rest: Future[list[Answer]] | None = None

    @property
    def known(self) -> list[Answer] | None:
        """All of them, where none has to be waited for."""
        return cast("list[Answer]", self.found) if self.rest is None else None

    async def answers(self) -> list[Answer]:
        """All of them."""
        return completed(self.found, () if self.rest is None else await self.rest)


def completed(found: Sequence[Answer | None], rest: Iterable[Answer]) -> list[Answer]:
    """What was found, with the rest in its places."""
    others = iter(rest)
    return [answer or next(others) for answer in found]


AnswerMany = Callable[[Sequence[Question]], Sequence[list[Answer]]]


class Gathering:
    """Gathers questions until a turn of the event loop brings no more of them, or enough for a run.

    So a single caller does not wait, and many share what a run costs whatever its size. After each run the loop has a
    turn, so that whoever needs no inference is answered in between.

    Parameters
    ----------
    answer_many
        Answers questions in one run.
    most_rows
        Of one run.

    Examples
    --------
    >>> import asyncio
    >>> sizes = []
    >>> def answer_many(questions):
    ...     sizes.append(len(questions))
    ...     return [[] for _ in questions]
    >>> async def three():
    ...     gathering = Gathering(answer_many)
    ...     await asyncio.gather(*(gathering.ask(Question(0, [1], 2, [3])) for _ in range(3)))
    >>> asyncio.run(three())
    >>> sizes
    [3]
    """

    def __init__(self, answer_many: AnswerMany, most_rows: int = MOST_ROWS) -> None:
        self._answer_many = answer_many
        self._most_rows = most_rows
        self._line: _Line | None = None

    def ask(self, question: Question) -> Future[list[Answer]]:
        """Stand in line on the running loop; await what it returns."""
        loop = get_running_loop()
        line = self._line
        if line is None or line.loop is not loop:  # another one may have ended, with whoever waited there
            line = self._line = _Line(loop)
        future: Future[list[Answer]] = loop.create_future()
        line.waiting.append((question, future))
        line.rows += question.rows
        if len(line.waiting) == 1:
            loop.call_soon(self._hand_over, line, 0)
        return future

    def _hand_over(self, line: "_Line", seen: int) -> None:
        """Answer those who wait, or as many as fit, once a turn of the loop brought no more of them."""
        waiting = len(line.waiting)
        if waiting > seen and line.rows < self._most_rows:
            line.loop.call_soon(self._hand_over, line, waiting)
            return
        self._answer(line.next_run(self._most_rows))
        if line.waiting:
            line.loop.call_soon(self._hand_over, line, len(line.waiting))

    def _answer(self, run: "Sequence[_Waiting]") -> None:
        asked = [(question, future) for question, future in run if not future.done()]  # by a caller that went away
        if not asked:
            return
        try:
            answers = self._answer_many([question for question, _ in asked])
        except Exception as error:  # noqa: BLE001 -- whoever waits hears of it, as of all that fails in a request
            if len(asked) == 1:
                asked[0][1].set_exception(error)
            else:  # it may be one question's fault
                for each in asked:
                    self._answer([each])
            return
        for (_, future), of_question in zip(asked, answers, strict=True):
            future.set_result(of_question)


_Waiting = tuple[Question, Future[list[Answer]]]


class _Line:
    """Who waits on a loop, the first first, and how many rows that makes."""

    __slots__ = ("loop", "rows", "waiting")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: deque[_Waiting] = deque()
        self.rows = 0

    def next_run(self, most_rows: int) -> list[_Waiting]:
        """Take those whose turn it is, one at least."""
        run = [self.waiting.popleft()]
        rows = run[0][0].rows
        while self.waiting and rows + self.waiting[0][0].rows <= most_rows:
            run.append(self.waiting.popleft())
            rows += run[-1][0].rows
        self.rows -= rows
        return run
