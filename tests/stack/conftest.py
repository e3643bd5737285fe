"""One stack for all tests of a module, which leave it as they found it: to start one takes a while."""

from collections.abc import Iterator

import pytest

from tests.servers import free_port
from tests.stack.native_stack import NativeStack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeStack]:
    """With all that may stand between Prometheus and the metrics."""
    settings = {"API_POKEMON_METRICS_PORT": str(free_port()), "API_POKEMON_METRICS_PROTECTED": "true"}
    with NativeStack(tmp_path_factory.mktemp("stack"), settings=settings) as stack:
        yield stack
