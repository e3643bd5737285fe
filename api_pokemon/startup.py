"""What must hold before a process of the service can start, checked up front and told in one line."""

import errno
import logging
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import unquote

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from api_pokemon.errors import StartError
from api_pokemon.log_lines import JsonLines, Masked, TextLines
from api_pokemon.settings import Settings

EXIT_CANNOT_START = os.EX_CONFIG
"""Exit status of a child process that cannot start as it is set up: starting it again would not help."""

ADMIN_KEY_FILE = "admin.key"
"""In the data folder: the key that the first start makes."""

KEY_FILE = "keys.json"
"""In the data folder: the hashes of keys that have names."""

API_KEY = r"apk_[A-Za-z0-9_-]{20,}"
"""What a key of this service looks like."""

_BACKLOG = 2048

_Variables = TypeVar("_Variables", bound=BaseSettings)


def read_settings() -> Settings:
    """Read the settings from the environment, or say which one is wrong.

    Raises
    ------
    StartError
        See `read_variables`.
    """
    return read_variables(Settings)


def read_variables(kind: type[_Variables]) -> _Variables:
    """Read variables from the environment and from the ``.env`` of their kind, or say which one is wrong.

    Raises
    ------
    StartError
        Naming each variable that holds something it cannot hold, or a ``.env`` that cannot be read.
    """
    try:
        return kind()
    except ValidationError as error:
        problems = [f"{_variable(p['loc'], kind)} is {p['input']!r}: {p['msg']}" for p in error.errors()]
        raise StartError("; ".join(problems) + ".") from error
    except SettingsError as error:
        raise StartError(f"{error}.") from error
    except (UnicodeDecodeError, OSError) as error:
        env_file = Path(str(kind.model_config["env_file"])).absolute()
        raise StartError(f"{env_file} cannot be read ({error}). Make it a text in UTF-8, or remove it.") from error


def log_url_of(settings: Settings) -> str:
    """Where the prediction log is: the database of the settings, or else a file in the data folder."""
    return settings.log_url or f"sqlite:///{settings.data_dir.absolute() / 'log.sqlite'}"


def _variable(location: tuple[int | str, ...], kind: type[BaseSettings] = Settings) -> str:
    return f"{kind.model_config['env_prefix']}{location[0]}".upper()


def ensure_writable(folder: Path) -> None:
    """Make the folder where it is missing, and prove that a file can be written into it.

    Raises
    ------
    StartError
        Naming the folder, the reason and the setting.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StartError(
            f"The data folder {folder.absolute()} cannot be written ({error.strerror}). "
            "Make it writable, or set API_POKEMON_DATA_DIR to another one."
        ) from error


def open_listener(settings: Settings, port: str) -> socket.socket:
    """Open the listening socket that a setting asks for.

    Parameters
    ----------
    port
        Name of the setting, such as ``worker_port``.

    Raises
    ------
    StartError
        Naming the address, the reason and the setting.
    """
    return listen(settings.host, getattr(settings, port), _variable((port,)))


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Open a listening socket; port 0 takes a free one. ``setting`` is the variable that can choose another one.

    Raises
    ------
    StartError
        Naming the address, the reason and the setting.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except socket.gaierror as error:
        raise StartError(f"API_POKEMON_HOST is {host!r}, which is no address of this machine.") from error
    except OSError as error:
        raise StartError(_why_not(host, port, setting, error)) from error


def _why_not(host: str, port: int, setting: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"Port {port} on {host} is taken by another program. Stop that one, or set {setting} to a free port."
        case errno.EACCES:
            return f"Port {port} on {host} needs more rights than this user has. Set {setting} above 1023."
        case errno.EADDRNOTAVAIL:
            return f"API_POKEMON_HOST is {host!r}, which is no address of this machine."
        case _:
            return f"Port {port} on {host} cannot be opened ({os.strerror(error.errno or 0)})."


def url_of(host: str, port: int) -> str:
    """Where a client on this machine finds a service that listens there.

    >>> url_of("0.0.0.0", 8000), url_of("::1", 8000)
    ('http://127.0.0.1:8000', 'http://[::1]:8000')
    """
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- read, not bound
    return f"http://[{local}]:{port}" if ":" in local else f"http://{local}:{port}"


def on_port(url: str, port: int) -> str:
    """The same URL with another port.

    >>> on_port("http://[::1]:8000", 9000)
    'http://[::1]:9000'
    """
    return f"{url.rpartition(':')[0]}:{port}"


def configure_logging(settings: Settings) -> None:
    """One line per event, on standard error, without the secrets of the settings or of the environment.

    Raises
    ------
    StartError
        Where there is no such level.
    """
    levels = logging.getLevelNamesMapping()
    level = levels.get(settings.log_level.upper())
    if level is None:
        raise StartError(f"API_POKEMON_LOG_LEVEL is {settings.log_level!r}; it can be debug, info, warning or error.")
    handler = logging.StreamHandler()  # to standard error
    hide = Masked(secrets_of(settings), (API_KEY,))
    handler.setFormatter(JsonLines(hide) if settings.log_format == "json" else TextLines(hide))
    logging.basicConfig(level=level, handlers=[handler])
    for library in ("alembic", "uvicorn.error"):
        logging.getLogger(library).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_what_escaped
    threading.excepthook = lambda args: _log_what_escaped(args.exc_type, args.exc_value, args.exc_traceback)


def _log_what_escaped(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    """Or Python would write it as it is, secrets included, beside the lines of the log."""
    if error is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return  # who has asked for the end knows why
    logging.getLogger(__name__).critical("an unexpected error", exc_info=(kind, error, traceback))


def secrets_of(settings: Settings) -> Iterator[str]:
    """The passwords in the addresses of the settings, as they are written and as they are meant, and libpq's own."""
    for url in (settings.log_url, settings.stream_url):
        userinfo = url.partition("://")[2].rpartition("@")[0]
        password = userinfo.partition(":")[2]
        yield from (password, unquote(password))
    yield os.environ.get("PGPASSWORD", "")
