"""Who a phantom patient is: everything that is drawn once a patient.

Figures are medians and spreads measured on the 110 patients of the LGG MRI segmentation set.
"""

from dataclasses import dataclass

import numpy as np

#: Slices a patient by source site: least, median, most.
_SITES = {"CS": (20, 22, 28), "DU": (23, 37, 71), "FG": (26, 48, 73), "HT": (20, 23.5, 88)}
_SITE_SHARES = (0.15, 0.41, 0.13, 0.31)
_LEVELS = (53.0, 52.0, 53.0)  # grey level of brain: before contrast, FLAIR, after contrast
_LEVEL_SPREAD = 0.28
_LEVEL_CORRELATION = np.array([[1, 0.25, 0.43], [0.25, 1, 0.61], [0.43, 0.61, 1]])
_NOISE = (1.1, 2.2, 1.3)  # grey levels
# Of the tumour to plain brain; to what is around it, folds too, it is 0.96, 1.65 and 0.92.
_CONTRAST = (0.88, 1.62, 0.84)
_CONTRAST_SPREAD = (0.13, 0.26, 0.13)


@dataclass(frozen=True)
class Tumour:
    """A tumour's place in a volume, size and look.

    Attributes:
        slices: the slices it lies in, one unbroken run.
        area: of its largest slice, pixels.
        place: x and y of its centre, in half-widths and half-heights of the head.
        elongation: short over long axis.
        angle: of the long axis, radians.
        contrast: of each channel, to the brain around it.
        cyst: share of its inside that is fluid, dark in FLAIR.
    """

    slices: range
    area: float
    place: tuple[float, float]
    elongation: float
    angle: float
    contrast: tuple[float, ...]
    cyst: float


@dataclass(frozen=True)
class Patient:
    """A phantom patient.

    Attributes:
        slices: their number.
        levels: grey level of healthy brain in each channel.
        noise: of each channel, grey levels.
        missing: channels of a missing sequence, which repeat FLAIR.
        half_width: of the head at its widest slice, pixels; so ``half_height``.
        centre: x and y of the head's centre, pixels from the frame's.
        tumour: the tumour.
    """

    slices: int
    levels: tuple[float, ...]
    noise: tuple[float, ...]
    missing: tuple[int, ...]
    half_width: float
    half_height: float
    centre: tuple[float, float]
    tumour: Tumour


def draw_patient(random: np.random.Generator) -> Patient:
    """Draws a patient."""
    site = str(random.choice(list(_SITES), p=_SITE_SHARES))
    slices = _draw_slices(random, site)
    height = float(109 * np.exp(random.normal(0, 0.055)))
    if site == "FG":  # scanned closer: heads that touch the frame
        height *= random.uniform(0.95, 1.25)
    width = height * float(np.clip(random.normal(0.79, 0.035), 0.72, 0.9))
    scales = np.exp(random.multivariate_normal(np.zeros(3), _LEVEL_CORRELATION * _LEVEL_SPREAD**2))
    missing = random.random()
    return Patient(
        slices=slices,
        levels=_floats(np.clip(np.multiply(_LEVELS, scales), 18, 110)),
        noise=_floats(np.multiply(_NOISE, np.exp(random.normal(0, 0.3, 3)))),
        missing=(0, 2) if missing < 0.05 else (2,) if missing < 0.09 else (),
        half_width=width,
        half_height=height,
        centre=(float(random.normal(0, 2.5)), float(random.normal(8, 4))),
        tumour=_draw_tumour(random, slices),
    )


def _draw_slices(random: np.random.Generator, site: str) -> int:
    """Half of the patients below the site's median, half above, seldom far."""
    least, median, most = _SITES[site]
    if random.random() < 0.5:
        return round(random.uniform(least, median))
    return round(median + (most - median) * random.beta(0.8, 3))


def _draw_tumour(random: np.random.Generator, slices: int) -> Tumour:
    size, own = random.standard_normal(2)
    share = np.clip(0.345 + 0.11 * (0.8 * size + 0.6 * own), 0.13, 0.66)
    count = max(3, round(share * slices))
    centre = np.clip(random.normal(0.58, 0.13), 0.3, 0.82)
    first = round(centre * slices - count / 2)
    first = max(round(0.1 * slices), min(first, slices - count - max(1, round(0.04 * slices))))
    side = random.choice([-1, 1])
    across, along = random.normal(0.33, 0.09), random.normal(-0.13, 0.22)
    contrast = random.normal(_CONTRAST, _CONTRAST_SPREAD)
    return Tumour(
        slices=range(first, first + count),
        area=float(np.exp(7.68 + 0.6 * np.clip(size, -2.2, 1.8))),
        place=(float(side * np.clip(across, 0.14, 0.55)), float(np.clip(along, -0.55, 0.4))),
        elongation=float(np.clip(random.normal(0.66, 0.13), 0.35, 0.95)),
        angle=float(random.uniform(0, np.pi)),
        contrast=_floats(np.clip(contrast, (0.6, 1.1, 0.55), (1.2, 2.4, 1.2))),
        cyst=float(random.uniform(0.1, 0.35)) if random.random() < 0.15 else 0.0,
    )


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
