"""A phantom's volume, rendered slice by slice."""

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.phantom_fields import FRAME, Plane, smooth_noise, spread
from tinyseg.data.phantom_head import Head, Slice
from tinyseg.data.phantom_patient import draw_patient

_EDGE = 1.25  # px: deviation of the blur across the tumour's border
_MARGIN = 6.0  # px: how far inside the brain's border tumours stay


class Volume:
    """The slices of one phantom patient.

    What drifts along the volume is drawn here, coarsely; a slice is rendered when it is asked for,
    with noise of its own. The same seed and number give the same pixels.
    """

    def __init__(self, seed: int, number: int) -> None:
        random = np.random.default_rng((seed, number))
        self.patient = draw_patient(random)
        self._seeds = (seed, number)
        self._head = Head(self.patient, random)
        slices, tumour = self.patient.slices, self.patient.tumour
        self._areas = _areas_along(random, len(tumour.slices), tumour.area)
        self._gains = np.clip(random.normal(1, 0.1, slices), 0.7, 1.3)
        radius = np.sqrt(tumour.area / np.pi)
        self._crop = int(min(FRAME, 2 * round(2.1 * radius) + 20))
        cells = max(5, round(self._crop / max(6.0, 0.5 * radius)))
        self._outline = smooth_noise(random, slices, cells, max(0.9, slices / 24))
        self._lobes = smooth_noise(random, slices, 2 * cells, max(0.7, slices / 35))
        self._inside = [smooth_noise(random, slices, cells + 6, 1.0) for _ in range(3)]
        self._drift = np.cumsum(random.normal(0, 0.8, (slices, 2)), axis=0)
        self._shading = random.normal(0, (0.05, 0.07, 0.05), (3, 3))

    def slice(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Renders a slice, 0 at the bottom.

        Returns:
            The picture (256, 256, 3) and its mask of 0 and 1 (256, 256).
        """
        picture = self._head.slice(number)
        mask = np.zeros((FRAME, FRAME), np.uint8)
        if number in self.patient.tumour.slices:
            self._add_tumour(picture, mask, number)
        return self._scan(picture, number), mask

    def _add_tumour(self, picture: Slice, mask: NDArray[np.uint8], number: int) -> None:
        from scipy import ndimage

        tumour = self.patient.tumour
        place = number - tumour.slices.start
        rows, columns, score = self._score(picture, number)
        allowed = picture.depth[rows, columns] > _MARGIN
        area = int(max(12, min(self._areas[place], 0.6 * allowed.sum())))
        score = np.where(allowed, score, -np.inf)
        level = np.partition(score.ravel(), -area)[-area]
        body = score >= level
        mask[rows, columns] = body
        share = ndimage.gaussian_filter(body.astype(np.float32), _EDGE)
        cyst = np.zeros_like(share)
        if tumour.cyst:
            core = score >= np.quantile(score[body], 1 - tumour.cyst)
            cyst = ndimage.gaussian_filter(core.astype(np.float32), _EDGE)
        for channel, plane in enumerate(picture.channels):
            own = spread(self._inside[channel][number], self._crop)[: share.shape[0], : share.shape[1]]
            levels = tumour.contrast[channel] * self._gain(channel, number) * (1 + np.float32(0.15) * own)
            levels += (np.float32((0.5, 0.2, 0.5)[channel]) - levels) * cyst
            part = plane[rows, columns]
            part += (levels - part) * share

    def _gain(self, channel: int, number: int) -> np.float32:
        """A slice's own share of the tumour's contrast."""
        return np.float32(self._gains[number] if channel == 1 else 2 - self._gains[number]) ** (
            np.float32(1 if channel == 1 else 0.3)
        )

    def _score(self, picture: Slice, number: int) -> tuple[slice, slice, Plane]:
        """How much each pixel around the tumour's place belongs to it, the most likely highest."""
        tumour = self.patient.tumour
        middle_x = tumour.place[0] * self._head.half_widths[number] + self._drift[number, 0]
        middle_y = tumour.place[1] * self._head.half_heights[number] + self._drift[number, 1]
        left = int(round(middle_x - self._crop / 2 - picture.x[0, 0]))
        top = int(round(middle_y - self._crop / 2 - picture.y[0, 0]))
        left, top = (max(0, min(corner, FRAME - self._crop)) for corner in (left, top))
        rows, columns = slice(top, top + self._crop), slice(left, left + self._crop)
        x, y = picture.x[:, columns] - np.float32(middle_x), picture.y[rows] - np.float32(middle_y)
        cos, sin = np.float32(np.cos(tumour.angle)), np.float32(np.sin(tumour.angle))
        along, across = cos * x + sin * y, cos * y - sin * x
        stretch = np.float32(np.sqrt(tumour.elongation))
        distance = np.hypot(along * stretch, across / stretch)
        distance *= np.float32(1 / np.sqrt(tumour.area / np.pi))
        score = np.float32(0.3) * spread(self._outline[number], self._crop) - distance
        score += np.float32(0.1) * spread(self._lobes[number], self._crop)
        near_border = np.maximum(0, 16 - picture.depth[rows, columns])
        beyond = np.maximum(0, -np.sign(tumour.place[0]) * picture.x[:, columns])
        score -= np.float32(0.04) * near_border + np.float32(0.03) * beyond
        return rows, columns, score

    def _scan(self, picture: Slice, number: int) -> NDArray[np.uint8]:
        """Shading, grey levels, the magnitude of complex noise, eight bits."""
        patient = self.patient
        random = np.random.default_rng((*self._seeds, number))
        image = np.empty((FRAME, FRAME, 3), np.uint8)
        x, y = picture.x / np.float32(128), picture.y / np.float32(128)
        for channel, plane in enumerate(picture.channels):
            across, along, bow = self._shading[channel].astype(np.float32)
            columns = np.exp(across * x + bow * x**2) * np.float32(patient.levels[channel])
            signal = plane * columns * np.exp(along * y + bow * y**2)
            real, imaginary = random.standard_normal((2, FRAME, FRAME), np.float32)
            noise = np.float32(patient.noise[channel])
            magnitude = np.sqrt((signal + noise * real) ** 2 + (noise * imaginary) ** 2)
            image[..., channel] = np.minimum(magnitude + np.float32(0.5), 255)
        for channel in patient.missing:
            image[..., channel] = image[..., 1]
        return image


def _areas_along(random: np.random.Generator, slices: int, largest: float) -> NDArray[np.float64]:
    """Area of each slice of the tumour, pixels: near half a sine."""
    along = np.sin(np.pi * (np.arange(slices) + 0.55) / (slices + 0.1))
    areas = along * np.exp(random.normal(0, 0.07, slices))
    return largest * areas / areas.max()
