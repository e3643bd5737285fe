import pytest

from tests.routes.conformance import Client


@pytest.mark.parametrize(
    "path", ["/", "/problems", "/docs", "/style.css", "/openapi.json", "/pokemon", "/pokemon/25", "/health", "/metrics"]
)
async def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    get, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    if path not in ("/health", "/metrics"):  # these change from call to call
        assert head.headers == get.headers


@pytest.mark.parametrize("path", ["/", "/docs", "/pokemon", "/nowhere", "/metrics", "/predict/best-move"])
async def test_a_browser_is_told_not_to_be_clever(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert len(headers.get_list("content-security-policy")) == 1
    assert headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'")
