"""The probability above which a muscle is predicted, on a slider: one for all muscles, or each its own."""

from collections.abc import Callable

import ipywidgets as ipw
import numpy as np

from exmus_lib.scores.metrics import THRESHOLD
from exmus_lib.vocabulary import MUSCLES

EVERY_MUSCLE = "all muscles"


class Thresholds(ipw.VBox):
    """`values` (11,) of the muscles. `changed` is called when somebody moves one, `fit` makes those of the button."""

    def __init__(self, changed: Callable[[], None], fit: Callable[[], np.ndarray], **looks):
        self.values = np.full(len(MUSCLES), THRESHOLD)
        self.muscle = ipw.Dropdown(options=[EVERY_MUSCLE, *MUSCLES], description="threshold of", **looks)
        self.slider = ipw.FloatSlider(value=THRESHOLD, min=0, max=1, step=0.01, description="is", **looks)
        self.fitted = ipw.Button(description="those of validation", tooltip="best F1 on validation, for each muscle")
        self._changed, self._fit, self._showing = changed, fit, False
        self.muscle.observe(lambda _: self._show(), "value")
        self.slider.observe(lambda _: self._set(), "value")
        self.fitted.on_click(lambda _: self.set(self._fit()))
        super().__init__([self.muscle, self.slider, self.fitted])

    def set(self, values: np.ndarray | float) -> None:
        """Other thresholds, for all muscles."""
        self.values[:] = values
        self._show()
        self._changed()

    def _chosen(self) -> slice | list[int]:
        return slice(None) if self.muscle.value == EVERY_MUSCLE else [MUSCLES.index(self.muscle.value)]

    def _set(self) -> None:
        if not self._showing:
            self.values[self._chosen()] = self.slider.value
            self.slider.description = "is"
            self._changed()

    def _show(self) -> None:
        """Move the slider to the threshold of the chosen muscle, or to the mean where all are chosen and differ."""
        chosen = self.values[self._chosen()]
        self._showing = True
        self.slider.description = "is" if np.ptp(chosen) < 1e-9 else "differ, mean"
        self.slider.value = float(chosen.mean())
        self._showing = False
