"""Single people to look at: one who is rendered and seen by the pose estimator at once, one whose exact joints are known."""

import numpy as np

from exmus_lib.poses import project
from exmus_lib.poses.estimate import loaded, track_of
from exmus_lib.poses.features import SAMPLES
from exmus_lib.poses.files import files
from exmus_lib.poses.repetitions import ANGLES, angle, repetitions, twist
from exmus_lib.poses.track import RATE, Track
from exmus_lib.poses.virtual import DENSE, Performances


def rendered(folder: str, seconds: float = 8.0, seed: int = 0) -> tuple[np.ndarray, Track]:
    """Pictures (T, height, width, 3) of a rendered person who performs what a class folder holds, and the track found in them."""
    from exmus_lib.sample.film import Take, shoot

    take = Take(folder, RATE, seconds, 340, 256)
    pictures = np.stack([*shoot(take, np.random.default_rng(seed))])
    return pictures, track_of(pictures, loaded(*files()))


def ends(track: Track, exercise: str) -> dict[str, int]:
    """The samples of the repetition that is seen best at which its angle is least and greatest, as "knee at 71 degrees"; where
    none is counted, one sample "seen best"."""
    seen = np.where(track.found, track.visibility.mean(axis=1), -1)
    places = [[round((t - track.times[0]) * RATE) for t in (r.start, r.turn)] for r in repetitions(track, exercise)]
    if not places:
        return {"seen best": int(seen.argmax())}
    name, degrees = angles(track, exercise)
    best = max(places, key=lambda place: seen[place].min())
    mean = {place: float(degrees[place].mean()) for place in best}
    return {f"{name} at {mean[place]:.0f} degrees": place for place in sorted(best, key=mean.get)}


def angles(track: Track, exercise: str) -> tuple[str, np.ndarray]:
    """The name of the angle that repetitions of an exercise are counted by, and its degrees (T, 2), left and right."""
    name, _ = ANGLES.get(exercise, ("elbow", "small"))
    return name, np.stack([twist(track.world)] * 2, axis=1) if name == "twist" else angle(track.world, name)


def observed(
    performances: Performances, exercise: str, times: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One moment of an exercise, when the hips are lowest: exact in a camera's picture (J, 2), and as an estimator might
    see it, by other cameras and with other errors, so many times (times, J, 2), with the visibility (times, J)."""
    random = np.random.default_rng(seed)
    number = int(np.flatnonzero(performances.exercises == exercise)[0])
    joints = performances.joints[number, :: DENSE // 10][:SAMPLES].astype(np.float32)
    moment = int(joints[:, project.HIPS, 2].mean(axis=1).argmin())
    view = performances.view[[number]]
    by_view = project.Conditions(from_view=1.0)
    exact, _ = project.through_camera(joints[None], *project.camera(joints[None], view, random, by_view))
    image, _, visibility = project.observe(np.repeat(joints[None], times, axis=0), view.repeat(times, 0), random)
    return exact[0, moment], image[:, moment], visibility[:, moment]
