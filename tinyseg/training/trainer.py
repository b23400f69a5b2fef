"""Lightning's trainer, as a protocol wants it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping

from tinyseg.errors import UsageError
from tinyseg.runs import Run
from tinyseg.runs.records import Protocol
from tinyseg.training.recorder import Recorder

_PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def settle(protocol: Protocol, steps: int) -> Protocol:
    """Replaces what is left open by what this machine and this training make of it.

    Args:
        protocol: with ``auto`` or None in it.
        steps: of the whole training.

    Raises:
        UsageError: a GPU is asked for and there is none, or half precision without one.
    """
    gpu = torch.cuda.is_available()
    accelerator = protocol.accelerator
    if accelerator == "auto":
        accelerator = "gpu" if gpu else "cpu"
    if accelerator == "gpu" and not gpu:
        raise UsageError(
            "PyTorch finds no CUDA GPU here.", "Leave --accelerator out, or say --accelerator cpu."
        )
    precision = protocol.precision
    if precision == "auto":
        half = "bf16" if gpu and torch.cuda.is_bf16_supported() else "fp16"
        precision = half if accelerator == "gpu" else "fp32"
    if precision == "fp16" and accelerator == "cpu":
        raise UsageError(
            "Training in fp16 needs a GPU.", "Say --precision fp32 or bf16, or leave it out."
        )
    warmup = protocol.warmup_steps
    if warmup is None:
        warmup = 3 * steps // 10 if protocol.schedule == "one-cycle" else min(100, steps // 10)
    return protocol.model_copy(
        update={
            "accelerator": accelerator,
            "precision": precision,
            "threads": protocol.threads or torch.get_num_threads(),
            "warmup_steps": warmup,
        }
    )


def make_trainer(run: Run, protocol: Protocol, recorder: Recorder) -> L.Trainer:
    """A trainer that is silent and writes nothing but what the recorder writes."""
    callbacks: list[Callback] = [recorder]
    if protocol.patience is not None:
        callbacks.append(EarlyStopping(recorder.figures[0], mode="max", patience=protocol.patience))
    return L.Trainer(
        accelerator=protocol.accelerator,
        precision=_PRECISIONS[protocol.precision],  # pyright: ignore[reportArgumentType]
        devices=1,
        max_epochs=protocol.epochs,
        callbacks=callbacks,
        default_root_dir=run.path,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


@contextmanager
def quietly() -> Iterator[None]:
    """Silences Lightning's advice, such as more workers for a loader that has none to wait for."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
