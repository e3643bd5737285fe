"""Evidently's page in a real browser: it draws, and its scripts reach nobody with the rights of the person who looks.

Needs Chromium, and so is no part of ``make test``; ``make test-browser`` runs it.
"""

import http.client
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest

from api_pokemon.monitoring import Fields
from api_pokemon.monitoring.evidently_report import run_evidently
from api_pokemon.monitoring.profile_rows import FieldSpec
from api_pokemon.monitoring.report_folder import ReportFolder
from api_pokemon.monitoring.report_rows import ReportRows
from api_pokemon.routes.admin_key import AdminKeyFile
from tests.integration.deployment import Program
from tests.needs import needs
from tests.routes.examples import SUMMARY

PAGE = f"/drift/reports/{SUMMARY.report_id}.html"
ATTACK = """
<script>
const told = [];
const tell = (how) => (end) => { told.push(how + " " + end); document.title = told.join(", "); };
for (const path of ["/predictions", "{origin}/predictions"])
  fetch(path).then(tell("fetched"), tell("refused"));
fetch("{origin}/drift/reports", {method: "POST", mode: "no-cors"}).then(tell("fetched"), tell("refused"));
try { const asked = new XMLHttpRequest(); asked.open("GET", "/faults"); asked.send(); } catch {}
try { navigator.sendBeacon("{origin}/predictions", "x"); } catch {}
try { new WebSocket("ws://{host}/predictions"); } catch {}
new Image().src = "{origin}/predictions?image";
document.write('<iframe src="{origin}/predictions?frame"></iframe>');
document.write('<form id=f action="{origin}/drift/reports" method=post></form>');
try { document.getElementById("f").submit(); } catch {}
try { top.localStorage.x = 1; tell("stored")("x"); } catch (error) { tell("refused")(error.name); }
</script>
"""


class Person:
    """A proxy that sends the key of a person along with whatever their browser asks for, and notes it.

    Parameters
    ----------
    port
        Of the service.
    key
        Of the person.
    policy
        Whether the browser gets the page's policy.
    """

    def __init__(self, port: int, key: str, *, policy: bool) -> None:
        self.asked: list[str] = []
        person = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                person.asked.append(f"{self.command} {self.path}")
                length = int(self.headers.get("Content-Length", 0))
                headers = {"X-API-Key": key, "Accept": self.headers.get("Accept", "*/*"), "Connection": "close"}
                with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as service:
                    service.request(self.command, self.path, self.rfile.read(length) or None, headers)
                    answer = service.getresponse()
                    body = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if policy or name.lower() != "content-security-policy":
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 -- the library's name

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @contextmanager
    def looking(self) -> Iterator["Person"]:
        serving = Thread(target=self.server.serve_forever, daemon=True)
        serving.start()
        yield self
        self.server.shutdown()
        self.server.server_close()


class Seen(NamedTuple):
    """What a person has seen, and what their browser has asked for."""

    document: str
    asked: list[str]
    picture: Path


@pytest.fixture(scope="module")
def report() -> str:
    """A page as Evidently writes it."""
    specs = [FieldSpec("size", "number", "request"), FieldSpec("colour", "category", "request")]

    def rows(shift: int) -> ReportRows:
        made: list[Fields] = [{"size": float(index % 50 + shift), "colour": "abc"[index % 3]} for index in range(300)]
        return ReportRows(len(made), made, made)

    return run_evidently(specs, rows(0), rows(20)).html


def look(folder: Path, report: str, *, policy: bool) -> Seen:
    """Show the report, with the attack in it, to a person who may do everything."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    needs(chromium, "chromium (on Debian: apt-get install chromium)")
    data = folder / "data"
    data.mkdir()
    key = AdminKeyFile(data / "admin.key").read_or_make()
    settings = {"API_POKEMON_DATA_DIR": str(data), "API_POKEMON_TABLEBASE": "false"}
    with Program(folder / "serve", "serve", settings) as service:
        person = Person(service.port, key, policy=policy)
        attack = ATTACK.replace("{origin}", person.origin).replace("{host}", person.origin.partition("//")[2])
        ReportFolder(data / "reports").keep(SUMMARY, report.replace("</body>", attack + "</body>"), "{}")
        with person.looking():
            picture = folder / "page.png"
            words = [f"--user-data-dir={folder / 'profile'}", "--window-size=1300,1600", "--virtual-time-budget=20000"]
            options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", *words]
            show = [str(chromium), *options, f"--screenshot={picture}", "--dump-dom", f"{person.origin}{PAGE}"]
            shown = subprocess.run(show, capture_output=True, text=True, timeout=120, check=True)
    return Seen(shown.stdout, person.asked, picture)


@pytest.fixture(scope="module")
def seen(report: str, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return look(tmp_path_factory.mktemp("seen"), report, policy=True)


def test_the_report_is_drawn(seen: Seen) -> None:
    assert "colour" in seen.document
    assert "js-plotly-plot" in seen.document or "<svg" in seen.document
    assert seen.picture.stat().st_size > 20_000


def test_its_scripts_reach_nobody(seen: Seen) -> None:
    assert seen.asked.count(f"GET {PAGE}") == 1
    assert [line for line in seen.asked if line not in (f"GET {PAGE}", "GET /favicon.ico")] == []
    title = seen.document.partition("<title>")[2].partition("</title>")[0]
    assert title.count("refused") == 4
    assert "fetched" not in title
    assert "stored" not in title


def test_without_the_policy_they_would(report: str, tmp_path: Path) -> None:
    """The proof that the test above can fail."""
    asked = look(tmp_path, report, policy=False).asked
    assert {"GET /predictions", "POST /drift/reports", "GET /faults"} <= set(asked)
