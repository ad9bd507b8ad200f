"""09_explore as a page on this machine: `python -m exmus_lib.app`, which `make app` calls.

Whoever opens the page reads videos by path with the rights of the user who started it. So it answers only under the names of this
machine, and only with the token of the link that it prints: neither another user nor a page from elsewhere gets in.
"""

import atexit
import re
import sys
import tempfile
import webbrowser
from html import escape
from pathlib import Path

from nbformat import NotebookNode
from traitlets.config import Config
from voila.app import Voila

from exmus_lib import storage, workspace

# Tags of cells of the notebook: what the page has no use for, and what it shows first, since most come for it.
PRINT, FRONT = "print", "front"
# A badge whose picture lies outside the notebook's folder: Voila would embed it, may not, and gives up the whole page.
BADGE = re.compile(r"\[!\[[^\]]*\]\(\.\./[^)]*\)\]\([^)]*\)")


def without_print(_: object, notebook: NotebookNode, cwd: str) -> NotebookNode:
    """The notebook as the page runs it: your own video first; nobody waits for pictures that stand in for widgets, or for figures
    that are saved."""
    tags = {cell["id"]: cell.metadata.get("tags", []) for cell in notebook.cells}
    cells = [cell for cell in notebook.cells if PRINT not in tags[cell["id"]]]
    begins = next((i for i, cell in enumerate(cells) if cell.cell_type == "markdown"), 0)  # after the cells that set up
    rest = sorted(cells[begins:], key=lambda cell: FRONT not in tags[cell["id"]])
    notebook.cells = cells[:begins] + rest
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = BADGE.sub("", cell.source)
    return notebook


NOTEBOOK = workspace.REPOSITORY / "notebooks" / "09_explore.ipynb"
SETTINGS = {
    "Voila": {
        "ip": "127.0.0.1",
        "auto_token": True,
        "tornado_settings": {
            "allow_remote_access": False,  # a Host other than this machine's is refused
            # A video that is uploaded comes as one message, which may be 10 MB large unless this says otherwise.
            "websocket_max_message_size": 1_000_000_000,
            # Voila's page asks another machine for its icons, and stays empty for minutes where that one does not answer: nothing
            # but ours. Nor may a page from elsewhere hold ours in a frame, as Jupyter's own policy has it.
            "headers": {
                "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob: ws: wss:;"
                " frame-ancestors 'self'",
                "Referrer-Policy": "no-referrer",  # the link has the token
            },
        },
    },
    # The pictures that lie beside the notebook: Voila hands them out to whoever asks, without a token.
    "VoilaConfiguration": {"file_denylist": [".*"], "prelaunch_hook": without_print},
    # A page that is closed or loaded anew leaves its kernel behind: such a one is ended after two minutes.
    "MappingKernelManager": {"cull_interval": 30, "cull_idle_timeout": 120},
}


class App(Voila):
    """Voila that opens the browser with the token; its own leaves that out."""

    def launch_browser(self) -> None:
        # A file that only this user can read: the arguments of a browser are seen by all.
        with tempfile.NamedTemporaryFile("w", prefix=storage.part_name(), suffix=".html", delete=False) as file:
            file.write(f'<meta http-equiv="refresh" content="0;url={escape(self.display_url)}">')
        atexit.register(Path(file.name).unlink, missing_ok=True)
        webbrowser.open(Path(file.name).as_uri())


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument.endswith(".ipynb")]
    App.launch_instance([*([] if given else [str(NOTEBOOK)]), *sys.argv[1:]], config=Config(SETTINGS))
