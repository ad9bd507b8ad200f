"""docs/architecture.svg, the house on one page: `python tools/architecture.py` draws it from the imports of exmus_lib.

A row for each floor, the roof first; a dot for each floor below that something in it imports, inside functions too.
"""

import ast
import sys
from html import escape
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
LIBRARY = REPOSITORY / "exmus_lib"
DRAWN = REPOSITORY / "docs" / "architecture.svg"
ROW, LEFT, TOP, COLUMN, WORDS = 26, 112, 92, 20, 700  # pixels; WORDS is where the columns of dots begin


def floors() -> list[str]:
    """The modules and packages of exmus_lib, the roof first: sorted by how many floors each stands on."""
    names = sorted({path.relative_to(LIBRARY).parts[0].removesuffix(".py") for path in LIBRARY.rglob("*.py")})
    names.remove("__init__")
    below = {name: imported(name, names) for name in names}
    heights: dict[str, int] = {}

    def height(name: str, above: tuple[str, ...] = ()) -> int:
        if name in above:
            raise ValueError(f"a circle of imports: {' -> '.join([*above, name])}")
        if name not in heights:
            heights[name] = 1 + max((height(other, (*above, name)) for other in below[name]), default=0)
        return heights[name]

    return sorted(names, key=lambda name: (-height(name), name))


def imported(name: str, names: list[str]) -> set[str]:
    """Which of the other floors something in this one imports."""
    found = set()
    for file in files(name):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "exmus_lib":
                found |= {f"{node.module}.{alias.name}".split(".")[1] for alias in node.names}
            elif isinstance(node, ast.Import):
                parts = [alias.name.split(".") for alias in node.names]
                found |= {part[1] for part in parts if part[0] == "exmus_lib" and len(part) > 1}
    return (found & set(names)) - {name}


def files(name: str) -> list[Path]:
    """The sources of a floor: one module, or all of a package."""
    return sorted((LIBRARY / name).rglob("*.py")) or [LIBRARY / f"{name}.py"]


def purpose(name: str) -> str:
    """The first sentence of a floor's docstring."""
    file = LIBRARY / name / "__init__.py"
    text = ast.get_docstring(ast.parse((file if file.exists() else LIBRARY / f"{name}.py").read_text(encoding="utf-8")))
    sentence = " ".join((text or "").split()).split(". ")[0].split(": `")[0].rstrip(".:")
    return sentence if len(sentence) < 92 else sentence[:90].rsplit(" ", 1)[0] + " ..."


def drawing() -> str:
    """The house as SVG."""
    names = floors()
    width, height = WORDS + COLUMN * len(names) + 16, TOP + ROW * len(names) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img"'
        ' aria-label="The floors of exmus_lib, and which floor imports which">',
        "<style>text{font:12px sans-serif;fill:#17212b}.name{font-weight:bold}.of{fill:#5b6670}</style>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for row, name in enumerate(names):
        y, x = TOP + ROW * row, WORDS + COLUMN * row
        if row % 2 == 0:
            parts.append(f'<rect x="8" y="{y}" width="{width - 16}" height="{ROW}" fill="#f1f4f7"/>')
        parts.append(f'<text class="name" x="16" y="{y + 17}">{escape(name)}</text>')
        parts.append(f'<text class="of" x="{LEFT}" y="{y + 17}">{escape(purpose(name))}</text>')
        parts.append(f'<text x="{x + 14}" y="{TOP - 6}" transform="rotate(-60 {x + 14} {TOP - 6})">{escape(name)}</text>')
        parts.append(f'<rect x="{x + 4}" y="{y + 7}" width="12" height="12" fill="#c9d3dc"/>')
        for other in sorted(imported(name, names), key=names.index):
            place = WORDS + COLUMN * names.index(other) + COLUMN // 2
            parts.append(f'<circle cx="{place}" cy="{y + ROW // 2}" r="5" fill="#0b3d6e"/>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    DRAWN.write_text(drawing(), encoding="utf-8")
    sys.stdout.write(f"{DRAWN}\n")
