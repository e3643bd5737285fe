"""`api-pokemon up` and `api-pokemon traffic` as real processes, started, asked, killed and stopped."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import httpx
import psutil
import pytest

API_POKEMON = (sys.executable, "-m", "api_pokemon")
ASK = {"pokemon_a_id": 1, "pokemon_b_id": 25, "available_moves": ["Surf"]}
WAIT_SECONDS = 60
END = ""


class Service:
    """A running `api-pokemon up`: its process, its URL, and the lines that it writes."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "API_POKEMON_PORT": str(self.port),
            "API_POKEMON_DATA_DIR": str(data_dir),
            "API_POKEMON_TABLEBASE": "false",
            **settings,
        }
        self.lines: list[str] = []
        self._unread: Queue[str] = Queue()

    @contextlib.contextmanager
    def running(self) -> Iterator["Service"]:
        with subprocess.Popen(
            [*API_POKEMON, "up"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as self.process:
            reader = threading.Thread(target=self._read)
            reader.start()
            try:
                self.wait_for("Ctrl-C stops it")
                yield self
            finally:
                self.process.kill()
                reader.join()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._unread.put(line)
        self._unread.put(END)

    def wait_for(self, text: str) -> str:
        """The next line with that text."""
        while (line := self._unread.get(timeout=WAIT_SECONDS)) != END:
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"no {text!r} in: {''.join(self.lines)}")

    def child(self, name: str = "serve") -> psutil.Process:
        (child,) = (child for child in psutil.Process(self.process.pid).children() if name in child.cmdline())
        return child

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(WAIT_SECONDS)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def shared_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def service(shared_data_dir: Path) -> Iterator[Service]:
    with Service(shared_data_dir).running() as running:
        yield running


def test_the_first_question_is_answered(service: Service) -> None:
    response = httpx.post(f"{service.url}/predict/best-move", json=ASK)
    assert response.status_code == 200
    (move,) = response.json()["all_moves"]
    assert move["name"] == "Surf"
    assert move["learnable"] is False


def test_it_prints_where_everything_is_and_a_request_that_works(service: Service) -> None:
    command = service.wait_for("curl").strip()
    lines = "".join(service.lines)
    for page in ("", "/docs", "/metrics", "/health"):
        assert httpx.get(f"{service.url}{page}").status_code == 200
        assert f" {service.url}{page}\n" in lines
    request = re.fullmatch(r"""curl -X POST (\S+) -H "Content-Type: application/json" -d '(.+)'""", command)
    assert request
    url, body = request.groups()
    assert json.loads(body) == ASK
    assert httpx.post(url, content=body, headers={"Content-Type": "application/json"}).status_code == 200


def test_what_is_no_http_is_told_as_a_problem(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), WAIT_SECONDS) as client:
        client.sendall(b"\x16\x03\x01\x02\x00\r\n\r\n")
        head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n")
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "Invalid HTTP request received.",
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_was_accepted_is_answered_before_it_stops(service: Service, number: int) -> None:
    body = json.dumps(ASK).encode()
    head = (
        "POST /predict/best-move HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), WAIT_SECONDS) as client:
        client.sendall(head.encode())
        answer = client.makefile("rb")
        assert answer.readline() == b"HTTP/1.1 100 Continue\r\n"
        service.process.send_signal(number)
        service.wait_for("stopping")
        client.sendall(body)
        assert b"HTTP/1.1 200 OK\r\n" in answer.read()
    assert service.process.wait(WAIT_SECONDS) == 0


def test_a_burst_right_before_the_signal_is_answered(service: Service) -> None:
    body = json.dumps(ASK).encode()
    head = "POST /predict/best-move HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    child = service.child()
    child.suspend()  # a busy moment: it has read none of these when it is told to stop
    with contextlib.ExitStack() as open_connections:
        clients = []
        for _ in range(50):
            address = ("127.0.0.1", service.port)
            clients.append(open_connections.enter_context(socket.create_connection(address, WAIT_SECONDS)))
            clients[-1].sendall(request)
        service.process.send_signal(signal.SIGTERM)
        child.terminate()  # so that the signal is there, too, before the child goes on
        child.resume()
        answers = [client.makefile("rb").read() for client in clients]
    assert all(answer.startswith(b"HTTP/1.1 200 OK\r\n") for answer in answers)
    assert service.process.wait(WAIT_SECONDS) == 0


def test_nothing_is_left_when_it_has_stopped(service: Service) -> None:
    children = [service.child(name) for name in ("serve", "worker")]
    assert service.stop() == 0
    assert not any(child.is_running() for child in children)
    with pytest.raises(httpx.ConnectError):
        httpx.get(service.url)


def test_a_killed_child_is_started_again_and_no_connection_is_lost(service: Service) -> None:
    service.child().kill()
    # Sent at once, while nobody answers: it waits in the queue of the listener.
    response = httpx.post(f"{service.url}/predict/best-move", json=ASK, timeout=WAIT_SECONDS)
    assert response.status_code == 200
    service.wait_for("serve was killed by signal 9 (Killed); starting it again in 0.2 s")
    assert service.stop() == 0


def test_a_killed_worker_is_started_again_and_logs_what_was_answered_meanwhile(service: Service) -> None:
    service.child("worker").kill()
    answer = httpx.post(f"{service.url}/predict/best-move", json=ASK).json()
    service.wait_for("worker was killed by signal 9 (Killed); starting it again in 0.2 s")
    page = f"{service.url}/predictions/{answer['prediction_id']}"
    while (found := httpx.get(page)).status_code == 202:
        assert found.json()["status"] == "pending"
    assert found.json()["win_probability"] == answer["win_probability"]


def test_the_worker_shows_its_metrics_where_the_service_says(service: Service) -> None:
    service.wait_for("curl")
    (worker,) = re.findall(r"^  Worker +(\S+)$", "".join(service.lines), re.MULTILINE)
    assert "log_up" in httpx.get(worker).text


def test_two_services_run_side_by_side(service: Service, tmp_path: Path) -> None:
    with Service(tmp_path).running() as other:
        assert httpx.get(f"{other.url}/health/ready").status_code == 200
        assert httpx.get(f"{service.url}/health/ready").status_code == 200


def test_a_taken_port_of_the_worker_is_told_where_it_was_asked_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        result = up(tmp_path, API_POKEMON_WORKER_PORT=port)
    assert_one_clear_line(result, f"Port {port}", "taken", "API_POKEMON_WORKER_PORT")


def test_a_database_that_is_none_is_told(tmp_path: Path) -> None:
    assert_one_clear_line(up(tmp_path, API_POKEMON_LOG_URL="mysql://db/log"), "API_POKEMON_LOG_URL", "mysql")


def test_no_child_outlives_a_killed_supervisor(service: Service) -> None:
    children = [service.child(name) for name in ("serve", "worker")]
    service.process.kill()
    _, alive = psutil.wait_procs(children, timeout=WAIT_SECONDS)
    assert not alive


def up(data_dir: Path, folder: Path | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    """An `api-pokemon up` that is expected to end by itself."""
    return subprocess.run(
        [*API_POKEMON, "up"],
        env=Service(data_dir, **settings).environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_SECONDS,
    )


def assert_one_clear_line(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 1
    (complaint,) = result.stderr.splitlines()
    assert complaint.startswith("api-pokemon: ")
    for word in words:
        assert word in complaint


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        result = up(tmp_path, API_POKEMON_PORT=port)
    assert_one_clear_line(result, f"Port {port}", "taken", "API_POKEMON_PORT")


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_one_clear_line(up(tmp_path / "file"), str(tmp_path / "file"), "API_POKEMON_DATA_DIR")


def test_a_wrong_setting_is_told(tmp_path: Path) -> None:
    assert_one_clear_line(up(tmp_path, API_POKEMON_PORT="99999"), "API_POKEMON_PORT", "99999")


def test_an_env_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    assert_one_clear_line(up(tmp_path, folder=tmp_path), str(tmp_path / ".env"))


def test_an_address_of_another_machine_is_told(tmp_path: Path) -> None:
    assert_one_clear_line(up(tmp_path, API_POKEMON_HOST="192.0.2.1"), "API_POKEMON_HOST", "192.0.2.1")


def test_it_is_not_opened_to_the_network_by_accident(tmp_path: Path) -> None:
    assert_one_clear_line(up(tmp_path, API_POKEMON_HOST="0.0.0.0"), "API_POKEMON_PREDICT_KEYS")


def test_an_absent_model_is_told(tmp_path: Path) -> None:
    assert_one_clear_line(up(tmp_path, API_POKEMON_MODEL_VERSION="no-such-version"), "no-such-version")


def test_a_damaged_model_is_told(tmp_path: Path) -> None:
    with Service(tmp_path).running() as service:
        service.stop()
    (model,) = (tmp_path / "models").glob("*/*.onnx")
    model.write_bytes(model.read_bytes()[:-1000])
    assert_one_clear_line(up(tmp_path), str(model))


def traffic(service: Service, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*API_POKEMON, "traffic", *options],
        env=service.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_every_request_of_uniform_traffic_is_answered(service: Service) -> None:
    with traffic(service, "--requests", "300", "--rate", "0") as client:
        output, _ = client.communicate(timeout=WAIT_SECONDS)
    assert client.returncode == 0
    assert re.search(r"^200 OK +300 \(100\.0%\)$", output, re.MULTILINE)
    assert re.search(r"^Latency p99 +[\d.,]+ ms$", output, re.MULTILINE)


def test_ctrl_c_prints_the_table_so_far(service: Service) -> None:
    with traffic(service, "--requests", "1000000", "--rate", "200") as client:
        assert client.stdout
        assert client.stdout.readline().startswith("1,000,000 requests to http://127.0.0.1")
        while not re.search(r"^model_predictions_total\{.*\} [1-9]", httpx.get(f"{service.url}/metrics").text, re.M):
            pass
        client.send_signal(signal.SIGINT)
        output, _ = client.communicate(timeout=WAIT_SECONDS)
    assert client.returncode == 130
    assert "Latency p50" in output
    assert "Traceback" not in output
