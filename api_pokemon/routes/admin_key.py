"""The admin key of the data folder, which the first start makes."""

import os
from contextlib import suppress
from pathlib import Path

from api_pokemon.errors import StartError
from api_pokemon.routes.keys import make_key
from api_pokemon.routes.private_file import private_draft, replace_privately


class AdminKeyFile:
    """The key that the first start makes, for the CLI of the same user.

    Parameters
    ----------
    path
        Of the file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read_or_make(self) -> str:
        """The key in the file, made if there is none; of several processes that start at once, all get the same.

        Raises
        ------
        StartError
            If the file cannot be read or written, or holds no key.
        """
        try:
            if not self.path.exists():
                self._make()
            key = self.path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise StartError(
                f"The admin key {self.path} cannot be read or made: {error}. Mend or delete that file."
            ) from error
        if not key:
            raise StartError(f"The admin key {self.path} is empty. Delete that file: the next start makes a new key.")
        return key

    def renew(self) -> str:
        """Put a new key in place of the one that is there, whose holders are shut out; a running service follows.

        Raises
        ------
        StartError
            If the file cannot be written.
        """
        key = make_key()
        try:
            replace_privately(self.path, _written(key))
        except OSError as error:
            raise StartError(f"The admin key {self.path} cannot be written: {error.strerror}.") from error
        return key

    def _make(self) -> None:
        with suppress(FileExistsError), private_draft(self.path, _written(make_key())) as draft:
            os.link(draft, self.path)  # whole or not at all, and never over one that another process made first


def _written(key: str) -> bytes:
    return f"{key}\n".encode()
