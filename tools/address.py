"""The repository's address, from CITATION.cff into the notebooks: `python tools/address.py`, after a change of `repository-code`.

Each notebook says it twice: in the line that tells Colab what to clone, and in the badge that opens the notebook there.
"""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
CLONED = re.compile(r'(?<=EXMUS_REPO = ")[^"]*(?=")')
BADGE = "[![Open in Colab](../docs/colab.svg)](https://colab.research.google.com/github/{}/blob/main/notebooks/{})"


def address() -> str:
    """`repository-code` of CITATION.cff; ValueError where it is not the address of a repository on GitHub."""
    lines = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    (url,) = [line.partition(":")[2].strip(' "') for line in lines if line.startswith("repository-code:")]
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", url):
        raise ValueError(
            f'repository-code in CITATION.cff is "{url}": Colab opens https://github.com/<owner>/<name> only'
        )
    return url


def badge(name: str, whole: str) -> str:
    """The badge of a notebook, as Markdown."""
    return BADGE.format(whole.removeprefix("https://github.com/"), name)


def carried(name: str, cells: list[dict], whole: str) -> None:
    """Write the address into the cells of a notebook: its badge stands below the title."""
    title, *text = "".join(cells[0]["source"]).splitlines(keepends=True)
    if len(text) > 1 and text[1].startswith("[![Open in Colab]"):
        text = text[2:]
    cells[0]["source"] = [title, "\n", badge(name, whole) + "\n", *text]
    for cell in cells[1:3]:
        cell["source"] = [CLONED.sub(whole, line) for line in cell["source"]]


def main() -> None:
    import json

    for path in sorted((REPOSITORY / "notebooks").glob("[01]*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        carried(path.name, notebook["cells"], address())
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
