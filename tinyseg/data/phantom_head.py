"""A phantom's head without tumour: outline, scalp, skull, face, brain and ventricles."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyseg.data.phantom_fields import FRAME, Plane, ramp, smooth_noise, spread
from tinyseg.data.phantom_patient import Patient

_ANGLES = 720
#: Area of the head by height in the volume (0 bottom, 1 top), 1 at its largest.
_HEIGHTS = (0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1)
_AREAS = (0.9, 0.92, 0.96, 0.98, 1, 1, 0.96, 0.89, 0.75, 0.54, 0.3, 0.16)
# Levels relative to brain: before contrast, FLAIR, after contrast.
_SCALP = (2.6, 2.7, 2.4)
_SKULL = (0.45, 0.2, 0.6)
_FLUID = (0.3, 0.08, 0.3)
_AIR_CAVITY = 0.08
_OWN = (0.13, 0.08, 0.16)  # texture that the other channels do not share


@dataclass(frozen=True)
class Slice:
    """What one slice shows before tumour, shading and noise.

    Attributes:
        channels: levels relative to brain, three planes.
        depth: pixels inside the brain's border, negative outside.
        x: pixels from the head's midline, a row; ``y`` from its centre, a column.
    """

    channels: list[Plane]
    depth: Plane
    x: Plane
    y: Plane


class Head:
    """The head of a patient, slice by slice."""

    def __init__(self, patient: Patient, random: np.random.Generator) -> None:
        slices = patient.slices
        pixels = np.arange(FRAME, dtype=np.float32) - (FRAME - 1) / 2
        self.x = (pixels - patient.centre[0]).astype(np.float32)[None, :]
        self.y = (pixels - patient.centre[1]).astype(np.float32)[:, None]
        self._radius = np.hypot(self.x, self.y)
        turn = np.arctan2(self.y, self.x) / (2 * np.pi) + 0.5
        self._angle = np.minimum((turn * _ANGLES).astype(np.intp), _ANGLES - 1)
        self._heights = (np.arange(slices) + 0.5) / slices
        self._size = np.sqrt(np.interp(self._heights, _HEIGHTS, _AREAS))
        self.half_widths = patient.half_width * self._size
        self.half_heights = patient.half_height * self._size
        self._outline, self._scalp, self._skull = self._draw_outlines(random, slices)
        drift = max(0.75, slices / 45)
        self._folds = smooth_noise(random, slices, 32, drift)
        self._coarse = smooth_noise(random, slices, 20, 1.5 * drift)
        self._fine = smooth_noise(random, slices, 100, 0.8 * drift)
        self._own = [smooth_noise(random, slices, 40, drift) for _ in range(3)]
        self._face = smooth_noise(random, slices, 32, drift)
        self._ventricles = float(np.exp(random.normal(0, 0.3)))
        self._bend = random.normal(0, 0.02, 3)
        self._leanness = float(random.normal(1.12, 0.25))  # the higher, the less fat in the face

    def draw(self, number: int) -> Slice:
        """Draws a slice, 0 at the bottom."""
        row = self._outline[number]
        outside = row[self._angle] - self._radius  # depth below the skin
        bone = outside - self._scalp[number][self._angle]
        depth = bone - self._skull[number][self._angle]
        skin = ramp(outside, 2.2)
        scalp = ramp(-bone, 2.0)
        brain = ramp(depth, 2.5)
        face, cavity, fat = self._face_parts(number)
        brain_levels = self._brain(number, depth)
        own = [spread(field[number]) for field in self._own]
        channels: list[Plane] = []
        for channel in range(3):
            soft = np.float32(0.75) + np.float32(1.1 + 0.5 * (channel != 1)) * fat
            soft -= (soft - np.float32(_AIR_CAVITY)) * cavity
            inner = brain_levels[channel] * (1 + np.float32(_OWN[channel]) * own[channel])
            inner += (soft - inner) * face
            inner = _SKULL[channel] + (inner - np.float32(_SKULL[channel])) * brain
            inner += (np.float32(_SCALP[channel]) * (1 + 0.15 * own[channel]) - inner) * scalp
            channels.append(np.maximum(inner, 0) * skin)
        return Slice(channels, depth - 40 * face, self.x, self.y)

    def _draw_outlines(
        self, random: np.random.Generator, slices: int
    ) -> tuple[NDArray[np.float32], ...]:
        """Skin's radius, and thickness of scalp and skull, by slice and angle; pixels."""
        angles = (np.arange(_ANGLES) + 0.5) / _ANGLES * 2 * np.pi - np.pi
        ellipse = 1 / np.hypot(
            np.cos(angles) / self.half_widths[:, None], np.sin(angles) / self.half_heights[:, None]
        )
        low = np.clip((0.34 - self._heights) / 0.16, 0, 1)[:, None]
        nose = 0.2 * np.exp(-(((angles + np.pi / 2) / 0.16) ** 2))
        cheeks = 0.07 * np.cos(4 * angles) - 0.05 * np.exp(-(((np.abs(angles) - 0.6) / 0.3) ** 2))
        wobble = _around(random, slices, angles, orders=5) * 0.008
        rough = _around(random, slices, angles, orders=20) * 0.01
        outline = ellipse * (1 + wobble + low * (nose - cheeks + rough))
        scalp = 4.6 * np.exp(0.22 * _around(random, slices, angles, orders=9)) * (1 + 0.5 * low)
        skull = 4.2 * np.exp(0.2 * _around(random, slices, angles, orders=9)) * (1 + 1.2 * low)
        return outline.astype(np.float32), scalp.astype(np.float32), skull.astype(np.float32)

    def _brain(self, number: int, depth: Plane) -> list[Plane]:
        """Cortex with folds, white matter, the midline's fissure, ventricles."""
        height = self._heights[number]
        fold = spread(self._folds[number])
        cortex = np.exp(np.maximum(depth, 0) * np.float32(-1 / (20 + 30 * max(0, height - 0.55))))
        deep = np.float32(0.4) + np.float32(0.6) * cortex
        grey = np.exp(-((fold * np.float32(1.5)) ** 2)) * deep
        sulcus = np.exp(-((fold * np.float32(4.5)) ** 2)) * cortex
        texture = np.float32(0.11) * spread(self._coarse[number])
        texture += np.float32(0.12) * spread(self._fine[number])
        fluid = np.maximum(np.float32(0.9) * sulcus, self._fissure(number))
        ventricle, lining = self._ventricle(number)
        fluid = np.maximum(fluid, ventricle)
        channels: list[Plane] = []
        for channel, bright in enumerate((-0.25, 0.2, -0.15)):
            levels = np.asarray(1 + texture + np.float32(bright) * grey, np.float32)
            if channel == 1:
                levels += np.float32(0.35) * lining
            levels += (np.float32(_FLUID[channel]) - levels) * fluid
            channels.append(levels)
        return channels

    def _fissure(self, number: int) -> Plane:
        height, y = self._heights[number], self.y / np.float32(self.half_heights[number])
        middle = self._midline(number)
        open_ = np.clip(np.abs(y + 0.03) * 4 - 1.2 + 6 * max(0, height - 0.68), 0, 1)
        strength = np.float32(0.8 * np.clip((height - 0.3) / 0.1, 0, 1)) * open_
        line: Plane = np.exp(-(((self.x - middle) / np.float32(1.5)) ** 2))
        return strength.astype(np.float32) * line

    def _midline(self, number: int) -> Plane:
        """Where the midline is, x by row: slightly bent."""
        y = self.y / np.float32(self.half_heights[number])
        shift, lean, bow = self._bend * self.half_widths[number]
        return (shift + lean * y + bow * np.sin(3 * y)).astype(np.float32)

    def _ventricle(self, number: int) -> tuple[Plane, Plane]:
        """The lateral ventricles' fluid, and their bright lining."""
        size = float(np.sqrt(max(0, 1 - ((self._heights[number] - 0.56) / 0.14) ** 2)))
        if size == 0:
            nothing = np.zeros((FRAME, FRAME), np.float32)
            return nothing, nothing
        y = self.y / np.float32(self.half_heights[number])
        reach = 0.44 * size
        half = 0.06 * self._ventricles * size * np.sqrt(np.maximum(0, 1 - (y / reach) ** 2))
        away = np.abs(self.x - self._midline(number)) / np.float32(self.half_widths[number])
        distance = half - np.abs(away - (0.075 + 0.9 * y**2))
        distance = np.where(half > 0, distance, -1).astype(np.float32)
        distance *= np.float32(self.half_widths[number])
        fluid = ramp(distance, 2.5)
        return fluid, ramp(distance + 4, 5) - fluid

    def _face_parts(self, number: int) -> tuple[Plane, Plane, Plane]:
        """Where face and base of the skull are instead of brain; their air, their fat."""
        height = self._heights[number]
        border = np.interp(
            height, (0, 0.1, 0.2, 0.3, 0.38, 0.42), (0.8, 0.25, -0.1, -0.4, -0.75, -1.4)
        )
        y = self.y / np.float32(self.half_heights[number])
        if border <= -1.4:
            nothing = np.zeros((FRAME, FRAME), np.float32)
            return nothing, nothing, nothing
        field = spread(self._face[number])
        field = (field + field[:, ::-1]) * np.float32(0.7)
        face = ramp(
            (border - y + np.float32(0.08) * field) * np.float32(self.half_heights[number]), 6
        )
        rim = 4 * face * (1 - face)  # bone between face and brain
        cavity = np.maximum(ramp(-field - np.float32(0.75), 0.5), rim)
        return face, cavity, ramp(field - np.float32(self._leanness), 0.7)


def _around(
    random: np.random.Generator, slices: int, angles: NDArray[np.float64], orders: int
) -> NDArray[np.float64]:
    """Noise of deviation 1 around a circle, (slices, angles), drifting along the volume."""
    from scipy import ndimage

    weights = random.standard_normal((2, slices, orders))
    weights = ndimage.gaussian_filter1d(weights, slices / 16, axis=1, mode="wrap")
    waves = np.outer(np.arange(2, orders + 2), angles)
    noise = weights[0] @ np.cos(waves) + weights[1] @ np.sin(waves)
    return noise / noise.std()
