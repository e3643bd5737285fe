"""Who may do what: API keys, of which the service knows only the SHA-256 hashes."""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address
from pathlib import Path

from fastapi import Request
from fastapi.security import APIKeyHeader

from api_pokemon.errors import StartError
from api_pokemon.routes.problems import Kind, ProblemError

HEADER = "X-API-Key"

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class Role(IntEnum):
    """What a key allows; each role allows what the ones below it allow."""

    PREDICT = 1
    ADMIN = 2


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that the service knows.

    Parameters
    ----------
    roles
        By the SHA-256 digest of each key, what it allows.
    predictions_open
        Whether predictions need no key.
    """

    roles: dict[bytes, Role]
    predictions_open: bool

    def role(self, key: str) -> Role | None:
        """What the key allows; None for an unknown one. As slow for a nearly right key as for a wrong one."""
        digest = digest_of(key)
        found = None
        for known, role in self.roles.items():
            if hmac.compare_digest(digest, known):
                found = role
        return found


def digest_of(key: str) -> bytes:
    """The SHA-256 digest of a key. A key is 256 random bits, so a slow, salted hash would add nothing."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def make_key() -> str:
    """A new key that nobody can guess."""
    return f"apk_{secrets.token_urlsafe(32)}"


def read_keys(
    *, host: str, predict_hashes: Iterable[str], admin_hashes: Iterable[str], anonymous_predict: bool, admin_key: str
) -> Keys:
    """Put together the keys of the settings and the one of the data folder.

    Raises
    ------
    StartError
        If a hash is not one, or if predictions would be open to other machines without anyone having said so.
    """
    roles = {
        **{_parse_hash(text, "API_POKEMON_PREDICT_KEYS"): Role.PREDICT for text in predict_hashes},
        **_admins(admin_hashes),
    }
    if not (roles or anonymous_predict or is_loopback(host)):
        raise StartError(
            f"Listening on {host} would let anyone on the network predict. Set API_POKEMON_PREDICT_KEYS to the SHA-256 "
            "hashes of the keys that may, or API_POKEMON_ANONYMOUS_PREDICT=true for everyone, or listen on 127.0.0.1."
        )
    return Keys({**roles, digest_of(admin_key): Role.ADMIN}, predictions_open=anonymous_predict or not roles)


def read_admin_keys(hashes: Iterable[str], admin_key: str) -> Keys:
    """Put together the keys of a process that has nothing but administration.

    Raises
    ------
    StartError
        If a hash is not one.
    """
    return Keys({**_admins(hashes), digest_of(admin_key): Role.ADMIN}, predictions_open=False)


def _admins(hashes: Iterable[str]) -> dict[bytes, Role]:
    return {_parse_hash(text, "API_POKEMON_ADMIN_KEYS"): Role.ADMIN for text in hashes}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address; a name that is not ``localhost`` is taken for reachable.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("")
    (True, True, True, False, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parse_hash(text: str, setting: str) -> bytes:
    if not _SHA256.fullmatch(text):
        raise StartError(
            f"{setting} holds something that is not a SHA-256 hash of 64 hexadecimal digits. "
            "`printf %s YOUR-KEY | sha256sum` prints one; the key itself does not belong there."
        )
    return bytes.fromhex(text)


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

    def _make(self) -> None:
        draft = self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}")
        draft.touch(mode=0o600, exist_ok=False)
        try:
            draft.write_text(make_key() + "\n", encoding="utf-8")
            os.link(draft, self.path)  # whole or not at all, and never over one that another process made first
        except FileExistsError:
            pass
        finally:
            draft.unlink()


class KeyGuard(APIKeyHeader):
    """Lets a request pass if its key allows it; a FastAPI dependency that stands in the OpenAPI document.

    Parameters
    ----------
    keys
        The keys that the service knows.
    needed
        The least role that passes.
    """

    def __init__(self, keys: Keys, needed: Role) -> None:
        how = "A key of the role `admin`." if needed is Role.ADMIN else "A key; not needed where predictions are open."
        super().__init__(name=HEADER, scheme_name=f"{needed.name.lower()} key", description=how, auto_error=False)
        self._keys = keys
        self._needed = needed
        self._open = needed is Role.PREDICT and keys.predictions_open

    async def __call__(self, request: Request) -> None:  # type: ignore[override]  # who asks is of no interest
        key = _sent_key(request)
        if key is None:
            if not self._open:
                raise ProblemError(Kind.KEY_NEEDED, f"This needs a key in the header {HEADER}.", headers=_CHALLENGE)
            return
        role = self._keys.role(key)
        if role is None:
            raise ProblemError(
                Kind.KEY_NEEDED, f"The key in {HEADER} is not one that this service knows.", headers=_CHALLENGE
            )
        if role < self._needed:
            raise ProblemError(Kind.KEY_NOT_ENOUGH, f"This needs a key of the role {self._needed.name.lower()}.")


def _sent_key(request: Request) -> str | None:
    """The key, in UTF-8 as people who hash it take it to be, not in the Latin-1 of old headers."""
    for name, value in request.scope["headers"]:
        if name == _RAW_HEADER:
            return bytes(value).decode("utf-8", "surrogateescape")
    return None


_RAW_HEADER = HEADER.lower().encode()
_CHALLENGE = {"WWW-Authenticate": f'ApiKey header="{HEADER}"'}
