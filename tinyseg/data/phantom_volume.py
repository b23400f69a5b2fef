"""A phantom's volume, rendered slice by slice."""

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.phantom_fields import FRAME
from tinyseg.data.phantom_head import Head, Slice
from tinyseg.data.phantom_patient import draw_patient
from tinyseg.data.phantom_tumour import TumourShape


class Volume:
    """The slices of one phantom patient.

    What drifts along the volume is drawn here, coarsely; a slice is rendered when it is asked for,
    with noise of its own. The same seed and number give the same pixels.
    """

    def __init__(self, seed: int, number: int) -> None:
        random = np.random.default_rng((seed, number))
        self._seeds = (seed, number)
        self._patient = draw_patient(random)
        self._head = Head(self._patient, random)
        self._tumour = TumourShape(self._patient, self._head, random)
        self._shading = random.normal(0, (0.05, 0.07, 0.05), (3, 3)).astype(np.float32)

    def render(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Renders a slice, 0 at the bottom.

        Returns:
            The picture (256, 256, 3) and its mask of 0 and 1 (256, 256).
        """
        picture = self._head.draw(number)
        mask = self._tumour.add_to(picture, number)
        return self._scan(picture, number), mask

    def _scan(self, picture: Slice, number: int) -> NDArray[np.uint8]:
        """Shading, grey levels, the magnitude of complex noise, eight bits."""
        patient = self._patient
        random = np.random.default_rng((*self._seeds, number))
        white = random.standard_normal((3, FRAME, FRAME), np.float32)
        image = np.empty((FRAME, FRAME, 3), np.uint8)
        x, y = picture.x / np.float32(FRAME / 2), picture.y / np.float32(FRAME / 2)
        for channel, plane in enumerate(picture.channels):
            across, along, bow = self._shading[channel]
            columns = np.exp(across * x + bow * x**2) * np.float32(patient.levels[channel])
            signal = plane * columns * np.exp(along * y + bow * y**2)
            noise = np.float32(patient.noise[channel])
            imaginary = noise * white[channel - 1]  # another channel's: seen in air alone
            magnitude = np.sqrt((signal + noise * white[channel]) ** 2 + imaginary**2)
            image[..., channel] = np.minimum(magnitude + np.float32(0.5), 255)
        for channel in patient.missing:
            image[..., channel] = image[..., 1]
        return image
