import hashlib
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from httpx import ASGITransport, AsyncClient

from api_pokemon.errors import StartError
from api_pokemon.routes.admin_key import AdminKeyFile
from api_pokemon.routes.key_file import KeyEntry
from api_pokemon.routes.keys import KeyGuard, Keys, KeySettings, Role, is_loopback, make_key, read_hashes
from api_pokemon.routes.problems import install_problems

EVERYWHERE = "0.0.0.0"


def hash_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def keys(
    *,
    host: str = "127.0.0.1",
    predict_hashes: Iterable[str] = (),
    admin_hashes: Iterable[str] = (),
    anonymous_predict: bool = False,
    named: Iterable[KeyEntry] = (),
) -> Keys:
    return KeySettings(read_hashes(predict_hashes, admin_hashes), host, anonymous_predict).with_files("first", named)


def named(role: Role, *, revoked: bool = False) -> KeyEntry:
    made = datetime(2026, 11, 26, tzinfo=UTC)
    return KeyEntry("someone", role, hash_of("n"), made, made if revoked else None)


class TestReadKeys:
    def test_a_key_has_the_role_of_its_hash(self) -> None:
        known = keys(predict_hashes=[hash_of("p")], admin_hashes=[hash_of("a").upper()])
        assert [known.role(key) for key in ("p", "a", "first", "", "P", hash_of("p"))] == [
            Role.PREDICT,
            Role.ADMIN,
            Role.ADMIN,
            None,
            None,
            None,
        ]

    @pytest.mark.parametrize("role", Role)
    def test_a_named_key_counts_until_it_is_revoked(self, role: Role) -> None:
        assert keys(named=[named(role)]).role("n") is role
        assert keys(named=[named(role, revoked=True)]).role("n") is None

    def test_a_key_that_is_in_both_lists_is_an_admins(self) -> None:
        known = keys(predict_hashes=[hash_of("a")], admin_hashes=[hash_of("a")])
        assert known.role("a") is Role.ADMIN

    def test_a_key_of_any_characters_has_a_role_or_none(self) -> None:
        assert keys().role("\udcff\x80é") is None

    @pytest.mark.parametrize(
        ("changes", "is_open"),
        [
            ({}, True),
            ({"host": "::1"}, True),
            ({"predict_hashes": [hash_of("p")]}, False),
            ({"admin_hashes": [hash_of("a")]}, False),
            ({"host": EVERYWHERE, "predict_hashes": [hash_of("p")]}, False),
            ({"host": EVERYWHERE, "anonymous_predict": True}, True),
            ({"predict_hashes": [hash_of("p")], "anonymous_predict": True}, True),
            ({"named": [named(Role.PREDICT)]}, False),
            ({"named": [named(Role.ADMIN)]}, False),
            ({"named": [named(Role.PREDICT, revoked=True)]}, False),
            ({"named": [named(Role.METRICS)]}, True),
            ({"host": EVERYWHERE, "named": [named(Role.PREDICT)]}, False),
        ],
    )
    def test_when_predictions_need_no_key(self, changes: dict[str, Any], is_open: bool) -> None:
        assert keys(**changes).predictions_open is is_open

    @pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.0.7", "pokemon.example", ""])
    def test_predictions_are_never_open_to_the_network_by_accident(self, host: str) -> None:
        with pytest.raises(StartError, match="API_POKEMON_ANONYMOUS_PREDICT=true"):
            keys(host=host)

    @pytest.mark.parametrize("text", ["secret", hash_of("p")[1:], hash_of("p") + "0", "g" * 64, ""])
    def test_what_is_not_a_hash_is_refused_and_not_repeated(self, text: str) -> None:
        with pytest.raises(StartError, match="API_POKEMON_ADMIN_KEYS") as error:
            keys(admin_hashes=[text])
        assert text == "" or text not in str(error.value)

    @pytest.mark.parametrize(
        ("host", "loopback"),
        [
            ("127.0.0.1", True),
            ("127.8.8.8", True),
            ("::1", True),
            ("localhost", True),
            (EVERYWHERE, False),
            ("x", False),
        ],
    )
    def test_is_loopback(self, host: str, loopback: bool) -> None:
        assert is_loopback(host) is loopback


