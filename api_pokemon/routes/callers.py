"""Who asks, as far as limits are concerned: a key that the service knows, or else an address that is not made up."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from api_pokemon.errors import StartError
from api_pokemon.routes.keys import RAW_HEADER, KnownKeys, digest_of

Network = IPv4Network | IPv6Network

_REMEMBERED = 4096
_MOST_HOPS = 16


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read addresses and networks, such as ``10.0.0.7`` and ``172.16.0.0/12``.

    Raises
    ------
    StartError
        If one is none.
    """
    try:
        return tuple(ip_network(text, strict=False) for text in texts)
    except ValueError as error:
        raise StartError(
            f"API_POKEMON_TRUSTED_PROXIES: {error}. It takes addresses and networks, such as 10.0.0.7,172.16.0.0/12."
        ) from error


class Callers:
    """Names whoever asks.

    Parameters
    ----------
    keys
        A key counts for itself only if it is one of these: others would let a caller be someone else each time.
    trusted
        Proxies whose ``X-Forwarded-For`` is believed. From everybody else it may say anything, and is not read.

    Examples
    --------
    >>> from api_pokemon.routes.keys import Keys
    >>> callers = Callers(Keys({}, predictions_open=True), read_networks(["10.0.0.0/8"]))
    >>> told = [(b"x-forwarded-for", b"6.6.6.6, 192.0.2.1, 10.0.0.9")]
    >>> callers.of({"client": ("10.0.0.1", 4711), "headers": told})
    '192.0.2.1'
    >>> callers.of({"client": ("2001:db8::1:2:3:4", 4711), "headers": told})
    '2001:db8::/64'
    """

    def __init__(self, keys: KnownKeys, trusted: tuple[Network, ...] = ()) -> None:
        self._keys = keys
        self._trusted = trusted
        self._is_trusted = lru_cache(_REMEMBERED)(self._look_up)

    def of(self, scope: Mapping[str, Any]) -> str:
        """The name of whoever sent this request: short, and the same each time."""
        forwarded = []
        for name, value in scope["headers"]:
            if name == RAW_HEADER:
                key = bytes(value).decode("utf-8", "surrogateescape")
                if self._keys.role(key):
                    return f"key-{digest_of(key).hex()[:32]}"
            elif name == _FORWARDED:
                forwarded.append(value)
        peer = (scope["client"] or ("unknown", 0))[0]
        if forwarded and self._is_trusted(peer):
            peer = self._behind(peer, b",".join(forwarded).decode("latin-1"))
        return _subscriber(peer)

    def _behind(self, proxy: str, forwarded: str) -> str:
        """The last one in the list whom a trusted proxy has seen, and who is not one of them."""
        seen = proxy
        for text in reversed(forwarded.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]):
            address = text.strip()
            if not _parse(address):
                break
            seen = address
            if not self._is_trusted(address):
                break
        return seen

    def _look_up(self, address: str) -> bool:
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


_FORWARDED = b"x-forwarded-for"


@lru_cache(_REMEMBERED)
def _subscriber(address: str) -> str:
    """A subscriber has one IPv4 address, or 2⁶⁴ of IPv6."""
    parsed = _parse(address)
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else str(parsed or "unknown")


@lru_cache(_REMEMBERED)
def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
