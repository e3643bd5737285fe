"""Lines of the log through Python's real logging: no secret, no forged line."""

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_pokemon.log_lines import JsonLines, Masked, TextLines, current_request
from api_pokemon.routes.keys import make_key
from api_pokemon.settings import Settings
from api_pokemon.startup import API_KEY, secrets_of

EVENT = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+: ")
HOSTILE = "a\n2026-11-26 00:00:00,000 ERROR api_pokemon: forged\r\x1b[2J\x00\x85\u2028\u202e\ud800"


class Log:
    """A logger with a handler of its own, and what it wrote."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self.logger = logging.Logger("shop")
        self._written = io.StringIO()
        handler = logging.StreamHandler(self._written)
        handler.setFormatter(formatter)
        self.logger.addHandler(handler)

    @property
    def lines(self) -> list[str]:
        return self._written.getvalue().split("\n")[:-1]


@pytest.fixture
def request_id() -> Iterator[str]:
    token = current_request.set("order-7")
    yield "order-7"
    current_request.reset(token)


class TestText:
    def test_what_was_sent_forges_no_line(self) -> None:
        log = Log(TextLines(Masked()))
        log.logger.warning("bad name %s", HOSTILE)
        (line,) = log.lines
        assert EVENT.match(line)
        assert line.endswith(r"forged\r\x1b[2J\x00\x85\u2028\u202e\ud800")

    def test_a_traceback_forges_no_line_either(self) -> None:
        log = Log(TextLines(Masked()))
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            log.logger.exception("it broke")
        event, *traceback = log.lines
        assert EVENT.match(event)
        assert len(traceback) > 3
        assert all(line.startswith("  | ") for line in traceback)
        assert not any("\x1b" in line for line in traceback)

    @given(st.text())
    def test_any_text_is_one_line(self, text: str) -> None:
        log = Log(TextLines(Masked()))
        log.logger.info("%s", text)
        (line,) = log.lines
        assert EVENT.match(line)
        assert line.isascii() or line.splitlines() == [line]

    def test_a_line_names_its_request(self, request_id: str) -> None:
        log = Log(TextLines(Masked()))
        log.logger.error("it broke")
        assert log.lines[0].endswith("ERROR shop: it broke [request order-7]")


class TestJson:
    @given(st.text())
    def test_any_text_comes_back(self, text: str) -> None:
        log = Log(JsonLines(str))
        log.logger.info("%s.", text)
        (line,) = log.lines
        assert json.loads(line)["message"] == f"{text}."

    def test_a_line_tells_what_programs_ask_for(self, request_id: str) -> None:
        log = Log(JsonLines(Masked()))
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            log.logger.exception("it broke")
        (line,) = log.lines
        event = json.loads(line)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("time"))
        assert event.pop("traceback").startswith("Traceback (most recent call last):")
        assert event.pop("process") > 0
        assert event == {"level": "error", "logger": "shop", "message": "it broke", "request_id": "order-7"}


SECRETS = ("s3cr3t-one", "s3cr3t%40two", "s3cr3t@two", "s3cr3t-three")


@pytest.fixture
def hide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Masked:
    """As the service is set up."""
    monkeypatch.setenv("PGPASSWORD", SECRETS[3])
    settings = Settings(
        data_dir=tmp_path,
        log_url=f"postgresql://shop:{SECRETS[0]}@db/log",
        stream_url=f"redis://:{SECRETS[1]}@redis:6379",
        _env_file=None,
    )
    return Masked(secrets_of(settings), (API_KEY,))


@pytest.mark.parametrize("form", [TextLines, JsonLines])
@pytest.mark.parametrize(
    "text",
    [
        *SECRETS,
        "postgresql://other:{}@db/log",
        "redis://:{}@redis",
        "mysql://u:{}@host:1/x?y",
        "password={}",
        "PGPASSWORD: {}",
        "{{'password': '{}'}}",
        '"api_key": "{}"',
        "Authorization: Bearer {}",
        "x-api-key: {}",
        "(b'x-api-key', b'{}')",
        "client_secret = {}",
    ],
)
def test_no_secret_is_written(hide: Masked, form: type[TextLines | JsonLines], text: str) -> None:
    secret = make_key() if "x-api-key'" in text else "0ther-s3cr3t"
    log = Log(form(hide))
    try:
        raise RuntimeError(text.format(secret))
    except RuntimeError as error:
        log.logger.exception("it broke: %s", error)
    written = "\n".join(log.lines)
    assert "it broke" in written
    assert "***" in written
    assert secret not in written
    assert not any(known in written for known in SECRETS)


def test_what_is_no_secret_stays(hide: Masked) -> None:
    for text in (
        "answering on http://127.0.0.1:8000 (process 7)",
        "postgresql://api_pokemon@db/api_pokemon",
        "the token count is 7",
        "user@example.org",
    ):
        assert hide(text) == text
