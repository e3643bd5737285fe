"""Log records as lines: one for each event, as text for people or as JSON for programs, without secrets.

Nothing that a caller sends can forge a line: in text, control characters are escaped and the lines of a traceback
begin with a bar, as no event does; in JSON all is inside of strings.
"""

import json
import logging
import re
import time
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Protocol

current_request: ContextVar[str] = ContextVar("current_request", default="")
"""The id of the request that is being answered; lines about it carry it."""

MASK = "***"

# With bounds, so that no text takes longer than its length.
_URL_PASSWORD = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@'\"]{0,200}:)[^\s/'\"]{1,500}(?=@)", re.IGNORECASE
)
_ASSIGNED = re.compile(
    r"(?P<before>(?:passw(?:or)?d|pwd|secret|token|api[_-]?key|authorization|credentials?)"
    r"[\"']?\s{0,3}[=:]\s{0,3}(?:b?[\"']|Bearer\s{1,3}|Basic\s{1,3})?)[^\s\"'&,;)}\]]+",
    re.IGNORECASE,
)
_NOT_PRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, ends of lines, what turns the direction of writing, and halves of characters."""

_SHORTEST_SECRET = 6
"""A shorter one is a common word rather than a secret, and masking it everywhere would garble the log."""


class Hide(Protocol):
    """Gives a text without the secrets in it."""

    def __call__(self, text: str) -> str: ...


class Masked:
    """Takes secrets out of texts: those that are known, and whatever looks like one.

    Parameters
    ----------
    secrets
        To be masked wherever they stand, if they have 6 characters or more.
    shapes
        Regular expressions of what is a secret by its form, such as API keys.

    Examples
    --------
    >>> hide = Masked(["hunter22"], [r"apk_\\w+"])
    >>> hide("postgresql://shop:pass@word@db/log refused hunter22 and apk_abc")
    'postgresql://shop:***@db/log refused *** and ***'
    >>> hide("password=abc; Authorization: Bearer xyz")
    'password=***; Authorization: Bearer ***'
    """

    def __init__(self, secrets: Iterable[str] = (), shapes: Iterable[str] = ()) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True)
        patterns = [*map(re.escape, known), *shapes]
        self._known = re.compile("|".join(patterns)) if patterns else None

    def __call__(self, text: str) -> str:
        if self._known:
            text = self._known.sub(MASK, text)
        return _ASSIGNED.sub(rf"\g<before>{MASK}", _URL_PASSWORD.sub(rf"\g<before>{MASK}", text))


class TextLines(logging.Formatter):
    r"""One line for each event, and below it the lines of its traceback, each behind a bar.

    Parameters
    ----------
    hide
        Takes secrets out.

    Examples
    --------
    >>> record = logging.LogRecord("shop", logging.INFO, "", 0, "sold %s", ("a\n\x1b[1m",), None)
    >>> TextLines(Masked()).format(record)[24:]
    'INFO shop: sold a\\n\\x1b[1m'
    """

    def __init__(self, hide: Hide) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._hide = hide

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- the library's name
        request = current_request.get()
        line = super().formatMessage(record).rstrip("\n")
        return self._hide(_one_line(f"{line} [request {request}]" if request else line))

    def formatException(self, ei: Any) -> str:  # noqa: N802 -- the library's name
        return self._barred(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 -- the library's name
        return self._barred(stack_info)

    def _barred(self, text: str) -> str:
        return "\n".join(f"  | {_one_line(line)}" for line in self._hide(text).split("\n"))


class JsonLines(logging.Formatter):
    """A JSON object on each line: time (UTC), level, logger, message, process, and where there is one, the id of the
    request and the traceback.

    Parameters
    ----------
    hide
        Takes secrets out.
    """

    def __init__(self, hide: Hide) -> None:
        super().__init__()
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._hide(record.getMessage()).rstrip("\n"),
            "process": record.process,
        }
        if request := current_request.get():
            line["request_id"] = request
        if record.exc_info:
            line["traceback"] = self._hide(self.formatException(record.exc_info))
        return json.dumps(line)


def _one_line(text: str) -> str:
    """The text with what is no printable character escaped, line ends and tabs too."""
    return _NOT_PRINTED.sub(lambda match: repr(match[0])[1:-1], text)
