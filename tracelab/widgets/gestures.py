"""What the pointer and the keys ask for: the only JavaScript of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import anywidget
import traitlets

_SCRIPT: Final = Path(__file__).with_name("gestures.js")


class Gestures(anywidget.AnyWidget):
    """Tells what the wheel, the keys and clicks on labels ask of the gantt that it stands in; it shows nothing.

    Without it, as in a page without scripts of our own, the slider, the menu and clicks on bars still work.

    Attributes
    ----------
    first_row, last_row
        Which row is at the top, and which could be at most.
    time_range
        The two ends of the time to show, in the unit of the axis; empty for no wish.
    """

    _esm = _SCRIPT
    first_row = traitlets.Int(0).tag(sync=True)
    last_row = traitlets.Int(0).tag(sync=True)
    time_range = traitlets.List(traitlets.Float()).tag(sync=True)
