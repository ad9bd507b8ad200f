"""The book: every chapter teaches (formula, links, exercises), its cells are short, none stands twice, and the solutions run."""

import ast
import re
import shutil
from statistics import median

import matplotlib as mpl
import nbformat
import pytest

from exmus_lib import workspace

mpl.use("Agg")
BOOK = {path.stem: nbformat.read(path, 4) for path in sorted((workspace.REPOSITORY / "notebooks").glob("[01]*.ipynb"))}
SOLUTIONS = (workspace.REPOSITORY / "docs" / "solutions.md").read_text(encoding="utf-8")
BLOCKS = re.compile(r"^( *)```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
chapter = pytest.mark.parametrize("name", BOOK)


def cells(name: str, kind: str) -> list[str]:
    return [cell.source for cell in BOOK[name].cells if cell.cell_type == kind]


def code(name: str) -> list[str]:
    """The code cells but the first three, which stand in every chapter: bootstrap, parameters, imports with the banner."""
    return cells(name, "code")[3:]


def anchor(heading: str) -> str:
    """As GitHub and Jupyter call a heading in an address."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sections() -> dict[str, str]:
    """The parts of docs/solutions.md, by their anchor; "" is what stands before the first."""
    first, *others = re.split(r"^## ", SOLUTIONS, flags=re.MULTILINE)
    return {"": first} | {anchor(part.partition("\n")[0]): part for part in others}


@chapter
def test_a_chapter_has_a_formula_links_and_three_exercises_with_solutions(name):
    text = "\n\n".join(cells(name, "markdown"))
    assert re.search(r"\$\$.+?\$\$", text, re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert any("arxiv.org/abs/" in link for link in links), "no paper"
    assert any(link.startswith("../exmus_lib/") for link in links), "no file of the library"
    assert any(re.fullmatch(r"\d\d_\w+\.ipynb", link) for link in links), "no other chapter"
    exercises = text.split("## Try this")[1].split("\n## ")[0]
    assert re.findall(r"^(\d)\. ", exercises, re.MULTILINE) == ["1", "2", "3"]
    (place,) = re.findall(r"\.\./docs/solutions\.md#([\w-]+)", exercises)
    assert re.findall(r"^(\d)\. ", sections()[place], re.MULTILINE) == ["1", "2", "3"]


@chapter
def test_links_within_the_repository_lead_to_files(name):
    links = re.findall(r"\]\(([^)\s]+)\)", "\n".join(cells(name, "markdown")))
    local = [link.partition("#")[0] for link in links if not link.startswith("http")]
    assert [link for link in local if not (workspace.REPOSITORY / "notebooks" / link).exists()] == []


@chapter
def test_cells_are_short_and_define_nothing_that_belongs_in_the_library(name):
    lengths = [len([line for line in source.splitlines() if line.strip()]) for source in cells(name, "code")]
    assert median(lengths) < 8 and max(lengths) <= 25
    for statement in (node for source in code(name) for node in ast.walk(ast.parse(source))):
        assert not isinstance(statement, ast.ClassDef)
        assert not isinstance(statement, ast.FunctionDef) or statement.end_lineno - statement.lineno < 5


def test_no_cell_stands_twice_in_the_book():
    seen = {}
    for name in BOOK:
        for source in [*map(without_constants, code(name)), *cells(name, "markdown")]:
            assert source not in seen, f"{name} repeats a cell of {seen[source]}:\n{source}"
            seen[source] = name


def without_constants(source: str) -> str:
    """Code as it is but for comments, layout, texts and numbers: a cell copied with another file name is a copy."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = None
    return ast.dump(tree)


@pytest.fixture(scope="module")
def namespace(demo, tmp_path_factory):
    """What the first block of docs/solutions.md leaves, at `smoke`."""
    (_, first), *others = BLOCKS.findall(sections()[""])
    assert not others and first.count('preset = "quick"') == 1
    names: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        home = shutil.copytree(demo, tmp_path_factory.mktemp("home"), dirs_exist_ok=True)
        patch.setenv("EXMUS_HOME", str(home))
        exec(first.replace('preset = "quick"', 'preset = "smoke"'), names)
        yield names


@pytest.mark.parametrize("place", [place for place in sections() if place])
def test_solutions_run(namespace, place):
    names = dict(namespace)
    blocks = BLOCKS.findall(sections()[place])
    assert len(blocks) >= 3
    for indent, block in blocks:
        exec(re.sub(f"^{indent}", "", block, flags=re.MULTILINE), names)
