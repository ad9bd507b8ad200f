"""Muscles on a body, front and back, as SVG: shaded by probability, outlined where they are worked.

The paper's eleven have regions on it. Any other muscle stands beside the body as a box, with its value.
"""

from collections.abc import Collection, Mapping, Sequence
from html import escape

# Outlines of the right half, clockwise, y from 0 (crown) to 420 (sole), x from the middle of the body; drawn twice, mirrored.
HALF = (
    (0, 50), (9, 52), (11, 63), (33, 71), (47, 79), (53, 98), (57, 128), (62, 160), (67, 196), (70, 220), (72, 240), (64, 248),
    (58, 236), (57, 214), (50, 178), (45, 152), (40, 128), (36, 112), (33, 140), (31, 168), (36, 196), (40, 226), (40, 262),
    (34, 302), (35, 334), (30, 366), (24, 394), (30, 410), (20, 415), (9, 412), (11, 392), (9, 360), (7, 330), (9, 306),
    (5, 262), (0, 224),
)  # fmt: skip
FRONT = {
    "shoulders": ((30, 72), (44, 77), (51, 91), (50, 103), (43, 101), (36, 84)),
    "chest": ((2, 82), (17, 78), (32, 83), (38, 97), (31, 110), (13, 113), (2, 107)),
    "biceps": ((42, 108), (50, 107), (54, 126), (54, 145), (48, 149), (43, 130)),
    "abs": ((1, 118), (12, 118), (14, 140), (13, 170), (9, 196), (1, 206)),
    "obliques": ((16, 119), (33, 115), (31, 140), (29, 166), (32, 188), (17, 184), (17, 150)),
    "quads": ((9, 230), (22, 214), (37, 226), (38, 260), (32, 298), (22, 304), (12, 294), (8, 262)),
}
BACK = {
    "shoulders": FRONT["shoulders"],
    "triceps": ((42, 106), (51, 106), (56, 128), (55, 148), (48, 148), (43, 128)),
    "lats": ((3, 118), (16, 106), (35, 104), (35, 124), (30, 146), (15, 162), (3, 156)),
    "lower back": ((1, 161), (13, 166), (16, 182), (12, 200), (1, 204)),
    "glutes": ((2, 208), (15, 200), (33, 204), (38, 224), (31, 240), (13, 242), (2, 234)),
    "hamstrings": ((5, 250), (20, 246), (37, 244), (37, 270), (31, 302), (14, 304), (8, 278)),
}
LIGHT, DARK, TRUE, SKIN = (255, 255, 255), (11, 61, 110), "#d95f02", "#e8d9cc"


def svg(probabilities: Mapping[str, float], true: Collection[str] = (), width: int = 300) -> str:
    """The body of a clip as SVG: `probabilities` (0 to 1) by muscle, and those muscles that are `true`; the body is `width` wide.

    Its text for those who do not see it is `words`; each muscle has its own, shown by browsers under the pointer. Raises
    ValueError for a true muscle without a probability.
    """
    label = escape(words(probabilities, true))
    beside, room = _beside([m for m in probabilities if m not in FRONT | BACK], probabilities, true)
    views = "".join(
        f'<g transform="translate({x} 8)"><text y="-1" class="side">{name}</text>{_figure(parts, probabilities, true)}</g>'
        for x, name, parts in ((85, "front", FRONT), (245, "back", BACK))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -12 {330 + room} 478" width="{width * (330 + room) / 330:.0f}"'
        f' role="img" class="exmus-body" aria-label="{label}"><style>.exmus-body text{{font:12px sans-serif;'
        f"fill:currentColor;stroke:none}}.exmus-body .side{{text-anchor:middle}}</style>{views}{beside}{_legend()}</svg>"
    )


