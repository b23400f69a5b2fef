"""`train` and `resume`."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tinyseg import plugins
from tinyseg.counting import count
from tinyseg.data import audit_leaks, load_pictures, make_split, open_dataset
from tinyseg.data.cache import Pictures
from tinyseg.data.describe import data_used
from tinyseg.data.preprocessing import Preprocessing
from tinyseg.data.sample import Dataset
from tinyseg.errors import TinysegError, UsageError
from tinyseg.evaluation import evaluate_run, network_predictor
from tinyseg.networks import build, build_recorded, known, load_network, start_encoder
from tinyseg.progress import Progress, silent
from tinyseg.runs import Run
from tinyseg.runs.machine import now, this_command, this_machine, versions
from tinyseg.runs.records import Machine, Measure, Protocol, RunRecord, logit_names
from tinyseg.training.batches import training_batches, validation_batches
from tinyseg.training.encoder_start import keep_start, take_start
from tinyseg.training.losses import make_loss
from tinyseg.training.module import FIGURES, TrainingModule
from tinyseg.training.pictures import draw_history, draw_samples
from tinyseg.training.recorder import Recorder
from tinyseg.training.trainer import make_trainer, quietly, settle


def train(
    model: str,
    data: str,
    protocol: Protocol | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    runs: Path = Path("runs"),
    name: str | None = None,
    progress: Progress = silent,
) -> Run:
    """Trains a network into a new run folder and evaluates it on the test part.

    On the CPU equal protocols, threads and files of ``encoder_weights`` give equal weights, bit for
    bit.

    Args:
        model: a network's name.
        data: what `tinyseg.data.open_dataset` opens.
        protocol: how to train; by default `Protocol.for_task` of the model's task.
        arguments: of the network.
        runs: where run folders are.
        name: of the run's folder; by default model, data and a number.
        progress: told while files are read, during training and evaluation.

    Raises:
        UsageError: no such model, argument or shares, data of another task, a loss of another
            task, or a size the network does not take.
        TinysegError: data or ``encoder_weights`` that cannot be read, or a loss that is no number.
    """
    torch.set_flush_denormal(True)  # before any thread starts, so that all inherit it
    task, arguments = known(model).task, dict(arguments or {})
    protocol = protocol or Protocol.for_task(task)
    dataset = open_dataset(data)
    _require_task(model, dataset)
    make_loss(protocol, task)
    torch.manual_seed(protocol.seed)
    channels = len(logit_names(task, dataset.classes))
    network = build(model, in_channels=dataset.channels, classes=channels, **arguments)
    _try(network, dataset.channels, protocol.size)
    source = protocol.encoder_weights
    start = start_encoder(network, model, source, progress) if source is not None else None
    pictures = load_pictures(dataset, dataset.keys, protocol.size, progress)
    split = make_split(
        dataset,
        pictures.strata_by_key,
        by=protocol.split,
        seed=protocol.seed,
        validation_share=protocol.validation_share,
        test_share=protocol.test_share,
    )
    leaks = audit_leaks(dataset, split, pictures.labels_by_key)
    protocol = settle(protocol, protocol.epochs * _batches(len(split.train), protocol))
    mean, std = pictures.part(split.train).mean_std()
    run = Run.create(runs, f"{model}-{_name(dataset)}", name)
    with run.locked():
        run.write("split.json", split.model_copy(update={"leaks": leaks}))
        if start:
            keep_start(run, network)
        run.write(
            "run.json",
            RunRecord(
                state="running",
                network=model,
                arguments=arguments,
                parameters=sum(p.numel() for p in network.parameters()),
                data=data_used(dataset),
                protocol=protocol,
                preprocessing=Preprocessing(size=protocol.size, mean=mean, std=std),
                encoder_start=start,
                command=this_command(),
                versions=versions(),
                machine=_machine(protocol),
                started=now(),
            ),
        )
        _fit(run, network, pictures, progress)
    return run


def resume(run: Run | str, *, runs: Path = Path("runs"), progress: Progress = silent) -> Run:
    """Goes on with a training that was interrupted, killed or failed.

    From the last whole epoch, or from the start if there is none. On the CPU the weights become
    those of a training that was never interrupted, bit for bit.

    Args:
        run: a run, or its folder or name.
        runs: where run folders are.
        progress: as for `train`.

    Raises:
        TinysegError: there is no such run, it is finished or was imported, another process is at
            it, or its data are not what they were.
    """
    torch.set_flush_denormal(True)
    run = Run.open(run, runs) if isinstance(run, str) else run
    with run.locked():
        record = run.record
        if record.data is None or record.protocol is None:
            raise TinysegError(
                f"The run {run.path} was imported, so there is no training to go on with.",
                "Train anew with --model and --data.",
            )
        if record.state == "finished":
            raise TinysegError(
                f"The run {run.path} is finished, after {record.epochs_done} epochs.",
                "Train anew with more --epochs.",
            )
        dataset, split = open_dataset(record.data.source), run.split
        lost = {*split.train, *split.validation, *split.test}.symmetric_difference(dataset.keys)
        if lost:
            raise TinysegError(
                f"{dataset.source} has other pictures than when {run.path} began, such as "
                f"{min(lost)}.",
                "Bring the data back, or train anew.",
            )
        protocol = record.protocol
        torch.manual_seed(protocol.seed)
        network = build_recorded(record)
        if record.encoder_start and not run.last_checkpoint.is_file():
            take_start(run, network)
        pictures = load_pictures(dataset, dataset.keys, protocol.size, progress)
        run.update(state="running", error=None)
        _fit(run, network, pictures, progress)
    return run


def _require_task(model: str, dataset: Dataset) -> None:
    task = known(model).task
    if task != dataset.task:
        others = (name for name in plugins.names("networks") if known(name).task == dataset.task)
        raise UsageError(
            f"{model} is for {task}, the data {dataset.source} are for {dataset.task}.",
            f"Networks for {dataset.task}: {', '.join(others)}.",
        )


def _try(network: nn.Module, channels: int, size: int) -> None:
    """A network says what sizes it takes; better before thousands of pictures are read."""
    network.eval()
    with torch.inference_mode():
        network(torch.zeros(1, channels, size, size))
    network.train()


def _batches(pictures: int, protocol: Protocol) -> int:
    return math.ceil(pictures / protocol.batch_size)


def _name(dataset: Dataset) -> str:
    """The folder that a dataset lies in, or its kind."""
    folder = Path(dataset.source.partition(":")[2]).name if dataset.layout else dataset.kind
    return re.sub(r"[^\w.-]+", "-", folder)


def _machine(protocol: Protocol) -> Machine:
    gpu = protocol.accelerator == "gpu"
    return this_machine(torch.cuda.get_device_name() if gpu else None)


def _fit(run: Run, network: nn.Module, pictures: Pictures, progress: Progress) -> None:
    """Trains, evaluates, and says in the run how it ended."""
    try:
        _train_epochs(run, network, pictures, progress)
        _finish(run, pictures, progress)
    except (KeyboardInterrupt, SystemExit):
        run.update(state="interrupted")
        raise
    except BaseException as error:
        run.update(state="failed", error=str(error))
        raise


def _train_epochs(run: Run, network: nn.Module, pictures: Pictures, progress: Progress) -> None:
    record, split = run.record, run.split
    assert record.data
    assert record.protocol
    protocol, volumes = record.protocol, record.data.groups_are_volumes
    if protocol.threads:
        torch.set_num_threads(protocol.threads)
    validation = pictures.part(split.validation)
    steps = protocol.epochs * _batches(len(split.train), protocol)
    figures, measure = FIGURES[record.task], _measure(record)
    recorder = Recorder(run, figures, measure, steps, progress)
    module = TrainingModule(
        network,
        protocol,
        record.preprocessing,
        validation,
        volumes,
        record.threshold,
        len(record.classes),
    )
    checkpoint = run.last_checkpoint if run.last_checkpoint.is_file() else None
    with quietly():
        trainer = make_trainer(run, protocol, recorder)
        try:
            trainer.fit(
                module,
                training_batches(pictures.part(split.train), protocol.batch_size, protocol.seed),
                validation_batches(validation, protocol.batch_size),
                ckpt_path=checkpoint,
                weights_only=True,
            )
        except SystemExit as ended:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from ended
    run.encoder_start.unlink(missing_ok=True)
    run.update(stopped_early=len(recorder.history) < protocol.epochs)


def _measure(record: RunRecord) -> Measure:
    if record.task == "classification":
        return "top1"
    return "per_volume" if record.data and record.data.groups_are_volumes else "per_image"


def _finish(run: Run, pictures: Pictures, progress: Progress) -> None:
    """Scores the best weights on the test part, counts the network, draws pictures."""
    record, network = run.record, load_network(run)
    size = record.preprocessing.size
    shape = (1, record.channels, size, size)
    run.write("count.json", count(network, shape, name=record.network, arguments=record.arguments))
    predictor = network_predictor(network)
    evaluate_run(run, predictor, progress=progress)
    draw_history(run)
    draw_samples(run, predictor, pictures.part(run.split.test))
    run.update(state="finished", finished=now())
