"""SIGTERM under load: what was accepted is answered."""

import signal
import threading
import time

import numpy as np
import pytest

requests = pytest.importorskip("requests", reason="pip install 'keras-inpaint[test]'")

CLIENTS = 8
SECONDS = 4.0


@pytest.fixture
def own_server(server, model_folders, tmp_path):
    """A server of this test's own; `server` gives the class, and is asked for to save memory."""
    process = type(server)(
        *("--model", model_folders / "tiny" / "1", "--name", "tiny", "--drain", 1),
        log=tmp_path / "server.jsonl",
    )
    yield process
    if process.is_alive:
        process.kill()


class Client(threading.Thread):
    """Asks until the server is gone; notes when each request was sent and how it ended."""

    def __init__(self, server, body, wanted):
        super().__init__(daemon=True)
        self.url = f"{server.url}/v1/models/tiny:predict"
        self.body, self.wanted = body, wanted
        self.right, self.lost, self.refused = 0, [], 0
        self.end = threading.Event()

    def run(self):
        with requests.Session() as session:
            while not self.end.is_set():
                began = time.monotonic()
                try:
                    answer = session.post(self.url, json=self.body, timeout=120)
                except requests.ConnectionError:
                    self.lost.append(began)
                    return
                if answer.status_code == 503:
                    self.refused += 1
                    return
                found = np.array(answer.json()["outputs"], int)
                assert np.abs(found - self.wanted).max() <= 1
                self.right += 1


@pytest.mark.slow
def test_sigterm_under_load_loses_no_accepted_request(own_server, pair, completed):
    image, mask = pair
    body = {"inputs": {"image": image.tolist(), "mask": mask.tolist()}}
    clients = [Client(own_server, body, completed[1]) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(SECONDS)
    told = time.monotonic()
    own_server.process.send_signal(signal.SIGTERM)
    code = own_server.stop(tell=False)
    for client in clients:
        client.end.set()
        client.join(60)
        assert not client.is_alive()
    assert code == 0
    assert sum(client.right for client in clients) > CLIENTS
    # Who was turned away had asked after the server said that it stops.
    for client in clients:
        assert all(began > told for began in client.lost)
    lines = own_server.lines()
    assert lines[-1]["message"] == "stopped" and lines[-1]["unanswered"] == 0
    answered = [line for line in lines if line["message"] == "request"]
    assert {line["status"] for line in answered} <= {200, 503}
    good = sum(line["status"] == 200 for line in answered)
    # Every request that the server took and answered reached its client.
    assert good == sum(client.right for client in clients)


@pytest.mark.slow
def test_readiness_ends_before_service(own_server, pair):
    image, mask = pair
    body = {"inputs": {"image": image.tolist(), "mask": mask.tolist()}}
    own_server.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + 0.8
    seen = set()
    while time.monotonic() < end:
        try:
            ready = requests.get(f"{own_server.url}/v2/health/ready", timeout=30)
            answer = requests.post(
                f"{own_server.url}/v1/models/tiny:predict", json=body, timeout=30
            )
        except requests.ConnectionError:
            break
        seen.add((ready.status_code, answer.status_code, answer.headers.get("connection")))
    assert (503, 200, "close") in seen
    assert own_server.stop(tell=False) == 0


@pytest.mark.slow
def test_told_twice_it_stops_at_once(own_server):
    own_server.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    own_server.process.send_signal(signal.SIGINT)
    assert own_server.stop(tell=False) == 1


@pytest.mark.slow
def test_what_cannot_be_served_ends_with_a_message(server, tmp_path):
    folder = tmp_path / "broken" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(RuntimeError, match="the server ended") as caught:
        type(server)("--model", folder.parent, log=tmp_path / "log.jsonl")
    assert "Error: model 'broken' cannot be served" in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.slow
def test_a_network_is_exported_and_served(server, tiny_model_path, pair, tmp_path):
    """From a `.keras` file: exported to a temporary folder that is gone afterwards."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = type(server)(
        *("--model", tiny_model_path, "--name", "mine", "--drain", 0),
        log=tmp_path / "log.jsonl",
        scratch=scratch,
    )
    image, mask = pair
    body = {"inputs": {"image": image.tolist(), "mask": mask.tolist()}}
    answer = requests.post(f"{process.url}/v1/models/mine:predict", json=body, timeout=60)
    assert answer.ok, answer.text
    assert process.stop() == 0
    assert list(scratch.iterdir()) == []
    assert process.writes_outside() == []
