"""Nothing calls out: the service works where there is no network, and the kernel counts that nobody looked for one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.integration import without_network
from tests.needs import needs
from tests.servers import free_port, wait_until

RESOLVER = "nameserver 192.0.2.53\noptions timeout:1 attempts:1\n"
"""An address that nobody has, so that a name that is looked up is a call that is counted."""

SECONDS = 600
WITH_REPORTS = "--with-reports"


def attempts(folder: Path, *command: str, **settings: str) -> int:
    """Run a command where there is no network; it must end well. Returns how often something wanted to get out."""
    (folder / "resolv.conf").write_text(RESOLVER)
    result = folder / "result.json"
    inside = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
    script = [sys.executable, without_network.__file__, str(result), *command]
    ran = subprocess.run(
        [*namespace(), "sh", "-c", inside, "sh", str(folder / "resolv.conf"), *script],
        env={**os.environ, **settings},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return int(json.loads(result.read_text())["attempts"])


def namespace() -> list[str]:
    unshare = shutil.which("unshare")
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    words = [str(unshare), *rights, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    works = unshare and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
    needs(works, "the right to make a network namespace (unshare)")
    return words


@pytest.mark.parametrize(
    "call",
    [
        "socket.create_connection(('192.0.2.1', 80), 1)",
        "socket.create_connection(('2001:db8::1', 80), 1)",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 4317))",
        "socket.getaddrinfo('telemetry.example', 443)",
        "ctypes.CDLL(None).gethostbyname(b'telemetry.example') or exit('nobody')",
    ],
)
def test_whoever_calls_out_is_noticed(tmp_path: Path, call: str) -> None:
    """The proof that the test below can fail."""
    script = f"import ctypes, socket\ntry:\n    {call}\nexcept OSError:\n    pass\nexcept SystemExit:\n    pass"
    assert attempts(tmp_path, sys.executable, "-c", script) > 0


def test_the_service_calls_nobody(tmp_path: Path) -> None:
    """Drift reports, which take half a minute, are in ``reports_without_network.py``."""
    assert attempts_of_the_service(tmp_path) == 0


def attempts_of_the_service(folder: Path, *words: str) -> int:
    """How often it wanted to get out while all of it was used; words are of this module's own command line."""
    settings = {
        "API_POKEMON_DATA_DIR": str(folder / "data"),
        "API_POKEMON_PORT": str(free_port()),
        "API_POKEMON_TABLEBASE": "false",
        "API_POKEMON_DRIFT_CHECK_SECONDS": "5",
    }
    return attempts(folder, sys.executable, "-m", "tests.integration.test_no_network", *words, **settings)


def start_use_and_stop() -> None:
    api_pokemon = [sys.executable, "-m", "api_pokemon"]
    url = f"http://127.0.0.1:{os.environ['API_POKEMON_PORT']}"
    with subprocess.Popen([*api_pokemon, "up"], stdin=subprocess.DEVNULL) as service:
        try:
            use(api_pokemon, url)
        finally:
            service.terminate()
        assert service.wait(30) == 0


def use(api_pokemon: list[str], url: str) -> None:
    """Predict, report an outcome, look at every page, and if it is asked for, have Evidently write a report."""
    wait_until(lambda: answers(url), "it answers")
    key = subprocess.run([*api_pokemon, "key", "admin"], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run([*api_pokemon, "traffic", "--requests", "300", "--rate", "0"], check=True)
    with httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=30) as client:
        wait_until(lambda: len(client.get("/predictions?limit=200").json()["items"]) == 200, "all is logged")
        (first,) = client.get("/predictions?limit=1").json()["items"]
        outcome = client.post(f"/predictions/{first['prediction_id']}/outcome", json={"winner": "A"})
        assert outcome.status_code == 200
        for path in ("/", "/docs", "/openapi.json", "/problems", "/metrics", "/health/ready", "/drift/history"):
            assert client.get(path).status_code == 200, path
        if sys.argv[1:] == [WITH_REPORTS]:
            report_drift(client)


def report_drift(client: httpx.Client) -> None:
    assert client.post("/drift/reports").status_code == 202
    wait_until(lambda: client.get("/drift/reports").json()["reports"], "a report is written", SECONDS / 2)
    wait_until(lambda: client.get("/drift/status").json()["versions"], "drift is checked", SECONDS / 2)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").status_code == 200
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    start_use_and_stop()
