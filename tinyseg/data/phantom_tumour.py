"""A phantom's tumour: its outline, drifting along the volume, and its look in each channel."""

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.phantom_fields import FRAME, Plane, smooth_noise, spread
from tinyseg.data.phantom_head import Head, Slice
from tinyseg.data.phantom_patient import Patient

_EDGE = 1.25  # px: deviation of the blur across the border, which is drawn at half height
_MARGIN = 6.0  # px: how far inside the brain's border tumours stay
_SMALLEST = 12  # px
_OWN = np.float32(0.15)  # deviation of its texture over its level
_FLUID = (0.5, 0.2, 0.5)  # level of cysts: before contrast, FLAIR, after contrast


class TumourShape:
    """The tumour of a patient, slice by slice.

    In each slice, the pixels that belong most to it are taken until its area is reached: near its
    place, inside the brain, on its side of the midline, with smooth noise for lobes and satellites.
    """

    def __init__(self, patient: Patient, head: Head, random: np.random.Generator) -> None:
        slices = patient.slices
        self._tumour = patient.tumour
        self._head = head
        self._areas = _areas_along(random, len(self._tumour.slices), self._tumour.area)
        self._gains = np.clip(random.normal(1, 0.1, slices), 0.7, 1.3).astype(np.float32)
        self._radius = float(np.sqrt(self._tumour.area / np.pi))
        self._crop = min(FRAME, 2 * round(2.1 * self._radius) + 20)
        cells = max(5, round(self._crop / max(6.0, 0.5 * self._radius)))
        self._outline = smooth_noise(random, slices, cells, max(0.9, slices / 24))
        self._lobes = smooth_noise(random, slices, 2 * cells, max(0.7, slices / 35))
        self._inside = [smooth_noise(random, slices, cells + 6, 1.0) for _ in range(3)]
        self._drift = np.cumsum(random.normal(0, 0.8, (slices, 2)), axis=0)

    def add_to(self, picture: Slice, number: int) -> NDArray[np.uint8]:
        """Draws it into a slice's channels.

        Returns:
            Its mask of 0 and 1, (256, 256).
        """
        mask = np.zeros((FRAME, FRAME), np.uint8)
        if number not in self._tumour.slices:
            return mask
        rows, columns = window = self._window(picture, number)
        score = self._score(picture, number, window)
        allowed = picture.depth[rows, columns] > _MARGIN
        most = 0.6 * np.count_nonzero(allowed)
        largest = min(self._areas[number - self._tumour.slices.start], most)
        area = max(_SMALLEST, int(largest))
        score = np.where(allowed, score, np.float32(-np.inf))
        body = allowed & (score >= np.partition(score.ravel(), -area)[-area])
        mask[rows, columns] = body
        self._paint([plane[rows, columns] for plane in picture.channels], body, score, number)
        return mask

    def _paint(
        self, parts: list[Plane], body: NDArray[np.bool_], score: Plane, number: int
    ) -> None:
        """Changes parts of channels where the tumour is, blurred across its border."""
        share, cyst = _blurred(body), None
        if self._tumour.cyst and body.any():
            cyst = _blurred(score >= np.quantile(score[body], 1 - self._tumour.cyst))
        for channel, part in enumerate(parts):
            level = np.float32(self._tumour.contrast[channel]) * self._gain(channel, number)
            levels = level * (1 + _OWN * spread(self._inside[channel][number], self._crop))
            if cyst is not None:
                levels += (np.float32(_FLUID[channel]) - levels) * cyst
            part[...] = part + (levels - part) * share

    def _gain(self, channel: int, number: int) -> np.float32:
        """What a slice makes of the contrast: most in FLAIR, elsewhere less and against it."""
        gain = self._gains[number]
        return gain if channel == 1 else 1 - np.float32(0.3) * (gain - 1)

    def _centre(self, number: int) -> tuple[float, float]:
        """Pixels from the head's midline and centre."""
        x, y = self._tumour.place
        across, along = self._drift[number]
        half_width, half_height = self._head.half_widths[number], self._head.half_heights[number]
        return float(x * half_width + across), float(y * half_height + along)

    def _window(self, picture: Slice, number: int) -> tuple[slice, slice]:
        """The rows and columns of the frame that the tumour can be in."""
        x, y = self._centre(number)
        corners = (
            round(middle - self._crop / 2 - float(pixels.flat[0]))
            for middle, pixels in ((y, picture.y), (x, picture.x))
        )
        top, left = (max(0, min(corner, FRAME - self._crop)) for corner in corners)
        return slice(top, top + self._crop), slice(left, left + self._crop)

    def _score(self, picture: Slice, number: int, window: tuple[slice, slice]) -> Plane:
        """How much each pixel of the window belongs to the tumour, the most likely highest."""
        rows, columns = window
        middle_x, middle_y = (np.float32(middle) for middle in self._centre(number))
        x, y = picture.x[:, columns] - middle_x, picture.y[rows] - middle_y
        cos, sin = np.float32(np.cos(self._tumour.angle)), np.float32(np.sin(self._tumour.angle))
        stretch = np.float32(np.sqrt(self._tumour.elongation))
        along, across = (cos * x + sin * y) * stretch, (cos * y - sin * x) / stretch
        score = np.sqrt(along**2 + across**2) * np.float32(-1 / self._radius)
        score += np.float32(0.3) * spread(self._outline[number], self._crop)
        score += np.float32(0.1) * spread(self._lobes[number], self._crop)
        near_border = np.maximum(0, 16 - picture.depth[rows, columns])
        beyond = np.maximum(0, -np.sign(self._tumour.place[0]) * picture.x[:, columns])
        score -= np.float32(0.04) * near_border + np.float32(0.03) * beyond
        return score.astype(np.float32)


def _blurred(region: NDArray[np.bool_]) -> Plane:
    from scipy import ndimage

    blurred = np.empty(region.shape, np.float32)
    ndimage.gaussian_filter(region.astype(np.float32), _EDGE, output=blurred)
    return blurred


def _areas_along(random: np.random.Generator, slices: int, largest: float) -> NDArray[np.float64]:
    """Area of each slice of the tumour, pixels: near half a sine."""
    along = np.sin(np.pi * (np.arange(slices) + 0.55) / (slices + 0.1))
    areas = along * np.exp(random.normal(0, 0.07, slices))
    return largest * areas / areas.max()
