"""README's picture: `python tools/lifter.py` renders three people, lets ExMus look at them, and writes docs/lifter.webp.

Left the rendered person with the skeleton that BlazePose found, right what the networks that come with ExMus say of these
seconds, and the repetitions counted up to the frame shown. About a CPU minute; needs BlazePose's files (36 MB, once).
"""

from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from exmus_lib import workspace
from exmus_lib.networks import recognise
from exmus_lib.pictures.body import shade
from exmus_lib.poses import lifters
from exmus_lib.poses.draw import skeleton_over
from exmus_lib.poses.track import RATE

SHOWN = {"squat": 0, "deadlift": 1, "shoulder press": 2}  # class folder -> seed: three people
SECONDS, PANEL = 6.5, 250  # of each person; width of the answer in pixels
INK, FAINT, PAPER = "#17212b", "#5b6670", "#f6f4f0"
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def main() -> None:
    frames = [frame for folder, seed in SHOWN.items() for frame in shown(folder, seed)]
    path = workspace.REPOSITORY / "docs" / "lifter.webp"
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=round(1000 / RATE), loop=0, quality=50, method=4
    )
    print(f"{path}: {len(frames)} frames, {path.stat().st_size / 1e6:.2f} MB")


def shown(folder: str, seed: int) -> Iterator[Image.Image]:
    """The frames of one person with the answer beside them."""
    pictures, track = lifters.rendered(folder, SECONDS, seed)
    recognition = recognise.of_track(track)
    (stretch,) = recognition.stretches
    joint, degrees = lifters.angles(track, stretch.exercise)
    print(f"{folder}: {stretch.exercise} {stretch.probability:.0%}, {stretch.details}")
    for picture, joints, visibility, moment, angle in zip(
        pictures, track.image, track.visibility, track.times, degrees.mean(axis=1), strict=True
    ):
        done = sum(repetition.end <= moment for repetition in stretch.repetitions)
        drawn = skeleton_over(picture, joints, visibility)
        panel = answer(drawn.shape[0], stretch, f"{joint} {angle:.0f} degrees", done, recognition.muscles())
        yield Image.fromarray(np.hstack([drawn, panel]))


def answer(height: int, stretch: recognise.Stretch, angle: str, done: int, muscles) -> np.ndarray:
    """What is said of the person, as a panel (height, PANEL, 3)."""
    panel = Image.new("RGB", (PANEL, height), PAPER)
    draw = ImageDraw.Draw(panel)
    draw.text((16, 14), stretch.exercise, INK, font("DejaVuSans-Bold", 21))
    bar(draw, 48, stretch.probability, "sure to")
    draw.text((16, 78), f"{done}", INK, font("DejaVuSans-Bold", 30))
    draw.text((46, 92), "repetition" + ("" if done == 1 else "s"), FAINT, font("DejaVuSans", 14))
    draw.text((16, 118), angle, FAINT, font("DejaVuSans", 14))
    draw.text((16, 152), "muscles", FAINT, font("DejaVuSans", 12))
    for row, (muscle, probability) in enumerate(muscles.head(3).items()):
        bar(draw, 171 + 24 * row, probability, muscle)
    return np.asarray(panel)


def bar(draw: ImageDraw.ImageDraw, top: int, share: float, name: str) -> None:
    """A name, a bar from 0 to 1, and the share in percent, in one line."""
    left, width = 108, 84
    draw.text((16, top), name, INK, font("DejaVuSans", 13))
    draw.rectangle((left, top + 2, left + width, top + 14), "#e2ded6")
    draw.rectangle((left, top + 2, left + round(width * share), top + 14), shade(0.85))
    draw.text((left + width + 8, top), f"{share:.0%}", INK, font("DejaVuSans", 13))


def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font that matplotlib brings, so that the picture is the same everywhere."""
    return ImageFont.truetype(FONTS / f"{name}.ttf", size)


if __name__ == "__main__":
    main()
