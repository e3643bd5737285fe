"""One stack for all tests of a module, which leave it as they found it: to start one takes a while."""

from collections.abc import Iterator

import pytest

from tests.stack.native_stack import NativeStack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeStack]:
    with NativeStack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack
