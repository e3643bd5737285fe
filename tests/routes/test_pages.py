import re
from html.parser import HTMLParser

import pytest
from fastapi import FastAPI

from tests.routes.conformance import Client


class Links(HTMLParser):
    """All that a page points to or loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


@pytest.mark.parametrize("path", ["/", "/problems", "/docs"])
async def test_every_link_leads_to_a_page_of_this_service(client: Client, path: str) -> None:
    links = [link for link in Links((await client.get(path)).text).found if link != "data:,"]
    assert links
    for link in links:
        assert link.startswith("/")
        assert (await client.get(link)).status_code == 200


async def test_the_index_has_every_operation(client: Client, shared_app: FastAPI) -> None:
    page = (await client.get("/")).text
    text = re.sub(r"<[^>]+>", "", page)
    for path, operations in shared_app.openapi()["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()} {path}{operation['summary']}" in text


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1:9000", "127.0.0.1:9000"),
        ("[::1]:9000", "[::1]:9000"),
        ("pokemon.example", "pokemon.example"),
        ('"><script>', "localhost:8000"),
        ("x/y;rm -rf", "localhost:8000"),
        ("", "localhost:8000"),
    ],
)
async def test_the_example_of_the_index_asks_the_service_that_was_asked(client: Client, host: str, shown: str) -> None:
    page = (await client.get("/", headers={"Host": host})).text
    assert f"curl -X POST http://{shown}/predict/best-move " in page


@pytest.mark.parametrize("path", ["/", "/problems", "/docs"])
async def test_nothing_runs_inline(client: Client, path: str) -> None:
    response = await client.get(path)
    assert not re.search(r"<script>|<style>|\bon\w+=", response.text)
    assert "'unsafe-inline'" not in re.sub(r"style-src[^;]*", "", response.headers["content-security-policy"])


async def test_the_documentation_is_swagger_ui_of_its_own(client: Client) -> None:
    script = await client.get("/docs/swagger-ui-bundle.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert len(script.content) > 1_000_000
    assert b"SwaggerUIBundle" in script.content
    assert (await client.get("/docs/swagger-ui.css")).headers["content-type"].startswith("text/css")
    assert "validatorUrl: null" in (await client.get("/docs/start.js")).text


@pytest.mark.parametrize("file", ["x.js", "redoc.standalone.js", "..%2f__init__.py", "%2fetc%2fpasswd", ""])
async def test_no_other_file_is_served(client: Client, file: str) -> None:
    assert (await client.get(f"/docs/{file}")).status_code == 404
