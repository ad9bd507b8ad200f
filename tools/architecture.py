"""docs/architecture.svg, the house on one page: `python tools/architecture.py` draws it from the imports of exmus_lib.

A row for each floor, the roof first, in the order that tests/test_floors.py holds it to; a dot for each floor that something in
it imports, inside functions too. One above, which that test forbids, is drawn in red.
"""

import ast
import re
import sys
from html import escape
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY / "tests"))

from test_floors import FLOORS, imports, modules  # noqa: E402

DRAWN = REPOSITORY / "docs" / "architecture.svg"
ROW, NAMES, TOP, COLUMN, DOTS = 26, 112, 92, 22, 690  # pixels; the columns of dots begin at DOTS
LONGEST = 92  # characters of a floor's purpose


def below(names: tuple[str, ...]) -> dict[str, set[str]]:
    """Which other floors something in each floor imports."""
    known = modules(REPOSITORY)
    edges: dict[str, set[str]] = {name: set() for name in names}
    for module, file in known.items():
        floor = module.split(".")[1]
        for _, imported in imports(module, file, known):
            first, _, rest = imported.partition(".")
            if first == "exmus_lib" and (other := rest.split(".")[0]) in edges and other != floor:
                edges[floor].add(other)
    return edges


def purpose(name: str) -> str:
    """The first sentence of a floor's docstring."""
    text = ast.get_docstring(ast.parse(modules(REPOSITORY)[f"exmus_lib.{name}"].read_text(encoding="utf-8"))) or ""
    sentence = " ".join(text.split()).split(". ")[0].split(": `")[0].rstrip(".:")
    while len(sentence) > LONGEST and (clauses := re.match(r"(.+)[,:;] ", sentence)):
        sentence = clauses[1]
    return sentence


def drawing() -> str:
    """The house as SVG."""
    names = FLOORS[::-1]
    imported = below(names)
    width, height = DOTS + COLUMN * len(names) + 60, TOP + ROW * len(names) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img"'
        ' aria-label="The floors of exmus_lib, and which floor imports which">',
        "<style>text{font:12px sans-serif;fill:#17212b}.name{font-weight:bold}.of{fill:#5b6670}</style>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for row, name in enumerate(names):
        y, x = TOP + ROW * row, DOTS + COLUMN * row
        if row % 2 == 0:
            parts.append(f'<rect x="8" y="{y}" width="{width - 16}" height="{ROW}" fill="#f1f4f7"/>')
        parts.append(f'<text class="name" x="16" y="{y + 17}">{escape(name)}</text>')
        parts.append(f'<text class="of" x="{NAMES}" y="{y + 17}">{escape(purpose(name))}</text>')
        parts.append(f'<text transform="translate({x + 14} {TOP - 6}) rotate(-60)">{escape(name)}</text>')
        parts.append(f'<rect x="{x + 5}" y="{y + 7}" width="12" height="12" fill="#c9d3dc"/>')
        for other in sorted(imported[name], key=names.index):
            place, colour = names.index(other), "#0b3d6e" if names.index(other) > row else "#d00000"
            centre = DOTS + COLUMN * place + COLUMN // 2
            parts.append(f'<circle cx="{centre}" cy="{y + ROW // 2}" r="5" fill="{colour}"/>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    DRAWN.write_text(drawing(), encoding="utf-8")
    print(DRAWN)
