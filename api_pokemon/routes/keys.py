"""Who may do what: API keys, of which the service knows only the SHA-256 hashes."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from typing import Protocol

from fastapi import Request
from fastapi.security import APIKeyHeader

from api_pokemon.errors import StartError
from api_pokemon.routes.problems import Kind, ProblemError

HEADER = "X-API-Key"

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class Role(Enum):
    """What a key allows."""

    METRICS = "metrics"
    PREDICT = "predict"
    ADMIN = "admin"

    def allows(self, needed: "Role") -> bool:
        """An admin may do all, the others what they are called after.

        >>> Role.ADMIN.allows(Role.METRICS), Role.PREDICT.allows(Role.PREDICT), Role.PREDICT.allows(Role.METRICS)
        (True, True, False)
        """
        return self is Role.ADMIN or self is needed


class KnownKeys(Protocol):
    """Keys that a guard asks for; they may change while the service runs."""

    @property
    def predictions_open(self) -> bool: ...

    def role(self, key: str) -> Role | None: ...


class NamedKey(Protocol):
    """A key that was made with a name, as the file of keys holds it."""

    @property
    def digest(self) -> bytes: ...

    @property
    def role(self) -> Role: ...

    @property
    def is_revoked(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that the service knows at one time.

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


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What the settings say of keys.

    Parameters
    ----------
    roles
        By the SHA-256 digest of each key of the settings, what it allows.
    host
        The address that the service listens on.
    anonymous_predict
        Whether predictions need no key, whatever keys there are.
    """

    roles: Mapping[bytes, Role]
    host: str = "127.0.0.1"
    anonymous_predict: bool = False

    def with_files(self, admin_key: str, named: Iterable[NamedKey] = ()) -> Keys:
        """Put together the keys of the settings, the one of the data folder, and those that have names.

        Without a single key predictions are open on this machine. A key that was revoked keeps them closed, so that
        taking the last one back opens nothing; one that reads metrics changes nothing.

        Raises
        ------
        StartError
            If predictions would be open to other machines without anyone having said so.
        """
        named = tuple(named)
        has_keys = bool(self.roles) or any(key.role is not Role.METRICS for key in named)
        if not (has_keys or self.anonymous_predict or is_loopback(self.host)):
            raise StartError(
                f"Listening on {self.host} would let anyone on the network predict. Make a key (`api-pokemon key add "
                "NAME`), or set API_POKEMON_PREDICT_KEYS to the SHA-256 hashes of the keys that may, or "
                "API_POKEMON_ANONYMOUS_PREDICT=true for everyone, or listen on 127.0.0.1."
            )
        valid = {key.digest: key.role for key in named if not key.is_revoked}
        return Keys(
            {**self.roles, **valid, digest_of(admin_key): Role.ADMIN},
            predictions_open=self.anonymous_predict or not has_keys,
        )


def read_hashes(predict_hashes: Iterable[str], admin_hashes: Iterable[str]) -> dict[bytes, Role]:
    """The keys of the settings, by their digests; one that is in both lists is an admin's.

    Raises
    ------
    StartError
        If a hash is not one.
    """
    return {
        **{_parse_hash(text, "API_POKEMON_PREDICT_KEYS"): Role.PREDICT for text in predict_hashes},
        **{_parse_hash(text, "API_POKEMON_ADMIN_KEYS"): Role.ADMIN for text in admin_hashes},
    }


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address; a name that is not ``localhost`` is taken for reachable.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("")
    (True, True, True, False, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_hash(text: str) -> bool:
    """Whether this is a SHA-256 hash in 64 hexadecimal digits."""
    return _SHA256.fullmatch(text) is not None


def _parse_hash(text: str, setting: str) -> bytes:
    if not is_hash(text):
        raise StartError(
            f"{setting} holds something that is not a SHA-256 hash of 64 hexadecimal digits. "
            "`printf %s YOUR-KEY | sha256sum` prints one; the key itself does not belong there."
        )
    return bytes.fromhex(text)


def scheme_of(role: Role) -> str:
    """The name of its security scheme in the OpenAPI document."""
    return f"{role.value} key"


class KeyGuard(APIKeyHeader):
    """Lets a request pass if its key allows it; a FastAPI dependency that stands in the OpenAPI document.

    Parameters
    ----------
    keys
        The keys that the service knows.
    needed
        The role that passes, beside an admin. For metrics, the key may also come as ``Authorization: Bearer``, which is
        how Prometheus sends it.
    """

    def __init__(self, keys: KnownKeys, needed: Role) -> None:
        super().__init__(name=HEADER, scheme_name=scheme_of(needed), description=_WHAT_FOR[needed], auto_error=False)
        self._keys = keys
        self._needed = needed
        self._sent = _sent_key_or_bearer if needed is Role.METRICS else _sent_key

    async def __call__(self, request: Request) -> None:  # type: ignore[override]  # who asks is of no interest
        key = self._sent(request)
        if key is None:
            if not (self._needed is Role.PREDICT and self._keys.predictions_open):
                raise ProblemError(Kind.KEY_NEEDED, f"This needs a key in the header {HEADER}.", headers=_CHALLENGE)
            return
        role = self._keys.role(key)
        if role is None:
            raise ProblemError(
                Kind.KEY_NEEDED, f"The key in {HEADER} is not one that this service knows.", headers=_CHALLENGE
            )
        if not role.allows(self._needed):
            raise ProblemError(Kind.KEY_NOT_ENOUGH, f"This needs a key of the role {self._needed.value}.")


def _sent_key(request: Request) -> str | None:
    """The key, in UTF-8 as people who hash it take it to be, not in the Latin-1 of old headers."""
    return _header(request, RAW_HEADER)


def _sent_key_or_bearer(request: Request) -> str | None:
    key = _sent_key(request)
    scheme, _, credentials = (_header(request, b"authorization") or "").partition(" ")
    return credentials.strip() if key is None and scheme.lower() == "bearer" else key


def _header(request: Request, wanted: bytes) -> str | None:
    for name, value in request.scope["headers"]:
        if name == wanted:
            return bytes(value).decode("utf-8", "surrogateescape")
    return None


RAW_HEADER = HEADER.lower().encode()
_CHALLENGE = {"WWW-Authenticate": f'ApiKey header="{HEADER}"'}
_WHAT_FOR = {
    Role.METRICS: "A key of the role `metrics` or `admin`; also taken as `Authorization: Bearer`.",
    Role.PREDICT: "A key of the role `predict` or `admin`; not needed where predictions are open.",
    Role.ADMIN: "A key of the role `admin`.",
}
