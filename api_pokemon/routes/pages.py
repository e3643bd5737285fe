"""The pages for people: the index, the API's documentation, the problems. All that they load comes from here."""

import re
from collections.abc import Callable, Iterator
from html import escape
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from api_pokemon.routes.problems import Kind

_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; img-src data:"
_STYLED = {"Content-Security-Policy": f"{_POLICY}; style-src 'self'"}
_SCRIPTED = {  # Swagger UI writes style attributes of its own
    "Content-Security-Policy": f"{_POLICY}; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'"
}
_STYLE = """\
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
dt { margin-top: 0.8rem; font-weight: 600 }
dd { margin: 0 }
pre { overflow-x: auto; padding: 0.8rem; border: 1px solid; border-radius: 0.3rem }
:target { outline: 2px solid; outline-offset: 0.3rem }
"""
_START = 'SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null })\n'
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{style}">
</head>
<body>
{body}
</body>
</html>
"""
_DOCS = """\
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>"""
_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]+)?")
_EXAMPLE = """\
curl -X POST http://{host}/predict/best-move \\
  -H "Content-Type: application/json" \\
  -d '{"pokemon_a_id":1,"pokemon_b_id":25,"available_moves":["Surf"]}'"""

Document = Callable[[], dict[str, Any]]


def page_routes(document: Document) -> APIRouter:
    """The routes of the pages.

    Parameters
    ----------
    document
        Gives the OpenAPI document, which the index lists.
    """
    router = APIRouter(include_in_schema=False)
    swagger_ui = files("fastapi_offline") / "static"

    @router.get("/")
    async def get_index(request: Request) -> Response:
        host = request.headers.get("Host", "")
        example = _EXAMPLE.replace("{host}", host if _HOST.fullmatch(host) else "localhost:8000")
        return _page("api-pokemon", "/style.css", _index(document(), example), _STYLED)

    @router.get("/problems")
    async def get_problems() -> Response:
        return _page("Problems", "/style.css", _problems(), _STYLED)

    @router.get("/docs")
    async def get_docs() -> Response:
        return _page("api-pokemon: the API", "/docs/swagger-ui.css", _DOCS, _SCRIPTED)

    @router.get("/docs/{file}")
    async def get_docs_file(file: str) -> Response:
        if file == "start.js":
            return Response(_START, media_type="text/javascript")
        if file in ("swagger-ui.css", "swagger-ui-bundle.js"):
            return FileResponse(str(swagger_ui / file))
        raise HTTPException(HTTPStatus.NOT_FOUND)

    @router.get("/style.css")
    async def get_style() -> Response:
        return Response(_STYLE, media_type="text/css")

    return router


def _page(title: str, style: str, body: str, headers: dict[str, str]) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=title, style=style, body=body), headers=headers)


def _index(document: dict[str, Any], example: str) -> str:
    info = document["info"]
    return "\n".join(
        (
            f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
            f"<p>{escape(info['summary'])}</p>",
            f"<pre>{escape(example)}</pre>",
            '<p><a href="/docs">Try it</a>, read the <a href="/openapi.json">OpenAPI document</a>, '
            'or see <a href="/problems">what can go wrong</a>.</p>',
            "<dl>",
            *_entries(document["paths"]),
            "</dl>",
        )
    )


def _entries(paths: dict[str, dict[str, dict[str, Any]]]) -> Iterator[str]:
    for path, operations in paths.items():
        for method, operation in operations.items():
            link = path.replace("{pokemon_id}", "25").replace("{move_id}", "57")
            can_follow = method == "get" and not operation["security"]  # a link sends no key
            shown = f'<a href="{link}">{escape(path)}</a>' if can_follow else escape(path)
            yield f"<dt>{method.upper()} {shown}</dt><dd>{escape(operation['summary'])}</dd>"


def _problems() -> str:
    entries = (
        f'<dt id="{kind.slug}">{kind.status} {escape(kind.title)}</dt><dd>{escape(kind.remedy)}</dd>' for kind in Kind
    )
    return "\n".join(("<h1>Problems</h1>", "<dl>", *entries, "</dl>", '<p><a href="/">Index</a></p>'))