class TestAdminKeyFile:
    def test_the_first_start_makes_a_key_that_only_the_user_can_read(self, tmp_path: Path) -> None:
        file = AdminKeyFile(tmp_path / "admin.key")
        key = file.read_or_make()
        assert len(key) > 40
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["admin.key"]

    def test_later_starts_read_it(self, tmp_path: Path) -> None:
        file = AdminKeyFile(tmp_path / "admin.key")
        assert file.read_or_make() == file.read_or_make()

    def test_processes_that_start_at_once_agree(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(16) as pool:
            made = set(pool.map(lambda _: AdminKeyFile(tmp_path / "admin.key").read_or_make(), range(64)))
        assert len(made) == 1
        assert len(list(tmp_path.iterdir())) == 1

    def test_an_empty_file_is_no_key(self, tmp_path: Path) -> None:
        (tmp_path / "admin.key").write_text("\n")
        with pytest.raises(StartError, match="is empty"):
            AdminKeyFile(tmp_path / "admin.key").read_or_make()

    @pytest.mark.parametrize("content", [b"\xff\xfe", None])
    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / "admin.key"
        path.mkdir() if content is None else path.write_bytes(content)
        with pytest.raises(StartError, match=r"admin\.key"):
            AdminKeyFile(path).read_or_make()

    def test_no_two_keys_are_alike(self) -> None:
        assert len({make_key() for _ in range(1000)}) == 1000


class TestKeyGuard:
    @staticmethod
    async def ask(known: Keys, needed: Role, key: str | None) -> tuple[int, str, str | None]:
        app = FastAPI()
        app.add_api_route("/", lambda: None, dependencies=[Depends(KeyGuard(known, needed))])
        install_problems(app)
        async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
            response = await client.get("/", headers=[] if key is None else [(b"X-API-Key", key.encode())])
        kind = "" if response.is_success else response.json()["type"]
        return response.status_code, kind, response.headers.get("www-authenticate")

    @pytest.mark.parametrize(
        ("needed", "key", "status", "kind"),
        [
            (Role.PREDICT, "p", 200, ""),
            (Role.PREDICT, "a", 200, ""),
            (Role.PREDICT, None, 401, "key-needed"),
            (Role.PREDICT, "x", 401, "key-needed"),
            (Role.PREDICT, "", 401, "key-needed"),
            (Role.ADMIN, "a", 200, ""),
            (Role.ADMIN, "first", 200, ""),
            (Role.ADMIN, "p", 403, "key-not-enough"),
            (Role.ADMIN, None, 401, "key-needed"),
            (Role.ADMIN, "x", 401, "key-needed"),
            (Role.METRICS, "m", 200, ""),
            (Role.METRICS, "a", 200, ""),
            (Role.METRICS, "p", 403, "key-not-enough"),
            (Role.METRICS, None, 401, "key-needed"),
            (Role.PREDICT, "m", 403, "key-not-enough"),
            (Role.ADMIN, "m", 403, "key-not-enough"),
        ],
    )
    async def test_who_passes(self, needed: Role, key: str | None, status: int, kind: str) -> None:
        made = datetime(2026, 11, 26, tzinfo=UTC)
        metrics = KeyEntry("prometheus", Role.METRICS, hash_of("m"), made)
        known = keys(predict_hashes=[hash_of("p")], admin_hashes=[hash_of("a")], named=[metrics])
        answered, type_, challenge = await self.ask(known, needed, key)
        assert (answered, type_) == (status, f"/problems#{kind}" if kind else "")
        assert challenge == ('ApiKey header="X-API-Key"' if status == 401 else None)

    @pytest.mark.parametrize(("key", "status"), [(None, 200), ("first", 200), ("x", 401)])
    async def test_where_predictions_are_open_a_wrong_key_is_still_wrong(self, key: str | None, status: int) -> None:
        assert (await self.ask(keys(), Role.PREDICT, key))[0] == status

    async def test_a_key_may_have_any_characters(self) -> None:
        assert (await self.ask(keys(predict_hashes=[hash_of("clé")]), Role.PREDICT, "clé"))[0] == 200

    async def test_admin_calls_need_a_key_even_where_predictions_are_open(self) -> None:
        assert (await self.ask(keys(anonymous_predict=True), Role.ADMIN, None))[0] == 401
