"""A stack is found while it runs, and only then."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from api_pokemon.errors import UnreachableError
from api_pokemon.stack import RunningStack, need_running_stack, running_stack
from api_pokemon.stack.running import announced
from tests.servers import wait_until


def stack_of(process: psutil.Process) -> RunningStack:
    urls = (f"http://127.0.0.1:{port}" for port in range(1, 8))
    return RunningStack(process.pid, process.create_time(), 1.0, *urls)


def test_it_is_found_while_it_is_announced(tmp_path: Path) -> None:
    stack = stack_of(psutil.Process())
    assert running_stack(tmp_path) is None
    with announced(stack, tmp_path):
        assert running_stack(tmp_path) == need_running_stack(tmp_path) == stack
    assert running_stack(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_none_it_is_said_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=rf"No stack runs on the data folder {tmp_path}.*make stack"):
        need_running_stack(tmp_path)


def test_one_that_died_without_a_word_is_none(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with announced(stack_of(psutil.Process(child.pid)), tmp_path):
        assert running_stack(tmp_path)
        child.kill()
        wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE, "it is dead")
        assert running_stack(tmp_path) is None, "a zombie"
        child.communicate()
        assert running_stack(tmp_path) is None


def test_another_process_of_the_same_number_is_none(tmp_path: Path) -> None:
    stack = stack_of(psutil.Process())
    with announced(stack._replace(started_seconds=stack.started_seconds - 60), tmp_path):
        assert running_stack(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": 1}'])
def test_a_damaged_file_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    assert running_stack(tmp_path) is None


def test_a_program_that_does_not_run_is_named() -> None:
    with pytest.raises(UnreachableError, match="No process of the stack is worker just now"):
        stack_of(psutil.Process(os.getpid())).process("worker")
