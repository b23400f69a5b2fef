"""Networks as users write them: three that converters do not take, and one that they do."""

import torch
from torch import nn


class Scan(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.full((width,), 0.9))

    def forward(self, tokens):
        state, states = torch.zeros_like(tokens[:, 0]), []
        for step in range(tokens.shape[1]):
            state = self.decay * state + tokens[:, step]
            states.append(state)
        return torch.stack(states, 1)


class Median(nn.Module):
    def forward(self, tokens):
        return tokens - tokens.median(1, keepdim=True).values


class Deciding(nn.Module):
    def forward(self, tokens):
        return tokens if tokens.mean() > 0 else -tokens


class Network(nn.Module):
    def __init__(self, mixer: nn.Module, width: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 1)
        self.stages = nn.Sequential(nn.Identity(), mixer)
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        features = self.stem(x)
        tokens = self.stages(features.flatten(2).transpose(1, 2))
        return self.head(tokens.transpose(1, 2).reshape(features.shape))


def looping():
    return Network(Scan(4))


def median():
    return Network(Median())


def deciding():
    return Network(Deciding())


def good():
    return Network(nn.Linear(4, 4))
