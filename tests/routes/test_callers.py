from typing import Any

import pytest

from api_pokemon.errors import StartError
from api_pokemon.routes.callers import Callers, read_networks
from api_pokemon.routes.keys import Keys, Role, digest_of

KEYS = Keys({digest_of("ours"): Role.PREDICT}, predictions_open=True)
CALLERS = Callers(KEYS, read_networks(["10.0.0.0/8", "fd00::1"]))


def scope(peer: str | None, *forwarded: str, key: str | None = None) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    headers += [(b"x-api-key", key.encode())] if key is not None else []
    return {"client": (peer, 4711) if peer else None, "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["6.6.6.6"], "192.0.2.1"),  # from anybody
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["6.6.6.6, 192.0.2.1"], "192.0.2.1"),  # the first one is what a client claims
        ("10.0.0.1", ["6.6.6.6", "192.0.2.1 , 10.0.0.2"], "192.0.2.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["6.6.6.6, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["6.6.6.6, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["6.6.6.6," + ",".join(["10.0.0.2"] * 100)], "10.0.0.2"),
        ("fd00::1", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", ["::ffff:192.0.2.1"], "192.0.2.1"),
        ("fe80::1%eth0", [], "fe80::/64"),
        (None, ["6.6.6.6"], "unknown"),
    ],
)
def test_an_address_is_that_of_whom_a_trusted_one_has_seen(peer: str | None, forwarded: list[str], caller: str) -> None:
    assert CALLERS.of(scope(peer, *forwarded)) == caller


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert Callers(KEYS).of(scope("10.0.0.1", "192.0.2.1")) == "10.0.0.1"


def test_a_known_key_counts_for_itself_wherever_it_comes_from() -> None:
    first, second = (CALLERS.of(scope(peer, key="ours")) for peer in ("192.0.2.1", "192.0.2.2"))
    assert first == second == f"key-{digest_of('ours').hex()[:32]}"


@pytest.mark.parametrize("key", ["", "theirs", "ours ", "\xe9"])
def test_a_wrong_key_is_nobody_else(key: str) -> None:
    assert CALLERS.of(scope("192.0.2.1", key=key)) == "192.0.2.1"


@pytest.mark.parametrize("text", ["nonsense", "10.0.0.0/33", "gateway"])
def test_a_proxy_that_is_no_address_is_told(text: str) -> None:
    with pytest.raises(StartError, match=f"API_POKEMON_TRUSTED_PROXIES: '{text}'"):
        read_networks(["10.0.0.1", text])
