import json
import logging
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api_pokemon.errors import KeyFileError, StartError
from api_pokemon.routes.admin_key import AdminKeyFile
from api_pokemon.routes.key_file import KeyFile
from api_pokemon.routes.key_ring import KeyRing
from api_pokemon.routes.keys import KeySettings, Role


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


def ring_of(file: KeyFile, *, host: str = "127.0.0.1") -> KeyRing:
    return KeyRing(KeySettings({}, host), AdminKeyFile(file.path.with_name("admin.key")), file)


class TestKeyFile:
    def test_the_file_knows_hashes_and_dates_and_nobody_else_can_read_it(self, file: KeyFile) -> None:
        key = file.add("shop", Role.PREDICT)
        assert key not in file.path.read_text()
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        (entry,) = file.entries()
        assert (entry.name, entry.role, entry.is_revoked) == ("shop", Role.PREDICT, False)
        assert json.loads(file.path.read_bytes())["keys"][0]["made_at"].endswith("Z")

    def test_a_revoked_key_stays_in_the_list_and_its_name_is_free(self, file: KeyFile) -> None:
        file.add("shop", Role.PREDICT)
        assert file.revoke("shop").is_revoked
        file.add("shop", Role.ADMIN)
        assert [(entry.role, entry.is_revoked) for entry in file.entries()] == [
            (Role.PREDICT, True),
            (Role.ADMIN, False),
        ]

    def test_a_name_is_one_key_s(self, file: KeyFile) -> None:
        file.add("shop", Role.PREDICT)
        with pytest.raises(KeyFileError, match=r"There is a key named shop\. Take another name, such as shop-2"):
            file.add("shop", Role.ADMIN)

    @pytest.mark.parametrize("name", ["", "a b", "-x", "a\n", "é", "x" * 65, "../x"])
    def test_what_is_no_name_is_refused(self, file: KeyFile, name: str) -> None:
        with pytest.raises(KeyFileError, match="A key cannot be named"):
            file.add(name, Role.PREDICT)
        assert not file.path.exists()

    def test_who_revokes_what_is_not_there_is_told(self, file: KeyFile) -> None:
        with pytest.raises(KeyFileError, match="There is no key named 'shop' to revoke"):
            file.revoke("shop")

    def test_commands_at_the_same_time_lose_nothing(self, file: KeyFile) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: file.add(f"key-{number}", Role.PREDICT), range(32)))
        assert len(file.entries()) == 32
        assert sorted(path.name for path in file.path.parent.iterdir()) == ["keys.json", "keys.json.lock"]

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"\xff",
            b'{"keys":[{"name":"a","role":"god","sha256":"","made_at":"2026-11-26T00:00:00Z"}]}',
            b'{"keys":[{"name":"a","role":"admin","sha256":"00","made_at":"2026-11-26T00:00:00Z"}]}',
        ],
    )
    def test_a_damaged_file_is_refused_and_not_overwritten(self, file: KeyFile, content: bytes) -> None:
        file.path.write_bytes(content)
        for use in (file.entries, lambda: file.add("a", Role.ADMIN), lambda: file.revoke("a")):
            with pytest.raises(KeyFileError, match="cannot be read"):
                use()
        assert file.path.read_bytes() == content


class TestKeyRing:
    def test_old_and_new_keys_count_until_the_old_one_is_revoked(self, file: KeyFile) -> None:
        old = file.add("shop", Role.PREDICT)
        ring = ring_of(file)
        new = file.add("shop-2", Role.PREDICT)
        assert [ring.role(old), ring.role(new)] == [Role.PREDICT, None]
        ring.refresh()
        assert [ring.role(old), ring.role(new)] == [Role.PREDICT, Role.PREDICT]
        file.revoke("shop")
        ring.refresh()
        assert [ring.role(old), ring.role(new)] == [None, Role.PREDICT]

    def test_the_first_key_closes_predictions_and_no_revocation_opens_them(self, file: KeyFile) -> None:
        ring = ring_of(file)
        assert ring.predictions_open
        file.add("shop", Role.PREDICT)
        ring.refresh()
        assert not ring.predictions_open
        file.revoke("shop")
        ring.refresh()
        assert not ring.predictions_open
        assert not ring_of(file).predictions_open

    def test_a_new_admin_key_takes_the_place_of_the_old_one(self, file: KeyFile) -> None:
        ring = ring_of(file)
        admin = AdminKeyFile(file.path.with_name("admin.key"))
        old, new = admin.read_or_make(), admin.renew()
        ring.refresh()
        assert [ring.role(old), ring.role(new)] == [None, Role.ADMIN]
        assert stat.S_IMODE(admin.path.stat().st_mode) == 0o600

    @pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"{")])
    def test_a_file_that_is_gone_or_damaged_changes_nothing_and_is_told_once(
        self, file: KeyFile, harm: object, caplog: pytest.LogCaptureFixture
    ) -> None:
        key = file.add("shop", Role.PREDICT)
        content = file.path.read_bytes()
        ring = ring_of(file)
        harm(file.path)  # type: ignore[operator]
        for _ in range(3):
            ring.refresh()
        assert (ring.role(key), ring.predictions_open) == (Role.PREDICT, False)
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        file.path.write_bytes(content)
        file.revoke("shop")
        ring.refresh()
        assert ring.role(key) is None

    def test_a_damaged_file_is_no_start(self, file: KeyFile) -> None:
        file.path.write_bytes(b"{")
        with pytest.raises(StartError, match="Put a backup in its place"):
            ring_of(file)

    def test_a_named_key_lets_the_service_listen_to_the_network(self, file: KeyFile) -> None:
        with pytest.raises(StartError, match="api-pokemon key add"):
            ring_of(file, host="0.0.0.0")
        file.add("prometheus", Role.METRICS)
        with pytest.raises(StartError, match="api-pokemon key add"):
            ring_of(file, host="0.0.0.0")
        file.add("shop", Role.PREDICT)
        assert not ring_of(file, host="0.0.0.0").predictions_open
