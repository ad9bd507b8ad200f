"""Predictions to look at, in a notebook: `browse` for the clips of a data set, `own_video` for any other video."""

from exmus_lib.pictures.explorer.browse import Browser as browse
from exmus_lib.pictures.explorer.own import OwnVideo as own_video
from exmus_lib.pictures.explorer.still import gallery, instead, reel

__all__ = ["browse", "gallery", "instead", "own_video", "reel"]
