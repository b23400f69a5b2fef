"""Losses, augmentation, the Lightning module, recording and resuming."""

from tinyseg.training.train import resume, train

__all__ = ["resume", "train"]
