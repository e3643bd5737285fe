"""The keys that open the service, as the settings have it: for what answers requests, and loads what that takes."""

from api_pokemon.routes.admin_key import AdminKeyFile
from api_pokemon.routes.key_file import KeyFile
from api_pokemon.routes.key_ring import KeyRing
from api_pokemon.routes.keys import KeySettings, read_hashes
from api_pokemon.settings import Settings
from api_pokemon.startup import ADMIN_KEY_FILE, KEY_FILE


def keys_of(settings: Settings) -> KeyRing:
    """The keys of the settings and of the data folder.

    Raises
    ------
    StartError
        A hash is not one, a file cannot be read, or the settings would open predictions to everyone.
    """
    roles = read_hashes(settings.predict_keys, settings.admin_keys)
    known = KeySettings(roles, settings.host, settings.anonymous_predict)
    return KeyRing(known, AdminKeyFile(settings.data_dir / ADMIN_KEY_FILE), KeyFile(settings.data_dir / KEY_FILE))


def admin_keys_of(settings: Settings) -> KeyRing:
    """The same for a process that predicts nothing, and so opens nothing, wherever it listens.

    Raises
    ------
    StartError
        A hash is not one, or a file cannot be read.
    """
    return keys_of(settings.model_copy(update={"host": "127.0.0.1"}))
