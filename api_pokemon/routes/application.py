"""FastAPI as the programs of this service want it."""

from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Receive, Scope, Send

from api_pokemon.routes.asgi import Envelope
from api_pokemon.routes.problems import install_problems

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""Or each request looks for a tracer, which takes 4 µs."""


class Application(FastAPI):
    """Answers every failure with a problem, loads no page from elsewhere, and puts every answer into its envelope."""

    def __init__(self, **options: Any) -> None:
        super().__init__(docs_url=None, redoc_url=None, redirect_slashes=False, telemetry=NO_TELEMETRY, **options)
        install_problems(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As FastAPI does where nothing is told to a tracer, in one step of its three."""
        if scope["type"] == "http" and self.middleware_stack and not self.root_path:
            scope["app"] = self
            await self.middleware_stack(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Put what was added around all that FastAPI and Starlette bring, so that a shortcut passes by that, too."""
        added, self.user_middleware = self.user_middleware, []
        app = super().build_middleware_stack()
        for middleware, arguments, options in reversed(added):
            app = middleware(app, *arguments, **options)
        return Envelope(app)
