"""The probability above which a label is predicted, on a slider: one for all labels, or each its own."""

from collections.abc import Callable, Sequence

import ipywidgets as ipw
import numpy as np

from exmus_lib.pictures.explorer.widgets import Quiet
from exmus_lib.tasks import THRESHOLD

ALL = "all"


class Thresholds(ipw.VBox):
    """`values` (L,) of the labels. `changed` is called when somebody moves one, `fit` makes those of the button."""

    def __init__(self, changed: Callable[[], None], fit: Callable[[], np.ndarray], **looks):
        self.label = ipw.Dropdown(options=(ALL,), description="threshold of", **looks)
        self.slider = ipw.FloatSlider(value=THRESHOLD, min=0, max=1, step=0.01, description="is", **looks)
        self.fitted = ipw.Button(description="those of validation", tooltip="best F1 on validation, for each label")
        self._changed, self._quiet = changed, Quiet()
        self.values = np.empty(0)
        self.label.observe(lambda _: self._show(), "value")
        self.slider.observe(lambda _: self._set(), "value")
        self.fitted.on_click(lambda _: self.set(fit()))
        super().__init__([self.label, self.slider, self.fitted])

    def begin(self, names: Sequence[str]) -> None:
        """Other labels, each at THRESHOLD; those of the same names keep theirs."""
        if (ALL, *names) != self.label.options:
            self.values = np.full(len(names), THRESHOLD)
            with self._quiet:
                self.label.options = (ALL, *names)
                self.slider.value = THRESHOLD

    def set(self, values: np.ndarray) -> None:
        self.values[:] = values
        self._show()
        self._changed()

    def _chosen(self) -> slice | list[int]:
        return slice(None) if self.label.value == ALL else [self.label.options.index(self.label.value) - 1]

    def _set(self) -> None:
        if not self._quiet:
            self.values[self._chosen()] = self.slider.value
            self.slider.description = "is"
            self._changed()

    def _show(self) -> None:
        """Move the slider to the threshold of the chosen label, or to the mean where all are chosen and differ."""
        chosen = self.values[self._chosen()]
        if not len(chosen):
            return
        with self._quiet:
            self.slider.description = "is" if np.ptp(chosen) < 1e-9 else "differ, mean"
            self.slider.value = float(chosen.mean())
