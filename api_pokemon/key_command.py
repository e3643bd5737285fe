"""``api-pokemon key``: API keys, of which the service keeps only hashes."""

import sys
from typing import Annotated

import typer

from api_pokemon.errors import StartError
from api_pokemon.routes.keys import digest_of, make_key
from api_pokemon.startup import ADMIN_KEY_FILE, read_settings

keys = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Make API keys, and find the one for administration.\n\n"
    "The service is told SHA-256 hashes of keys, never keys: API_POKEMON_PREDICT_KEYS, API_POKEMON_ADMIN_KEYS.",
)


@keys.command()
def new(admin: Annotated[bool, typer.Option("--admin", help="A key that may administer, too.")] = False) -> None:
    """Make a key: the key itself goes to the caller, its hash into the settings.

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
def admin() -> None:
    """Print the admin key that the first start made in the data folder.

    Example: curl -H "X-API-Key: $(api-pokemon key admin)" ...
    """
    path = read_settings().data_dir / ADMIN_KEY_FILE
    try:
        print(path.read_text("utf-8").strip())
    except OSError as error:
        raise StartError(
            f"No admin key can be read from {path.absolute()} ({error.strerror}). "
            "The first start of the service makes it; API_POKEMON_DATA_DIR says where."
        ) from error
