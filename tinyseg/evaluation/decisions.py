"""From logits to labels: the one place of sigmoid, softmax and threshold."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

#: Network inputs (batch, channels, height, width) to logits (batch, classes, height, width) or
#: (batch, classes), whatever computes them.
Predictor = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def probabilities(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Probabilities of the classes.

    Args:
        logits: (batch, classes, height, width). A single class is that of the foreground; of
            several, class 0 is the background. Or (batch, classes) of whole pictures.

    Returns:
        The same shape, in [0, 1]: the sigmoid of a single class, the softmax over several.
    """
    values = logits.astype(np.float32)
    if values.shape[1] == 1:
        # Equal to 1 / (1 + exp(-x)), without its overflow.
        return np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * values))
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def decide(probabilities: NDArray[np.float32], threshold: float) -> NDArray[np.uint8]:
    """A label for every pixel or picture.

    Args:
        probabilities: (batch, classes, height, width), or (batch, classes).
        threshold: from this probability on, a pixel belongs to a single class. Of several classes
            the most probable wins, whatever the threshold.

    Returns:
        (batch, height, width), 0 background; or (batch,).
    """
    if probabilities.shape[1] == 1:
        return (probabilities[:, 0] >= np.float32(threshold)).astype(np.uint8)
    return probabilities.argmax(axis=1).astype(np.uint8)


def foreground_classes(channels: int) -> int:
    """How many classes of the foreground logits of so many channels tell apart."""
    return max(1, channels - 1)
