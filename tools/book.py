"""The book, `make book`: the executed notebooks that `make workbook` (or `make demo`) left, as a site in outputs/book/html.

MyST-NB reads them and runs nothing; the pages of docs/, the report and every file of exmus_lib stand beside them, so that links
lead on within the site. It needs no network, neither to build nor to read. Chapters that were not run are shown without outputs.
Ends with an error that names the links, where one within the site leads nowhere.
"""

import json
import os
import re
import shutil
import sys
from functools import partial
from pathlib import Path
from posixpath import dirname, normpath, relpath
from urllib.parse import unquote

from address import address
from bs4 import BeautifulSoup
from sphinx.application import Sphinx

from exmus_lib import workspace

REPOSITORY = workspace.REPOSITORY
CHAPTER_LINK = re.compile(r'(?<=href=")\d\d_\w+\.ipynb(?=["#])')
LINK = re.compile(r"(\]\()([^)\s]+)(\))")
PAGES = ("CHANGELOG", "CONTRIBUTING", "SECURITY", "CODE_OF_CONDUCT")
STYLE = """
.formula { overflow-x: auto; margin: 1rem 0; }
math { font-size: 1.05em; }
div.cell_output { overflow-x: auto; }
div.cell_output table { font-size: 0.85rem; }
"""


def main() -> None:
    folder = workspace.outputs_dir("book")
    for part in ("source", "extra", "html"):
        shutil.rmtree(folder / part, ignore_errors=True)
    gather(workspace.outputs_dir("executed"), folder / "source")
    report = workspace.outputs_dir("report")
    if (report / "index.html").exists():
        shutil.copytree(report, folder / "extra" / "report")
    built = build(folder)
    if dead := dead_links(folder / "html"):
        raise SystemExit("\n".join(["links that lead nowhere:", *dead]))
    print(f"{folder / 'html' / 'index.html'}: {built} pages, no dead link")


def gather(executed: Path, source: Path) -> None:
    """Write what Sphinx reads: notebooks, pages and code, in the repository's own layout, their links turned to the site's."""
    (source / "_static").mkdir(parents=True)
    (source / "_static" / "book.css").write_text(STYLE, encoding="utf-8")
    chapters = chosen(executed)
    for location, path in chapters.items():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if "EXMUS_REPO = " in "".join(cell["source"]):
                cell["metadata"]["tags"] = ["hide-input"]  # it does nothing but on Colab
            if cell["cell_type"] == "markdown":
                cell["source"] = linked("".join(cell["source"]), location, chapters)
            for output in cell.get("outputs", []):
                if html := "".join(output.get("data", {}).get("text/html", "")):
                    output["data"]["text/html"] = CHAPTER_LINK.sub(partial(chapter_page, chapters), html)
        write(source / location, json.dumps(notebook))
    for page in [REPOSITORY / f"{name}.md" for name in PAGES] + sorted((REPOSITORY / "docs").glob("*.md")):
        location = page.relative_to(REPOSITORY).as_posix()
        write(source / location, linked(page.read_text(encoding="utf-8"), location, chapters))
    for picture in (REPOSITORY / "docs").iterdir():
        if picture.suffix in (".png", ".svg", ".webp"):
            shutil.copy(picture, source / "docs")
    for file in sorted((REPOSITORY / "exmus_lib").rglob("*.py")):
        name = file.relative_to(REPOSITORY).as_posix()
        write(source / "code" / f"{name}.md", CODE.format(name=name, text=file.read_text(encoding="utf-8")))
    write(source / "report.md", REPORT)
    readme = linked((REPOSITORY / "README.md").read_text(encoding="utf-8"), "README.md", chapters)
    write(source / "index.md", readme + contents(chapters))


REPORT = """# The report

Every table and figure beside the paper's, with the runs that made them: <a href="report/index.html">open the report</a>.
It is one page for each data set and preset, written by 10_report.
"""
CODE = """---
orphan: true
---
# {name}

``````{{code-block}} python
:linenos:

{text}
``````
"""


def chosen(executed: Path) -> dict[str, Path]:
    """Place in the site -> file: the executed copies of each chapter, or the notebook itself where there is none."""
    files = {}
    for notebook in sorted((REPOSITORY / "notebooks").glob("[01]*.ipynb")):
        copies = sorted(executed.glob(f"{notebook.stem}.ipynb")) + sorted(executed.glob(f"{notebook.stem}.*.ipynb"))
        files |= {f"notebooks/{copy.name}": copy for copy in copies or [notebook]}
    return files