def words(probabilities: Mapping[str, float], true: Collection[str] = ()) -> str:
    """The same in words: muscles from the likeliest down, with what is true."""
    missing = [muscle for muscle in true if muscle not in probabilities]
    if missing:
        raise ValueError(f"no probability for {', '.join(missing)}, only for {', '.join(probabilities)}")
    ranked = sorted(probabilities, key=lambda muscle: -probabilities[muscle])
    likely = ", ".join(f"{muscle} {probabilities[muscle]:.0%}" for muscle in ranked)
    worked = ", ".join(muscle for muscle in probabilities if muscle in true)
    return f"Muscles: {likely}." + (f" Worked: {worked}." if worked else "")


def _figure(parts: Mapping[str, tuple], probabilities: Mapping[str, float], true: Collection[str]) -> str:
    half = f'<path d="{_smooth(HALF)}"/>'
    skin = f'<g fill="{SKIN}"><ellipse cy="30" rx="17" ry="22"/>{half}<g transform="scale(-1 1)">{half}</g></g>'
    regions = {muscle: f'<path d="{_smooth(parts[muscle])}"/>' for muscle in parts if muscle in probabilities}
    return skin + "".join(
        _muscle(muscle, f'{path}<g transform="scale(-1 1)">{path}</g>', probabilities, true)
        for muscle, path in regions.items()
    )


def _beside(muscles: Sequence[str], probabilities: Mapping[str, float], true: Collection[str]) -> tuple[str, float]:
    """Boxes for muscles without a region, twelve in a column right of the body, and how much room they take."""
    column = 34 + 6.8 * max(map(len, muscles), default=0)  # about as wide as the longest name
    drawn = []
    for i, muscle in enumerate(muscles):
        x, y = 330 + round(i // 12 * column), 20 + i % 12 * 35
        box = f'<rect x="{x}" y="{y}" width="18" height="26" rx="3"/><text x="{x + 24}" y="{y + 11}">{escape(muscle)}</text>'
        value = f'<text x="{x + 24}" y="{y + 25}" data-value="">{probabilities[muscle]:.0%}</text>'
        drawn.append(_muscle(muscle, box + value, probabilities, true))
    return "".join(drawn), column * -(-len(muscles) // 12)


def _muscle(muscle: str, shape: str, probabilities: Mapping[str, float], true: Collection[str]) -> str:
    line = f'stroke="{TRUE}" stroke-width="2.5"' if muscle in true else 'stroke="#8a8a8a" stroke-width="0.6"'
    note = f"{escape(muscle)} {probabilities[muscle]:.0%}" + (", worked" if muscle in true else "")
    return f'<g data-muscle="{escape(muscle)}" fill="{shade(probabilities[muscle])}" {line}><title>{note}</title>{shape}</g>'


def shade(probability: float) -> str:
    """The colour of a probability, from light (0) to dark (1), which print in grey keeps apart too."""
    share = min(1.0, max(0.0, float(probability)))
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in zip(LIGHT, DARK, strict=True))


def _smooth(points: tuple[tuple[float, float], ...]) -> str:
    """A closed curve through points, as an SVG path (Catmull-Rom, written as cubic Bézier curves)."""
    count, path = len(points), [f"M{points[0][0]} {points[0][1]}"]
    for i in range(count):
        before, start, end, after = (points[(i + k) % count] for k in (-1, 0, 1, 2))
        first = tuple(s + (e - b) / 6 for b, s, e in zip(before, start, end, strict=True))
        second = tuple(e - (a - s) / 6 for s, e, a in zip(start, end, after, strict=True))
        path.append("C" + " ".join(f"{value:.1f}" for value in (*first, *second, *end)))
    return "".join(path) + "Z"


def _legend() -> str:
    steps = "".join(f'<rect x="{65 + 10 * i}" y="440" width="10" height="9" fill="{shade(i / 9)}"/>' for i in range(10))
    return (
        f'{steps}<text x="60" y="449" text-anchor="end">0 %</text><text x="170" y="449">100 %</text>'
        f'<rect x="222" y="440" width="14" height="9" fill="none" stroke="{TRUE}" stroke-width="2.5"/>'
        f'<text x="242" y="449">worked</text>'
    )
