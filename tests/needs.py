"""What a test needs and a machine may lack."""

import os

import pytest


def needs(available: object, what: str) -> None:
    """Skip the test, saying what is missing; under ``CI=true``, where nothing may be missing, fail it."""
    if available:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")
