"""The book: executed notebooks, pages and code as one site whose links lead somewhere, built without a network."""

import re
import sys

import nbformat
import pytest

from exmus_lib import workspace

pytest.importorskip("myst_nb", reason="the book is built by MyST-NB, of the extra `dev`")
sys.path.insert(0, str(workspace.REPOSITORY / "tools"))

import book  # noqa: E402

CHAPTERS = {
    "notebooks/02_x3d.exercise.ipynb": None,
    "notebooks/02_x3d.mgap.ipynb": None,
    "notebooks/10_report.ipynb": None,
}


@pytest.mark.parametrize(
    ("chapter", "link", "turned"),
    [
        ("notebooks/10_report.ipynb", "02_x3d.ipynb#loss", "02_x3d.exercise.ipynb#loss"),
        ("notebooks/10_report.ipynb", "../exmus_lib/videos/cut.py", "../code/exmus_lib/videos/cut.py.md"),
        ("notebooks/10_report.ipynb", "../docs/solutions.md#a", "../docs/solutions.md#a"),
        ("docs/GUIDE.md", "../README.md", "../index.md"),
        ("docs/GUIDE.md", "sample.png", "sample.png"),
        ("docs/GUIDE.md", "../LICENSE", f"{book.address()}/blob/main/LICENSE"),
        ("README.md", "docs/GUIDE.md#elsewhere", "docs/GUIDE.md#elsewhere"),
        ("README.md", "https://arxiv.org/abs/2406.06703", "https://arxiv.org/abs/2406.06703"),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(chapter, link, turned):
    assert book.linked(f"see [it]({link}).", chapter, CHAPTERS) == f"see [it]({turned})."


def test_dead_links_are_found_and_others_not(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "index.html").write_text("<p id='top'>")
    links = ["report/", "report/index.html#top", "#here", "https://else.where/x", "report/index.html#gone", "none.png"]
    text = "".join(f'<a href="{link}">x</a>' for link in links[:-1]) + f'<img src="{links[-1]}"><p id="here">'
    (tmp_path / "page.html").write_text(text)
    assert book.dead_links(tmp_path) == ["page.html: report/index.html#gone", "page.html: none.png"]


@pytest.mark.slow
def test_the_book_is_built_from_what_was_run_and_what_was_not(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EXMUS_HOME", str(tmp_path))
    notebook = nbformat.read(workspace.REPOSITORY / "notebooks" / "02_x3d.ipynb", 4)
    output = nbformat.v4.new_output("display_data", {"text/html": '<a href="11_protocol_audit.ipynb">chapter 11</a>'})
    notebook.cells[-2].update(cell_type="code", source="", outputs=[output], execution_count=1, metadata={})
    executed, report = tmp_path / "outputs" / "executed", tmp_path / "outputs" / "report"
    executed.mkdir(parents=True), report.mkdir()
    nbformat.write(notebook, executed / "02_x3d.mgap.ipynb")
    (report / "index.html").write_text("<p>the report")
    book.main()
    assert "no dead link" in capsys.readouterr().out
    html = tmp_path / "outputs" / "book" / "html"
    page = (html / "notebooks" / "02_x3d.mgap.html").read_text()
    assert "<math" in page and 'href="11_protocol_audit.html"' in page
    assert all((html / place).exists() for place in ("code/exmus_lib/videos/cut.py.html", "report/index.html"))
    assert not re.search(r"<(script|link)[^>]*(src|href)=.(https?:)?//", page)  # it would be missing offline
