"""What must hold before a process of the service can start, checked up front and told in one line."""

import errno
import logging
import os
import socket
import tempfile
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from api_pokemon.errors import StartError
from api_pokemon.settings import Settings

EXIT_CANNOT_START = os.EX_CONFIG
"""Exit status of a child process that cannot start as it is set up: starting it again would not help."""

ADMIN_KEY_FILE = "admin.key"
"""In the data folder."""

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


def configure_logging(level: str) -> None:
    """One plain line per event, on standard error.

    Raises
    ------
    StartError
        Where there is no such level.
    """
    levels = logging.getLevelNamesMapping()
    if level.upper() not in levels:
        raise StartError(f"API_POKEMON_LOG_LEVEL is {level!r}; it can be debug, info, warning or error.")
    logging.basicConfig(level=levels[level.upper()], format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for library in ("alembic", "uvicorn.error"):
        logging.getLogger(library).setLevel(max(levels[level.upper()], logging.WARNING))
