"""`make app` answers this machine alone, and only who holds the printed link; what is uploaded goes when the page closes."""

import asyncio
import os
import re
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import psutil
import pytest
from helpers import free_port
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from exmus_lib import app, workspace

CELL = "import ipywidgets; ipywidgets.Button(description='shown by the kernel')"


# As OwnVideo does with an upload, for as long as a video takes.
WORK = """
import threading, time
from exmus_lib import storage

def work():
    with storage.scratch() as folder:
        (folder / "uploaded.mp4").write_bytes(b"somebody's video")
        time.sleep(600)

threading.Thread(target=work, daemon=True).start()
"""


def write(notebook: Path, cell: str) -> None:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)], metadata=kernel), notebook)


def start(notebook: Path, log: Path, *more: str, **environment: str) -> tuple[subprocess.Popen, str]:
    """`make app` with another notebook, and the link that it prints."""
    making = ["make", "-n", "--no-print-directory", "-o", ".venv/ready", "app"]
    words = subprocess.check_output(making, cwd=workspace.REPOSITORY, text=True).split()
    assert words[0] == ".venv/bin/python"
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, *words[1:], str(notebook), "--no-browser", f"--port={port}", *more], cwd=notebook.parent,
        env={**os.environ, "JUPYTER_PREFER_ENV_PATH": "1", "PYTHONPATH": str(workspace.REPOSITORY), **environment},
        stdout=log.open("w"), stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if link := re.search(r"http://127\.0\.0\.1:\d+/\?token=\w{32,}", log.read_text()):
            return server, link.group()
        time.sleep(0.2)
    os.killpg(server.pid, signal.SIGKILL)
    pytest.fail(f"no link after two minutes:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def link(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("app")
    write(folder / "a.ipynb", CELL)
    (folder / "beside.png").write_bytes(b"a picture of somebody")
    server, address = start(folder / "a.ipynb", folder / "log")
    yield address
    os.killpg(server.pid, signal.SIGKILL)


def get(address: str, **headers: str) -> tuple[int, str, str]:
    """Status, text and cookies of a page, wherever it leads to."""
    jar = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    try:
        with opener.open(urllib.request.Request(address, headers=headers), timeout=60) as answer:
            return answer.status, answer.read().decode(), "; ".join(f"{c.name}={c.value}" for c in jar)
    except urllib.error.HTTPError as error:
        return error.code, "", ""


def test_the_printed_link_is_served_and_without_its_token_nothing_runs(link):
    status, text, _ = get(link)
    assert status == 200 and "kernelId" in text
    for address in (link.split("?")[0], link[:-4] + "0000"):
        status, text, _ = get(address)
        assert status == 200 and "kernelId" not in text and "login" in text.lower()
    localhost = link.replace("127.0.0.1", "localhost")
    assert "kernelId" in get(localhost)[1]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "192.0.2.7", "127.0.0.1.evil.example", "0.0.0.0"])
def test_a_foreign_host_is_refused_even_with_the_token(link, host):
    assert get(link, Host=host)[0] == 403


def test_pictures_beside_the_notebook_are_not_handed_out(link):
    address = urlsplit(link)._replace(path="/voila/files/beside.png").geturl()
    assert get(address)[0] == 403 and get(address.split("?")[0])[0] == 403


def test_a_kernel_is_reached_with_the_links_cookie_from_the_page_itself_alone(link):
    _, text, cookies = get(link)
    kernel = re.search(r'"kernelId": ?"([\w-]+)"', text).group(1)
    place = urlsplit(link).netloc
    channel, ours = f"ws://{place}/api/kernels/{kernel}/channels", f"http://{place}"

    async def connect(**headers: str) -> int:
        try:
            (await websocket_connect(HTTPRequest(channel, headers=headers))).close()
        except HTTPClientError as error:
            return error.code
        return 101

    assert asyncio.run(connect(Cookie=cookies, Origin=ours)) == 101
    assert asyncio.run(connect(Origin=ours)) == 403
    assert asyncio.run(connect(Cookie=cookies, Origin="http://evil.example")) == 403
    assert asyncio.run(connect(Cookie=cookies, Origin="http://evil.example", Host="evil.example")) == 403


def test_the_browser_is_opened_with_the_token_which_no_other_user_can_read(monkeypatch):
    opened = []
    monkeypatch.setattr(app.webbrowser, "open", opened.append)
    monkeypatch.setattr(app.App, "display_url", "http://127.0.0.1:8866/?token=abc&x")
    app.App().launch_browser()
    (address,) = opened
    file = Path(unquote(urlsplit(address).path))
    assert "url=http://127.0.0.1:8866/?token=abc&amp;x" in file.read_text() and "abc" not in address
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.unlink()


@pytest.mark.hard
def test_a_page_that_is_closed_leaves_no_upload_in_memory_or_on_disk(tmp_path):
    settings = app.SETTINGS["MappingKernelManager"]
    assert settings["cull_idle_timeout"] + settings["cull_interval"] <= 180
    write(tmp_path / "a.ipynb", WORK)
    (tmp_path / "scratch").mkdir()
    # No sooner, else a kernel that is slow to start is ended before it has.
    soon = ["--MappingKernelManager.cull_idle_timeout=30", "--MappingKernelManager.cull_interval=1"]
    server, link = start(tmp_path / "a.ipynb", tmp_path / "log", *soon, TMPDIR=str(tmp_path / "scratch"))
    try:
        assert get(link)[0] == 200  # asked for, and never connected to
        (uploaded,) = wait_until(lambda: list((tmp_path / "scratch").glob(".exmus-*/uploaded.mp4")))
        kernels = psutil.Process(server.pid).children()
        wait_until(lambda: not any(kernel.is_running() and kernel.status() != "zombie" for kernel in kernels))
        assert kernels and not uploaded.exists()
    finally:
        os.killpg(server.pid, signal.SIGKILL)


def wait_until(true: Callable[[], object]) -> object:
    deadline = time.monotonic() + 120
    while not (value := true()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return value


def test_the_page_begins_with_ones_own_video():
    notebook = nbformat.read(app.NOTEBOOK, 4)
    page = app.without_print(None, notebook, "")
    texts = ["".join(cell.source) for cell in page.cells if cell.cell_type == "markdown"]
    assert texts[0].startswith("## Your own video") and texts[1].startswith("## Browse")
    sources = [cell.source for cell in page.cells if cell.cell_type == "code"]
    assert sources.index(next(s for s in sources if "parameters.check" in s)) < sources.index(
        next(s for s in sources if "own_video" in s)
    )


def test_the_page_embeds_no_picture_from_outside_its_folder():  # Voila answers 404 for one, and the page stays a spinner
    notebook = nbformat.read(app.NOTEBOOK, 4)
    assert "](../docs/colab.svg)" in notebook.cells[0].source
    page = app.without_print(None, notebook, "")
    assert not [
        cell for cell in page.cells if cell.cell_type == "markdown" and re.search(r"!\[.*\]\(\.\./", cell.source)
    ]
