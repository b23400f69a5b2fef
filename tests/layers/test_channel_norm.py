"""Layer norm of feature maps beside that of one pixel."""

import torch

from tinyseg.layers import ChannelNorm


def test_norms_the_channels_of_every_pixel():
    layer, x = ChannelNorm(6), torch.randn(2, 6, 3, 4)
    with torch.no_grad():
        layer.weight.normal_()
        layer.bias.normal_()
    pixel = x[1, :, 2, 3]
    by_hand = (pixel - pixel.mean()) / (pixel.var(correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(layer(x)[1, :, 2, 3], by_hand * layer.weight + layer.bias)
