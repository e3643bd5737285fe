"""Who may write to which outbox, whoever dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api_pokemon.monitoring import NotRecordedError, OutboxFolder, new_id

HOLDS = """
import os, subprocess, sys
from pathlib import Path
from api_pokemon.monitoring import OutboxFolder, new_id
folder = OutboxFolder(Path(sys.argv[1]))
claim = folder.claim()
outbox = folder.open(claim.path)
for _ in range(int(sys.argv[2])):
    outbox.append([(new_id(), b"of " + claim.path.name.encode())])
child = sys.argv[3]
if child == "forked" and os.fork() == 0:
    print(f"child {os.getpid()}\\n", end="", flush=True)
    sys.stdin.read()
    os._exit(0)
if child == "ended":
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)
if child == "started":
    sleeper = subprocess.Popen(["sleep", "1000"], close_fds=False)
    print(f"child {sleeper.pid}\\n", end="", flush=True)
print(f"{claim.path.name}\\n", end="", flush=True)
sys.stdin.read()
"""


class Holder:
    """Another process with a claim."""

    def __init__(self, folder: Path, entries: int = 0, child: str = "none") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDS, str(folder), str(entries), child],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        told = [self.process.stdout.readline().strip()]
        if child in ("forked", "started"):
            told.append(self.process.stdout.readline().strip())
        self.name = next(line for line in told if line.startswith("outbox"))
        self.child = next((int(line.removeprefix("child ")) for line in told if line.startswith("child")), None)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def folder(tmp_path: Path) -> OutboxFolder:
    return OutboxFolder(tmp_path / "outbox")


@pytest.fixture
def hold(folder: OutboxFolder) -> Iterator[Callable[..., Holder]]:
    held: list[Holder] = []

    def start(entries: int = 0, child: str = "none") -> Holder:
        held.append(Holder(folder.folder, entries, child))
        return held[-1]

    yield start
    for holder in held:
        holder.kill()
        if holder.child:
            os.kill(holder.child, signal.SIGKILL)
        holder.process.communicate()


def append(folder: OutboxFolder, path: Path, *bodies: bytes) -> None:
    outbox = folder.open(path)
    outbox.append([(new_id(), body) for body in bodies])
    outbox.close()


def test_each_process_has_one_of_its_own(folder: OutboxFolder, hold) -> None:
    assert [hold().name for _ in range(3)] == ["outbox-0.sqlite", "outbox-1.sqlite", "outbox-2.sqlite"]
    with folder.claim() as claim:
        assert claim.path.name == "outbox-3.sqlite"


def test_the_next_process_adopts_what_a_dead_one_has_left(folder: OutboxFolder, hold) -> None:
    first, _, third = hold(), hold(), hold()
    third.kill()
    first.kill()
    assert hold().name == "outbox-0.sqlite"
    assert hold().name == "outbox-2.sqlite"
    assert hold().name == "outbox-3.sqlite"


def test_claims_of_one_process_exclude_each_other_too(folder: OutboxFolder) -> None:
    first, second = folder.claim(), folder.claim()
    assert first.path != second.path
    first.release()
    first.release()
    with folder.claim() as third:
        assert third.path == first.path
    second.release()


@pytest.mark.parametrize("child", ["forked", "started"])
def test_a_child_does_not_hold_the_claim_of_a_dead_process(folder: OutboxFolder, hold, child: str) -> None:
    holder = hold(child=child)
    holder.kill()
    assert holder.child
    os.kill(holder.child, 0)
    with folder.claim() as claim:
        assert claim.path.name == holder.name


def test_a_child_that_ends_takes_no_claim_with_it(folder: OutboxFolder, hold) -> None:
    holder = hold(child="ended")
    with folder.claim() as claim:
        assert claim.path.name != holder.name


def test_what_a_dead_process_has_left_can_be_claimed_to_drain_it(folder: OutboxFolder, hold) -> None:
    own, dead, empty, living = folder.claim(), hold(entries=3), hold(), hold(entries=2)
    append(folder, own.path, b"mine")
    dead.kill()
    empty.kill()
    (claim,) = folder.claim_abandoned()
    assert claim.path.name == dead.name
    assert folder.claim_abandoned() == []
    with folder.claim() as another:
        assert another.path.name == empty.name
    claim.release()
    assert [claim.path.name for claim in folder.claim_abandoned()] == [dead.name]
    own.release()
    assert living.process.poll() is None


def test_an_abandoned_outbox_that_is_damaged_is_claimed_to_be_mended(folder: OutboxFolder) -> None:
    with folder.claim() as claim:
        append(folder, claim.path, b"one")
    claim.path.write_bytes(b"no database" * 1000)
    (claim,) = folder.claim_abandoned()
    outbox = folder.open(claim.path)
    assert outbox.state().pending == 0
    outbox.close()
    claim.release()


def test_outboxes_are_listed_by_number_and_nothing_else_is(folder: OutboxFolder) -> None:
    assert folder.paths() == []
    folder.folder.mkdir()
    for number in (10, 9, 0):
        append(folder, folder.folder / f"outbox-{number}.sqlite", b"one")
    for other in ("outbox-1.lock", "outbox-x.sqlite", "outbox-2.damaged-20260101T000000Z-abcdef.sqlite", "notes.txt"):
        (folder.folder / other).touch()
    assert [path.name for path in folder.paths()] == ["outbox-0.sqlite", "outbox-9.sqlite", "outbox-10.sqlite"]


def test_an_event_is_found_in_whichever_outbox_it_is(folder: OutboxFolder) -> None:
    with folder.claim() as first, folder.claim() as second:
        subject = new_id()
        for claim, body in ((first, b"prediction"), (second, b"outcome")):
            append(folder, claim.path, b"other")
            outbox = folder.open(claim.path)
            outbox.append([(subject, body)])
            outbox.close()
    assert folder.find(subject) == [b"prediction", b"outcome"]
    assert folder.find(new_id()) == []


def test_what_cannot_be_read_is_left_out_of_the_states_and_nobody_says_that_nothing_is_there(
    folder: OutboxFolder,
) -> None:
    with folder.claim() as first, folder.claim() as second:
        append(folder, first.path, b"one")
        append(folder, second.path, b"two", b"three")
        first.path.write_bytes(b"no database" * 1000)
        assert [state.pending for state in folder.states()] == [2]
        assert folder.states([first.path, folder.folder / "outbox-7.sqlite"]) == []
        with pytest.raises(NotRecordedError, match=r"outbox-0\.sqlite") as refused:
            folder.find(new_id())
        assert refused.value.reason == "damaged"
    assert sorted(path.name for path in folder.folder.glob("*.sqlite")) == ["outbox-0.sqlite", "outbox-1.sqlite"]


def test_looking_changes_nothing(folder: OutboxFolder) -> None:
    with folder.claim() as claim:
        append(folder, claim.path, b"one")
        before = {path.name: path.read_bytes() for path in folder.folder.iterdir()}
        assert folder.states()[0].pending == 1
        assert folder.find(new_id()) == []
        assert {path.name: path.read_bytes() for path in folder.folder.glob("*.sqlite")} == {
            name: content for name, content in before.items() if name.endswith(".sqlite")
        }


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(NotRecordedError, match="outbox"):
        OutboxFolder(tmp_path / "outbox").claim()
