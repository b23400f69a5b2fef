"""Colours that tell classes apart, for masks and overlays."""

import colorsys

import numpy as np
from numpy.typing import NDArray

#: Of a single class: a yellow that neither grey brains nor brown skin nor violet stains have.
ONE_CLASS = (255, 214, 0)
#: Okabe and Ito's colours, which all kinds of colour vision tell apart; black is the background's.
_OKABE_ITO = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
_GOLDEN = 0.618034  # of the circle: hues that follow each other lie far apart
_LIGHTNESS = (0.35, 0.55, 0.75)


def class_colours(classes: int) -> NDArray[np.uint8]:
    """A colour for each foreground class, (classes, 3) in RGB.

    Up to seven are Okabe and Ito's. No palette keeps more apart for everybody: the others differ in
    hue and lightness, as well as they can.
    """
    more = (
        colorsys.hls_to_rgb(n * _GOLDEN % 1, _LIGHTNESS[n % len(_LIGHTNESS)], 0.8)
        for n in range(classes - len(_OKABE_ITO))
    )
    colours = [*_OKABE_ITO, *((round(255 * r), round(255 * g), round(255 * b)) for r, g, b in more)]
    return np.array(colours[:classes], np.uint8).reshape(-1, 3)
