"""The Kaggle set is downloaded once, its class folders found wherever they lie; offline, it is said how to go on."""

import io
import json
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from kagglesdk import kaggle_env

from exmus_lib import labels
from exmus_lib.videos import kaggle

LABELS = labels.read()


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """A server on loopback in place of Kaggle; yields what it was asked for."""
    asked, archive = [], io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("squat/squat_1.mp4", "tricep Pushdown/tricep pushdown_2.MOV", "pull Up/pull up_3.mp4"):
            file.writestr(f"workout/videos/{name}", name)
        file.writestr("workout/about/readme.txt", "about")

    class Kaggle(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.path.rsplit("/", 1)[-1])
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert (request["ownerSlug"], request["datasetSlug"]) == ("hasyimabdillah", "workoutfitness-video")
            facts = asked[-1] == "GetDataset"
            content = json.dumps({"currentVersionNumber": 5}).encode() if facts else archive.getvalue()
            self.send_response(200)
            self.send_header("Content-Type", "application/json" if facts else "application/zip")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Kaggle)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    at_kaggle(monkeypatch, tmp_path, server.server_port)
    yield asked
    server.shutdown()
    server.server_close()


def at_kaggle(monkeypatch, tmp_path: Path, port: int) -> None:
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, f"http://127.0.0.1:{port}")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))


def test_downloads_once_and_finds_the_class_folders(stand_in, capsys):
    folder = kaggle.download(LABELS)
    assert sorted(path.name for path in folder.iterdir()) == ["pull Up", "squat", "tricep Pushdown"]
    assert (folder / "squat/squat_1.mp4").read_text() == "squat/squat_1.mp4"
    assert "CC BY-NC-SA 4.0" in capsys.readouterr().out
    assert kaggle.download(LABELS) == folder
    assert stand_in.count("DownloadDataset") == 1


def test_offline_it_says_how_to_go_on(monkeypatch, tmp_path):
    at_kaggle(monkeypatch, tmp_path, port=9)  # nobody listens there
    with pytest.raises(RuntimeError, match='(?s)could not be downloaded.*kaggle.com.*`dataset`.*dataset = "sample"'):
        kaggle.download(LABELS)


def test_a_folder_without_class_folders_is_named(tmp_path):
    (tmp_path / "cats").mkdir()
    with pytest.raises(ValueError, match="no class folder such as .*cats"):
        kaggle.class_folders(tmp_path, LABELS)
