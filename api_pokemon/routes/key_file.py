"""The file of named keys: who has one, for what, since when, and which were taken back."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import msgspec

from api_pokemon.errors import KeyFileError
from api_pokemon.monitoring.file_lock import FileLock
from api_pokemon.routes.keys import Role, digest_of, is_hash, make_key
from api_pokemon.routes.private_file import replace_privately

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LOCK_SECONDS = 5.0


class KeyEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key with a name, of which only the SHA-256 hash is known.

    Parameters
    ----------
    sha256
        In 64 hexadecimal digits.
    made_at, revoked_at
        In UTC; a key counts until it is revoked.
    """

    name: str
    role: Role
    sha256: str
    made_at: datetime
    revoked_at: datetime | None = None

    @property
    def digest(self) -> bytes:
        return bytes.fromhex(self.sha256)

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None


Entries: TypeAlias = tuple[KeyEntry, ...]


class _Written(msgspec.Struct, frozen=True):
    keys: Entries


class KeyFile:
    """Named keys in a file that any number of processes read, and commands change.

    Parameters
    ----------
    path
        Of the file; its folder exists. Where there is no file, there are no keys.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> Entries:
        """All keys, those that were revoked too, in the order in which they were made.

        Raises
        ------
        KeyFileError
            If the file cannot be read, or is none of keys.
        """
        try:
            entries = msgspec.json.decode(self.path.read_bytes(), type=_Written).keys
            for entry in entries:
                if not is_hash(entry.sha256):
                    raise ValueError(f"the hash of {entry.name} is no SHA-256")
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:  # msgspec's errors, and those of hex and UTF-8, are ValueErrors
            raise KeyFileError(
                f"The keys in {self.path} cannot be read: {error}. Put a backup in its place."
            ) from error
        return entries

    def add(self, name: str, role: Role) -> str:
        """Make a key and keep its hash; returns the key itself, which nobody can tell again.

        Raises
        ------
        KeyFileError
            If the name is no good or taken by a key that counts, or the file cannot be changed.
        """
        if not _NAME.fullmatch(name):
            raise KeyFileError(
                f"A key cannot be named {name[:80]!r}: take up to 64 letters, digits, dots, dashes and underscores, "
                "the first of them a letter or a digit."
            )
        key = make_key()

        def added(entries: Entries) -> Entries:
            if any(entry.name == name and not entry.is_revoked for entry in entries):
                raise KeyFileError(f"There is a key named {name}. Take another name, such as {name}-2, or revoke it.")
            return (*entries, KeyEntry(name, role, digest_of(key).hex(), _now()))

        self._change(added)
        return key

    def revoke(self, name: str) -> KeyEntry:
        """Take back the key of that name that counts; its entry stays, with the time.

        Raises
        ------
        KeyFileError
            If there is none, or the file cannot be changed.
        """
        revoked: list[KeyEntry] = []

        def changed(entry: KeyEntry) -> KeyEntry:
            if entry.name != name or entry.is_revoked:
                return entry
            revoked.append(msgspec.structs.replace(entry, revoked_at=_now()))
            return revoked[-1]

        self._change(lambda entries: tuple(map(changed, entries)))
        if not revoked:
            raise KeyFileError(f"There is no key named {name[:80]!r} to revoke; `api-pokemon key list` tells all.")
        return revoked[-1]

    def _change(self, change: Callable[[Entries], Entries]) -> None:
        lock = FileLock(self.path.with_name(f"{self.path.name}.lock"))
        try:
            if not lock.acquire(_LOCK_SECONDS):
                raise KeyFileError(f"Another command changes {self.path}; try again.")
            replace_privately(
                self.path, msgspec.json.format(msgspec.json.encode(_Written(change(self.entries())))) + b"\n"
            )
        except OSError as error:
            raise KeyFileError(f"The keys in {self.path} cannot be changed: {error.strerror}.") from error
        finally:
            lock.release()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
