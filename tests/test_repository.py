"""What a stranger sees first: README on one screen, links that lead somewhere, one address, the house drawn as it is."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY / "tools"))

import address  # noqa: E402
import architecture  # noqa: E402

PAGES = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]
CITATION = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
LINK = re.compile(r"\]\(([^)\s]+)\)")


def slug(heading: str) -> str:
    """As GitHub calls a heading in an address."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)}


def test_readme_is_one_screen_with_the_test_command_the_paper_and_what_only_stand_ins_tested():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 700
    assert all(word in text for word in ("make test", "arxiv.org/abs/2406.06703", "stand-ins", "placeholder"))
    assert 10_000 < (REPOSITORY / "docs" / "lifter.webp").stat().st_size < 1_500_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_repository_lead_to_files_and_headings(page):
    missing = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        if not path.startswith(("http:", "https:")):
            if not target.exists() or (heading and target.suffix == ".md" and heading not in anchors(target)):
                missing.append(link)
    assert missing == []


def test_commands_that_pages_name_are_those_of_the_makefile():
    targets = set(re.findall(r"^([a-z][\w-]*)(?: [a-z]\w*)*:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    targets |= {"workbook"}  # stands beside demo
    for page in (REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", REPOSITORY / "docs" / "GUIDE.md"):
        named = re.findall(r"(?:^    |`)make ([a-z][\w-]*)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert named and set(named) <= targets, page.name


@pytest.mark.parametrize("path", sorted((REPOSITORY / "notebooks").glob("[01]*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_has_its_colab_badge_and_clones_the_one_address(path):
    cells = nbformat.read(path, 4).cells
    title, _, badge, *_ = cells[0].source.splitlines()
    assert title.startswith("# ") and badge == address.badge(path.name, address.address())
    assert f'EXMUS_REPO = "{address.address()}"' in cells[1].source


def test_another_address_reaches_badge_and_bootstrap_and_nothing_else():
    cells = [
        {"source": ["# Title\n", "\n", "text"]},
        {"source": ['EXMUS_REPO = "https://github.com/a/b"  # what Colab clones\n', "import sys"]},
        {"source": ["seed = 0"]},
    ]
    for _ in range(2):  # a second time changes nothing
        address.carried("01.ipynb", cells, "https://github.com/c/d")
    badge = "[![Open in Colab](../docs/colab.svg)](https://colab.research.google.com/github/c/d/blob/main/notebooks/01.ipynb)"
    assert cells[0]["source"] == ["# Title\n", "\n", badge + "\n", "\n", "text"]
    assert cells[1]["source"] == ['EXMUS_REPO = "https://github.com/c/d"  # what Colab clones\n', "import sys"]
    assert cells[2]["source"] == ["seed = 0"]


def test_the_address_stands_in_citation_and_notebooks_only():
    listed = subprocess.run(
        ["git", "grep", "-lF", address.address().removeprefix("https://"), "--", ":!notebooks"],
        cwd=REPOSITORY, capture_output=True, text=True,
    )  # fmt: skip
    assert listed.stdout.split() == ["CITATION.cff"]


def test_the_house_is_drawn_as_its_imports_are():
    assert architecture.DRAWN.read_text(encoding="utf-8") == architecture.drawing(), "run python tools/architecture.py"


def test_citation_names_software_paper_and_the_version_of_pyproject():
    assert f'version = "{CITATION["version"]}"' in (REPOSITORY / "pyproject.toml").read_text()
    paper = CITATION["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]] == ["Pasula", "Saha"]
    assert paper["title"] in " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())


@pytest.mark.parametrize("path", sorted((REPOSITORY / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_workflows_and_forms_run_what_is_there(path):
    text = path.read_text(encoding="utf-8")
    yaml.safe_load(text)
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"- run: make ([a-z][\w-]*)$", text, re.MULTILINE):
        assert re.search(rf"^(\w+ )*{target}( \w+)*:", makefile, re.MULTILINE), target
    for test in re.findall(r"test: \[(.+)\]", text):
        assert all((REPOSITORY / "tests" / f"{name.strip()}.py").exists() for name in test.split(","))
