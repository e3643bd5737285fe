"""``api-pokemon key``: API keys, of which the service keeps only hashes."""

import sys
from datetime import datetime
from typing import Annotated

import typer

from api_pokemon.errors import StartError
from api_pokemon.routes.admin_key import AdminKeyFile
from api_pokemon.routes.key_file import KeyFile
from api_pokemon.routes.keys import Role, digest_of, make_key
from api_pokemon.startup import ADMIN_KEY_FILE, KEY_FILE, ensure_writable, read_settings

keys = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Make API keys and take them back, while the service runs, and find the one for administration.\n\n"
    "The service knows SHA-256 hashes of keys, never keys: those of `add` are in keys.json in the data folder, which "
    "it follows; those of `new` go into API_POKEMON_PREDICT_KEYS or API_POKEMON_ADMIN_KEYS, which it reads when it "
    "starts.",
)


@keys.command()
def add(
    name: Annotated[str, typer.Argument(help="Whose it is, or what it is for: letters, digits, dots and dashes.")],
    role: Annotated[Role, typer.Option(help="What it allows; an admin may do all.")] = Role.PREDICT,
) -> None:
    """Make a key that counts within seconds, in every process on this data folder, until it is revoked.

    The key is printed this once, on standard output, and kept nowhere. To change a key: add one with another name,
    give it to the caller, and revoke the old one; meanwhile both count.
    """
    print(_file().add(name, role))


@keys.command("list")
def list_() -> None:
    """List the keys that have names: role, dates, and the first digits of the hash."""
    for entry in _file().entries():
        revoked = f"  revoked {_day(entry.revoked_at)}" if entry.revoked_at else ""
        print(f"{entry.name:24} {entry.role.value:8} {entry.sha256[:12]}  made {_day(entry.made_at)}{revoked}")


@keys.command()
def revoke(name: Annotated[str, typer.Argument(help="Of the key, as `api-pokemon key list` has it.")]) -> None:
    """Take a key back: within seconds it is wrong, in every process on this data folder."""
    entry = _file().revoke(name)
    print(f"{entry.name} ({entry.role.value}) is revoked.")


def _file() -> KeyFile:
    folder = read_settings().data_dir
    ensure_writable(folder)
    return KeyFile(folder / KEY_FILE)


def _day(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}Z"


@keys.command()
def new(admin: Annotated[bool, typer.Option("--admin", help="A key that may administer, too.")] = False) -> None:
    """Make a key for the settings: the key itself goes to the caller, its hash into the settings.

    The key is printed this once and kept nowhere.
    """
    key = make_key()
    setting = "API_POKEMON_ADMIN_KEYS" if admin else "API_POKEMON_PREDICT_KEYS"
    print(f"Key, for the header X-API-Key:  {key}")
    print(f"Hash, for {setting}:  {digest_of(key).hex()}")


@keys.command("hash")
def hash_() -> None:
    """Print the hash of a key, for the settings.

    Reads the key from standard input, so that it stands in no shell history: api-pokemon key hash < key.txt
    """
    key = typer.prompt("Key", hide_input=True) if sys.stdin.isatty() else sys.stdin.read().strip()
    print(digest_of(key).hex())


@keys.command()
def admin(
    renew: Annotated[bool, typer.Option("--renew", help="Make a new one first; the old one is wrong at once.")] = False,
) -> None:
    """Print the admin key that the first start made in the data folder.

    Example: curl -H "X-API-Key: $(api-pokemon key admin)" ...
    """
    path = read_settings().data_dir / ADMIN_KEY_FILE
    if renew:
        print(AdminKeyFile(path).renew())
        return
    try:
        print(path.read_text("utf-8").strip())
    except OSError as error:
        raise StartError(
            f"No admin key can be read from {path.absolute()} ({error.strerror}). "
            "The first start of the service makes it; API_POKEMON_DATA_DIR says where."
        ) from error
