"""A PyTorch network as something that predicts; the only file here that needs torch."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinyseg.evaluation.decisions import Predictor

if TYPE_CHECKING:
    from torch import nn


def network_predictor(module: "nn.Module") -> Predictor:
    """Makes a predictor of a network, on the device that holds its weights.

    Each call puts the network into evaluation mode and back into the mode it was in.
    """
    import torch

    from tinyseg.layers.memory_layout import in_fast_layout

    def predict(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        device = next(module.parameters()).device
        was_training = module.training
        module.eval()
        try:
            with torch.inference_mode():
                logits = module(in_fast_layout(torch.from_numpy(inputs).to(device)))
        finally:
            module.train(was_training)
        return logits.float().cpu().numpy()

    return predict
