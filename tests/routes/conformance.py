"""Holds answers against the OpenAPI document that the service publishes about itself."""

from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator

PROBLEM = "application/problem+json"


class Conformance:
    """Finds what the document says of an answer, and compares."""

    def __init__(self, app: FastAPI) -> None:
        self.document: dict[str, Any] = app.openapi()
        self._routes = [route for route in app.routes if isinstance(route, APIRoute)]
        self._validators: dict[str, Draft202012Validator] = {}

    def check(self, response: httpx.Response) -> None:
        """Fail if the document does not foresee this status, this media type or this body."""
        media_type = response.headers.get("content-type", "").partition(";")[0]
        operation = self._operation(response.request)
        if operation is None:  # no documented page, or none with this method
            if response.status_code in (404, 405):
                self._check_body({"$ref": "#/components/schemas/Problem"}, response.json())
                assert media_type == PROBLEM
            return
        answers = operation["responses"]
        assert str(response.status_code) in answers, f"{response.status_code} is not documented: {response.text}"
        content = answers[str(response.status_code)]["content"]
        assert media_type in content, f"{media_type} is not documented for {response.request.url}"
        if media_type.endswith("json"):
            self._check_body(content[media_type]["schema"], response.json())

    def _operation(self, request: httpx.Request) -> dict[str, Any] | None:
        method = "get" if request.method == "HEAD" else request.method.lower()
        for route in self._routes:
            if route.include_in_schema and route.path_regex.match(request.url.path):
                operation: dict[str, Any] | None = self.document["paths"][route.path_format].get(method)
                return operation
        return None

    def _check_body(self, schema: dict[str, Any], body: object) -> None:
        key = repr(schema)
        if key not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            Draft202012Validator.check_schema(whole)
            self._validators[key] = Draft202012Validator(whole)
        self._validators[key].validate(body)


class Client(httpx.AsyncClient):
    """Talks to the application without a socket; an answer that the document does not foresee fails the test."""

    def __init__(self, app: FastAPI, conformance: Conformance, *, raise_app_exceptions: bool = True) -> None:
        super().__init__(
            transport=httpx.ASGITransport(app=app, raise_app_exceptions=raise_app_exceptions),
            base_url="http://service",
            event_hooks={"response": [self._check]},
        )
        self._conformance = conformance

    async def _check(self, response: httpx.Response) -> None:
        await response.aread()
        if response.request.method != "HEAD":
            self._conformance.check(response)

    async def predict(self, duel: object, **headers: str) -> httpx.Response:
        return await self.post("/predict/best-move", json=duel, headers=headers)