def linked(text: str, location: str, chapters: dict[str, Path]) -> str:
    """Markdown whose links to files of the repository lead to their page in the site, or else to the repository's address."""

    def turned(match: re.Match) -> str:
        path, mark, heading = match[2].partition("#")
        if not path or ":" in path:
            return match[0]
        target = normpath(f"{dirname(location)}/{path}" if dirname(location) else path)
        return f"{match[1]}{resolved(target)}{mark}{heading}{match[3]}"

    def resolved(target: str) -> str:
        if target == "README.md":
            target = "index.md"
        elif target.startswith("exmus_lib/") and target.endswith(".py"):
            target = f"code/{target}.md"
        elif target.endswith(".ipynb"):
            target = copy_of(target, chapters)
        elif not re.fullmatch(r"docs/[\w.-]+\.(md|png|svg|webp)|({})\.md".format("|".join(PAGES)), target):
            return f"{address()}/blob/main/{target}"
        return relpath(target, dirname(location) or ".")

    return LINK.sub(turned, text)


def copy_of(notebook: str, chapters: dict[str, Path]) -> str:
    """The place of the first copy of a chapter, "notebooks/02_x3d.ipynb", in the site."""
    return next(place for place in chapters if place.startswith(notebook.removesuffix("ipynb")))


def chapter_page(chapters: dict[str, Path], match: re.Match) -> str:
    """The page of a chapter that an output of another links to."""
    return Path(copy_of(f"notebooks/{match[0]}", chapters)).with_suffix(".html").name


def contents(chapters: dict[str, Path]) -> str:
    """The table of contents, beside every page; a chapter by its title up to the colon."""
    entries = []
    for place, path in chapters.items():
        first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
        title = "".join(first).partition("\n")[0].removeprefix("# ").partition(":")[0]
        muscles = ", muscles" if place.endswith(".mgap.ipynb") else ""
        entries.append(f"{title}{muscles} <{place.removesuffix('.ipynb')}>")
    pages = {
        "The workbook": [*entries, "report"],
        "Read on": ["docs/GUIDE", "docs/solutions", "docs/ARCHITECTURE", "docs/DATA_CARD", "docs/MODEL_CARD"],
        "Figures": ["docs/MEASURED", "docs/PERFORMANCE", "docs/gpu", "docs/learning"],
        "The repository": list(PAGES),
    }
    trees = [
        "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *lines, "```"])
        for caption, lines in pages.items()
    ]
    return "\n\n" + "\n\n".join(trees) + "\n"


def build(folder: Path) -> int:
    """Build the site, and give the number of its pages; SystemExit where Sphinx reports a failure."""
    settings = {
        "project": "ExMus",
        "html_title": "ExMus",
        "extensions": ["myst_nb", "mathml"],
        "html_math_renderer": "mathml",
        "html_theme": "sphinx_book_theme",
        "html_theme_options": {
            "repository_url": address(),
            "use_repository_button": True,
            "use_download_button": False,
            "navbar_persistent": [],  # else a second search field
        },
        "html_static_path": [str(folder / "source" / "_static")],
        "html_css_files": ["book.css"],
        "html_extra_path": [str(folder / "extra")] if (folder / "extra").exists() else [],
        "html_copy_source": False,
        "nb_execution_mode": "off",
        # A widget has no kernel here; the picture that stands beside it has.
        "nb_mime_priority_overrides": [("html", "application/vnd.jupyter.widget-view+json", None)],
        "nb_ipywidgets_js": {},  # it would come from another server
        "myst_enable_extensions": ["dollarmath", "amsmath"],
        "myst_heading_anchors": 4,
        "suppress_warnings": ["myst.header", "mystnb.unknown_mime_type", "misc.highlighting_failure"],
    }
    application = Sphinx(
        folder / "source", None, folder / "html", folder / "doctrees", "html", settings,
        status=None, warning=sys.stderr, parallel=os.cpu_count() or 1,
    )  # fmt: skip
    application.build()
    if application.statuscode:
        raise SystemExit("the book could not be built")
    return len(application.env.found_docs)


def dead_links(html: Path) -> list[str]:
    """Links and pictures of the site's pages that lead to no file of the site, or to no place in it."""
    pages = {
        path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for path in html.rglob("*.html")
        if "_static" not in path.parts  # templates of the theme
    }
    places = {path: {tag["id"] for tag in page.find_all(id=True)} for path, page in pages.items()}
    dead = []
    for path, page in pages.items():
        for tag in page.find_all(["a", "img", "script", "link", "source"]):
            link = tag.get("href") or tag.get("src") or ""
            if re.match(r"[a-z]+:|//", link) or link in ("", "#"):
                continue
            file, _, place = unquote(link).partition("#")
            target = (path.parent / file.partition("?")[0]).resolve() if file else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (place and target in places and place not in places[target]):
                dead.append(f"{path.relative_to(html)}: {link}")
    return dead


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
