"""Finished runs without a training: seeded weights, and every file that a training leaves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from tinyseg.counting import count
from tinyseg.data import Dataset, Preprocessing, load_pictures, make_split, open_dataset
from tinyseg.data.describe import data_used
from tinyseg.evaluation import evaluate_run, network_predictor
from tinyseg.networks import build
from tinyseg.runs import Run
from tinyseg.runs.machine import now, this_machine, versions
from tinyseg.runs.records import Best, Protocol, RunRecord, logit_names

THRESHOLD = 0.45  # not the default, so that losing it shows


def draw_patients(folder: Path, patients: int = 6, slices: int = 4) -> Path:
    """Writes noisy heads with a bright ellipse in LGG's layout, neither square nor of the run's
    size; the first slice of each patient has an empty mask."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:80, :96]
    for patient in range(patients):
        name = f"DRAWN_{patient}"
        (folder / name).mkdir(parents=True)
        for number in range(1, slices + 1):
            head = ((rows - 40) / 36) ** 2 + ((columns - 48) / 42) ** 2 < 1
            y, x = random.integers(25, 55), random.integers(30, 66)
            tumour = ((rows - y) / 9) ** 2 + ((columns - x) / 12) ** 2 < number / 2
            mask = tumour & head if number > 1 else np.zeros_like(head)
            levels = 90 * head[..., None] + np.stack([20 * mask, 90 * mask, 50 * mask], axis=2)
            picture = np.clip(levels + random.normal(0, 15, levels.shape), 0, 255)
            Image.fromarray(picture.astype(np.uint8)).save(folder / name / f"{name}_{number}.png")
            white = (mask * 255).astype(np.uint8)
            Image.fromarray(white).save(folder / name / f"{name}_{number}_mask.png")
    return folder


def finished_run(
    root: Path,
    name: str,
    data: str,
    network: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    size: int = 64,
    seed: int = 0,
) -> Run:
    """A run as a training leaves it, evaluated and counted, with seeded weights.

    The weights' last layer is set so that logits on the data have median 0 and spread 2: a network
    whose probabilities all lie near 0 or 1 would hide what an export does to it.
    """
    dataset, arguments = open_dataset(data), dict(arguments or {})
    pictures = load_pictures(dataset, dataset.keys, size)
    protocol = Protocol(size=size, epochs=1, validation_share=0.2, test_share=0.4, seed=seed)
    split = make_split(
        dataset, pictures.strata_by_key, by="patient", seed=seed,
        validation_share=protocol.validation_share, test_share=protocol.test_share,
    )  # fmt: skip
    mean, std = pictures.part(split.train).mean_std()
    preprocessing = Preprocessing(size=size, mean=mean, std=std)
    module = _seeded(network, arguments, dataset, seed)
    some = pictures.images[:: len(pictures) // 24 or 1]
    _settle(module, torch.from_numpy(preprocessing.normalise(some)))

    run = Run.create(root, name, name)
    (run.path / "weights").mkdir()
    save_file(module.state_dict(), run.best_weights)
    run.write("split.json", split)
    run.write("run.json", _record(network, arguments, module, dataset, protocol, preprocessing))
    shape = (1, dataset.channels, size, size)
    run.write("count.json", count(module, shape, name=network, arguments=arguments))
    evaluate_run(run, network_predictor(module))
    return run


def _seeded(network: str, arguments: Mapping[str, Any], dataset: Dataset, seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(
            network,
            in_channels=dataset.channels,
            classes=len(logit_names(dataset.task, dataset.classes)),
            **arguments,
        )


def _settle(module: nn.Module, inputs: torch.Tensor) -> None:
    """Gives batch norms their statistics and the last layer its scale."""
    last = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)][-1]
    assert last.bias is not None
    with torch.no_grad():
        module.train()
        module(inputs)
        module.eval()
        logits = module(inputs)
        scale = 2 / logits.std()
        last.weight *= scale
        last.bias.copy_((last.bias - logits.median()) * scale)


def _record(
    network: str,
    arguments: Mapping[str, Any],
    module: nn.Module,
    dataset: Dataset,
    protocol: Protocol,
    preprocessing: Preprocessing,
) -> RunRecord:
    return RunRecord(
        state="finished",
        network=network,
        arguments=dict(arguments),
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        data=data_used(dataset),
        protocol=protocol,
        preprocessing=preprocessing,
        threshold=THRESHOLD,
        command="tinyseg train",
        versions=versions(),
        machine=this_machine(),
        started=now(),
        finished=now(),
        seconds=1.0,
        epochs_done=1,
        best=Best(epoch=1, score=0.5, measure="per_volume"),
    )
