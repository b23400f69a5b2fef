"""Every JSON document that tinyseg writes or prints, as pydantic classes: the contract.

``docs/schemas.md`` is made from these classes. Missing is None, never 0 or -1.
"""

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from tinyseg.data.preprocessing import Preprocessing

Part = Literal["train", "validation", "test"]
Precision = Literal["fp32", "fp16", "int8-weights", "int8-dynamic", "int8", "int8-full"]
Task = Literal["segmentation", "classification"]

#: What the first of several channels of logits stands for, pixel by pixel.
BACKGROUND = "background"


class Value(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Document(Value):
    """A whole document, with the version of its form."""

    version: Literal[1] = Field(default=1, alias="schema")

    def to_json(self) -> str:
        """The document as indented JSON."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


# --- run.json ---------------------------------------------------------------------------------


class Machine(Value):
    """Where something was done."""

    system: str
    processor: str
    cores: int
    memory_bytes: int
    python: str
    accelerator: str | None = None


def logit_names(task: Task, classes: Sequence[str]) -> list[str]:
    """What each channel of the logits stands for.

    Several classes of the foreground compete with the background, which comes first; a single one
    has a channel of its own, as has every class of whole pictures.
    """
    competing = task == "segmentation" and len(classes) > 1
    return [*[BACKGROUND] * competing, *classes]


class DataUsed(Value):
    """The dataset of a run."""

    kind: str
    task: Task = "segmentation"
    source: str
    images: int
    groups: int
    groups_are_volumes: bool
    classes: list[str] = Field(description="of the foreground, or of whole pictures")
    channels: int


Augmentation = Literal["crop", "flip", "mirror", "rot90", "rotate", "intensity"]


_CLASSIFYING: dict[str, Any] = {
    "size": 32,
    "batch_size": 128,
    "lr": 0.1,
    "optimizer": "sgd",
    "weight_decay": 5e-4,
    "schedule": "one-cycle",
    "loss": "cross-entropy",
    "label_smoothing": 0.1,
    "augment": ["crop", "mirror"],
    "split": "image",
}


class Protocol(Value):
    """How a run is trained; the names are the options of ``tinyseg train``.

    The defaults are those of segmentation; `for_task` has classification's too.
    """

    size: int = 256
    epochs: int = 30
    batch_size: int = 16
    lr: float = 1e-3
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    momentum: float = Field(default=0.9, description="of sgd, by Nesterov's rule")
    weight_decay: float = 0.01
    schedule: Literal["constant", "cosine", "one-cycle"] = "cosine"
    warmup_steps: int | None = Field(
        default=None,
        description="None before a training: a tenth of its steps, at most 100; three tenths of a "
        "one-cycle",
    )
    loss: Literal["dice", "bce-dice", "cross-entropy"] = "bce-dice"
    label_smoothing: float = Field(default=0.0, description="of cross-entropy")
    augment: list[Augmentation] = ["flip", "intensity"]
    split: Literal["patient", "image"] = "patient"
    validation_share: float = 0.15
    test_share: float = 0.15
    patience: int | None = None
    seed: int = 0
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    threads: int | None = None
    encoder_weights: str | None = Field(
        default=None, description="a file, or imagenet; None starts the encoder at random"
    )

    @classmethod
    def for_task(cls, task: Task, **given: Any) -> Self:
        """What is given, and a task's defaults for the rest."""
        return cls(**((_CLASSIFYING if task == "classification" else {}) | given))


#: What a headline is: Dice over volumes, Dice over images, or top-1 of whole pictures.
Measure = Literal["per_volume", "per_image", "top1"]


class Best(Value):
    """The epoch whose weights were kept, by the validation part's headline (``measure``)."""

    epoch: int
    score: float = Field(validation_alias=AliasChoices("score", "dice"))  # of older files
    measure: Measure


class EncoderStart(Value):
    """Weights of other code that the encoder started a training from."""

    source: str = Field(description="the file as it was named, or where it was downloaded from")
    sha256: str


Origin = Literal["ultralight-vm-unet", "paper", "plain"]


class Imported(Value):
    """Where the weights of a run come from that was not trained here."""

    file: str
    sha256: str
    origin: Origin = Field(description="the code that trained them, which says what pictures were")
    task: Task = "segmentation"
    classes: list[str] = Field(description="one a channel of the logits")
    channels: int
    dropped: int = Field(description="tensors of the file left out because they repeat others")
    notes: list[str] = Field(description="what pictures the weights take, and what origin did else")


class RunRecord(Document):
    """``run.json``: what a run is, how it was made and how far it came."""

    state: Literal["running", "finished", "failed", "interrupted"]
    network: str
    arguments: dict[str, Any]
    parameters: int
    data: DataUsed | None = Field(description="None of imported weights, like the protocol")
    protocol: Protocol | None
    preprocessing: Preprocessing
    threshold: float = 0.5
    imported: Imported | None = None
    encoder_start: EncoderStart | None = Field(default=None, description="None: at random")
    command: str
    versions: dict[str, str]
    machine: Machine
    started: str
    finished: str | None = None
    seconds: float | None = None
    epochs_done: int = 0
    stopped_early: bool = False
    best: Best | None = None
    error: str | None = None

    @property
    def channels(self) -> int:
        """Channels of a picture."""
        return self._known.channels

    @property
    def task(self) -> Task:
        """What its logits are for."""
        return self._known.task

    @property
    def classes(self) -> list[str]:
        """Names of the classes, one a channel of the logits."""
        known = self._known
        if isinstance(known, Imported):
            return known.classes
        return logit_names(known.task, known.classes)

    @property
    def _known(self) -> DataUsed | Imported:
        known = self.data or self.imported
        assert known
        return known

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> Self:
        if self.imported is None and (self.data is None or self.protocol is None):
            raise ValueError("a run that was not imported has data and a protocol")
        return self


# --- split.json -------------------------------------------------------------------------------


class Leak(Value):
    """What a split that tears groups apart gives away about one part."""

    part: Literal["validation", "test"]
    groups: int = Field(description="groups in the part")
    shared_groups: int = Field(description="of these, also in the training part")
    neighbour_dice_median: float | None = Field(
        description="median Dice of the mask of the nearest training slice of the same group, "
        "copied, over the part's pictures with foreground"
    )
    pictures: int = Field(description="pictures the median was taken over")


class SplitRecord(Document):
    """``split.json``: which keys are where, how and from which seed."""

    by: Literal["patient", "image"]
    seed: int
    validation_share: float
    test_share: float
    train: list[str]
    validation: list[str]
    test: list[str]
    leaks: list[Leak] = []

    def keys(self, part: Part) -> list[str]:
        """The keys of a part."""
        return getattr(self, part)


# --- data ---------------------------------------------------------------------------------------


class Problem(Value):
    """Something wrong with a dataset, or worth knowing."""

    severity: Literal["error", "warning", "note"]
    where: str = Field(description="a file, a patient's folder, or a key")
    what: str

    @classmethod
    def error(cls, where: object, what: str) -> "Problem":
        """What keeps a picture from being used."""
        return cls(severity="error", where=str(where), what=what)

    @classmethod
    def warning(cls, where: object, what: str) -> "Problem":
        """What lets a picture be used, but should be looked at."""
        return cls(severity="warning", where=str(where), what=what)

    @classmethod
    def note(cls, where: object, what: str) -> "Problem":
        """What is worth knowing."""
        return cls(severity="note", where=str(where), what=what)

    @classmethod
    def ignored(cls, where: object) -> "Problem":
        """A file that is not looked at."""
        return cls.note(where, "is not called like a picture or mask of this layout: ignored")


class CheckDocument(Document):
    """``tinyseg data check --json``."""

    source: str
    images: int = Field(description="pictures with a mask or a class")
    problems: list[Problem]


class Quartiles(Value):
    """How something is spread."""

    least: float
    lower: float
    median: float
    upper: float
    most: float


class PartDescribed(Value):
    """What one part of a split holds."""

    part: Part
    groups: int
    images: int
    images_with_foreground: int | None = Field(description="None where whole pictures have classes")
    images_by_class: list[int] = Field(description="with any of it, in the order of the classes")


class ClassDescribed(Value):
    """What is there of one class."""

    name: str
    images: int = Field(description="pictures of this class, or with any of it")
    share: float | None = Field(description="of all pixels; None where whole pictures have classes")


class SplitDescribed(Value):
    """A split as ``tinyseg train`` would make it, part by part, with its leaks."""

    by: Literal["patient", "image"]
    seed: int
    validation_share: float
    test_share: float
    own_test: bool = Field(description="whether the test part is the dataset's own")
    parts: list[PartDescribed]
    leaks: list[Leak]


class DescribeDocument(Document):
    """``tinyseg data describe --json``."""

    data: DataUsed
    sizes: dict[str, int] = Field(description="pictures of each size, WIDTHxHEIGHT")
    images_per_group: Quartiles
    classes: list[ClassDescribed]
    images_with_foreground: int | None = Field(description="None where whole pictures have classes")
    foreground_share: float | None = Field(
        description="of all pixels; None where whole pictures have classes"
    )
    areas: Quartiles | None = Field(description="pixels, of masks with foreground")
    contrast: Quartiles | None = Field(
        description="mean of the foreground over its surroundings, in the channel that a threshold "
        "looks at; pictures with at least 50 px of foreground"
    )
    noise: Quartiles | None = Field(
        description="grey levels, in the same channel, more than 14 px inside the head"
    )
    split: SplitDescribed | None = Field(description="None with fewer than three groups or images")


# --- evaluation.json --------------------------------------------------------------------------


class Estimate(Value):
    """A mean with its 95 % interval by bootstrap over groups; no interval for a single group."""

    mean: float
    ci95: tuple[float, float] | None


class ImageEstimate(Estimate):
    """A mean over images, with what an empty mask counts."""

    empty_rule: str


class Scores(Value):
    """One measure in its three meanings (``docs/measurements.md``)."""

    per_volume: Estimate | None = Field(description="None where groups are not volumes")
    per_image: ImageEstimate
    pooled: float


class ClassScores(Value):
    """Scores of one class."""

    name: str
    dice: Scores
    iou: Scores


class Evaluated(Document):
    """What was evaluated, of either task."""

    subject: str
    split: str
    data: str
    size: int
    images: int
    groups: int


class SegmentationEvaluation(Evaluated):
    """``evaluation.json`` and ``tinyseg evaluate --json`` of masks."""

    task: Literal["segmentation"] = "segmentation"
    threshold: float
    dice: Scores = Field(description="of several classes the mean")
    iou: Scores
    baselines: dict[str, Scores] = Field(description="Dice of each baseline")
    per_class: list[ClassScores]


class ClassRecognised(Value):
    """Scores of one class of whole pictures."""

    name: str
    images: int = Field(description="that show it")
    recall: float | None = Field(description="None of a class without images")
    precision: float | None = Field(description="None of a class that no image was taken for")
    f1: float | None


class ClassificationEvaluation(Evaluated):
    """``evaluation.json`` and ``tinyseg evaluate --json`` of whole pictures."""

    task: Literal["classification"] = "classification"
    top1: Estimate
    top5: Estimate
    macro_f1: float
    baselines: dict[str, float] = Field(description="top-1 of each baseline")
    per_class: list[ClassRecognised]


EvaluationRecord = SegmentationEvaluation | ClassificationEvaluation


# --- predict ------------------------------------------------------------------------------------


class PredictedPicture(Value):
    """One picture and what was written for it."""

    picture: str
    mask: str = Field(
        description="PNG of the picture's own size: 0 and 255, or of several classes the labels, "
        "as indices of a palette"
    )
    overlay: str | None
    foreground: float = Field(description="share of the picture's pixels, of whichever class")
    shares: dict[str, float] | None = Field(
        default=None, description="of each class in the picture's pixels, where there are several"
    )


class PredictDocument(Document):
    """``tinyseg predict --json`` of a network that segments."""

    subject: str
    classes: list[str] = Field(
        default=[], description="of the foreground; the n-th is label n where there are several"
    )
    threshold: float | None = Field(
        description="None where the most probable of several classes wins"
    )
    pictures: list[PredictedPicture]
    problems: list[Problem] = Field(description="pictures that could not be read")


class ClassProbability(Value):
    """How probable one class is."""

    label: str
    probability: float


class ClassifiedPicture(Value):
    """One picture and what it shows."""

    picture: str
    label: str = Field(description="the most probable class")
    probability: float
    top: list[ClassProbability] = Field(
        description="the most probable classes, at most five, the best first"
    )


class ClassifyDocument(Document):
    """``tinyseg predict --json`` of a network that classifies."""

    subject: str
    table: str | None = Field(description="a CSV, a row a picture; None where none could be read")
    pictures: list[ClassifiedPicture]
    problems: list[Problem] = Field(description="pictures that could not be read")


class TrainDocument(Document):
    """``tinyseg train --json``: how a training went, and its best weights on the test part."""

    run: str = Field(description="the run's folder")
    epochs: int
    stopped_early: bool
    seconds: float = Field(description="of all epochs, validation included")
    best: Best
    evaluation: EvaluationRecord


class ImportDocument(Document):
    """``tinyseg import --json``: the run that weights of other code became."""

    run: str = Field(description="the run's folder")
    network: str
    arguments: dict[str, Any]
    parameters: int
    preprocessing: Preprocessing
    imported: Imported


# --- count.json -------------------------------------------------------------------------------


class Macs(Value):
    """Multiply-accumulates; ``fvcore`` leaves out the scan's recurrence."""

    fvcore: int
    scan: int
    total: int


class Stage(Value):
    """One top-level part of a network."""

    name: str
    parameters: int
    macs: int


class Convention(Value):
    """What a network counts by one convention."""

    name: str = Field(description="with its formula in batch B, length L, channels D, states N")
    unit: Literal["MACs", "FLOPs"]
    value: int
    leaves_out: str


class CountRecord(Document):
    """``count.json`` and ``tinyseg count --json``."""

    network: str
    arguments: dict[str, Any]
    input: tuple[int, ...]
    parameters: int
    unused_parameters: int
    macs: Macs
    flops: int = Field(description="2 x macs.total")
    stages: list[Stage]
    uncounted: dict[str, int] = Field(description="operators that count as 0, with their calls")
    conventions: list[Convention] = Field(
        default=[], description="other publications' figures, to compare with; empty in old files"
    )


# --- artifacts --------------------------------------------------------------------------------


class Parity(Value):
    """How far an artifact's probabilities are from its network's, on the same pictures."""

    max_abs: float
    mean_abs: float
    flips: float = Field(description="share of labels that change")
    logits: float = Field(description="largest difference of a logit over the logits' range")
    snr_db: float | None = Field(
        default=None,
        description="power of the network's logits over that of the difference; None where there "
        "is no difference, and in old files",
    )
    images: int
    tolerance: float | None = Field(description="of max_abs; None where the SNR alone decides")
    least_snr_db: float | None = Field(default=None, description="None where max_abs decides")
    passed: bool


class _Kept(Value):
    passed: bool = Field(default=True, description="whether the drop is within the precision's")
    difference: float
    ci95: tuple[float, float] | None = Field(
        description="95 % interval of the paired difference, by bootstrap over groups"
    )
    images: int


class DiceKept(_Kept):
    """Dice of an artifact and of its run on the same pictures."""

    measure: Literal["per_volume", "per_image"]
    dice: float
    run_dice: float

    @property
    def scores(self) -> tuple[float, float]:
        """The artifact's and the run's."""
        return self.dice, self.run_dice


class TopKept(_Kept):
    """Top-1 of an artifact and of its run on the same pictures."""

    measure: Literal["top1"]
    top1: float
    run_top1: float

    @property
    def scores(self) -> tuple[float, float]:
        """The artifact's and the run's."""
        return self.top1, self.run_top1


Accuracy = DiceKept | TopKept


class StageSeen(Value):
    """One stage of a network, and what is nearest to its output inside an artifact."""

    name: str
    module: str = Field(description="its class")
    value: str | None = Field(description="of the file; None where none has as many numbers")
    difference: float | None = Field(description="largest, over the range of the stage's output")
    agrees: bool


class Explanation(Value):
    """``tinyseg export --explain``: where an artifact first differs from its network."""

    stages: list[StageSeen] = Field(
        default=[],
        description="in the order in which they run, the output last; empty where none can be seen",
    )
    first: str | None = Field(default=None, description="the first stage whose output differs")
    note: str


class ExportOptions(Value):
    """How an artifact was asked for; what a format does not know stays as it is here."""

    precision: Precision = "fp32"
    scan: Literal["portable"] | None = Field(
        default=None, description="portable: without control flow; None for the format's own"
    )
    opset: int | None = Field(default=None, description="None for the format's own")
    dynamic: bool = Field(default=False, description="batch, height and width are free")
    layout: Literal["nchw", "nhwc"] = "nchw"
    target: Literal["mcu"] | None = Field(default=None, description="mcu: microcontrollers")
    aot: bool = Field(default=False, description="compiled ahead of time for this machine")

    @property
    def variant(self) -> str:
        """What sets the file apart from the format's usual one, as its name has it."""
        parts = (
            self.target,
            self.precision if self.precision != "fp32" else None,
            self.scan,
            f"opset{self.opset}" if self.opset else None,
            "dynamic" if self.dynamic else None,
            self.layout if self.layout != "nchw" else None,
            "aot" if self.aot else None,
        )
        return "-".join(part for part in parts if part)


class Calibration(Value):
    """The pictures that ranges of activations were taken from: never test pictures."""

    source: str = Field(description="the data, and the part of it")
    images: int
    seed: int
    sha256: str = Field(description="of the network's inputs made of them")


class Arena(Value):
    """Working memory that TensorFlow Lite for Microcontrollers plans for a file.

    As its interpreter counts on a machine of 64 bits; where pointers have 32, the persistent part
    is smaller.
    """

    activations_bytes: int = Field(description="values of one inference, which share their places")
    persistent_bytes: int = Field(description="what the runtime keeps about tensors and operators")
    total_bytes: int


class ArtifactRecord(Value):
    """One exported file."""

    path: str
    format: str
    variant: str = Field(default="", description="what sets it apart from the format's usual file")
    precision: str
    bytes: int
    nodes: int
    seconds: float
    parity: Parity | None
    accuracy: Accuracy | None
    also: dict[str, Parity] = Field(
        default={}, description="parity in the format's second runtime, where that is installed"
    )
    explanation: Explanation | None = None
    arena: Arena | None = Field(default=None, description="of files for microcontrollers")

    @property
    def label(self) -> str:
        """Format and variant."""
        return "-".join(filter(None, (self.format, self.variant)))

    @property
    def passed(self) -> bool:
        """Whether it does what its network does, as far as it was compared."""
        parts = (self.parity, self.accuracy, *self.also.values())
        return all(part is None or part.passed for part in parts)


ExportStage = Literal["convert", "contents", "run", "parity", "accuracy"]


class FailureRecord(Document):
    """A format that could not be exported: ``artifacts/RUN.FORMAT.failure.json``.

    It goes when the same format succeeds.
    """

    run: str | None
    format: str
    variant: str = ""
    precision: str
    stage: ExportStage = Field(
        description="convert: no file came of it; contents: the file does not hold the precision "
        "that was asked for; run: its runtime did not run it; parity: it does not do what its "
        "network does; accuracy: it scores less"
    )
    reason: str = Field(description="one sentence")
    operator: str | None = Field(default=None, description="that the converter stopped at")
    module: str | None = Field(default=None, description="path in the network, where known")
    source: str | None = Field(default=None, description="file and line of it, where known")

    @property
    def label(self) -> str:
        """Format and variant."""
        return "-".join(filter(None, (self.format, self.variant)))

    versions: dict[str, str]
    created: str


class ExportDocument(Document):
    """``tinyseg export --json``."""

    artifacts: list[ArtifactRecord] = Field(description="those that failed parity included")
    failures: list[FailureRecord] = Field(default=[], description="of all stages, parity too")


class Foreseen(Value):
    """Something that would stop a conversion."""

    kind: Literal["unsupported", "unrolled", "traced", "operator"] = Field(
        description="unsupported: the exporter refuses the network; unrolled: a loop would be "
        "written out; traced: PyTorch cannot follow what it does; operator: the format has none "
        "for it"
    )
    reason: str
    operator: str | None = Field(default=None, description="PyTorch's name, after decompositions")
    module: str | None = Field(default=None, description="path in the network, where known")
    source: str | None = Field(default=None, description="file and line of it, where known")
    calls: int = Field(default=1, description="how often the same thing is met there")


class FormatForeseen(Value):
    """What would become of one format."""

    format: str
    passed: bool = Field(description="nothing stands in its way, as far as can be known before")
    operators: int | None = Field(
        description="of PyTorch, in one inference, a selective scan being one; None where they "
        "cannot be counted"
    )
    problems: list[Foreseen]


class PreflightDocument(Document):
    """``tinyseg export --preflight --json``: what would fail, before anything is converted."""

    subject: str
    formats: list[FormatForeseen]

    @property
    def passed(self) -> bool:
        """Whether nothing stands in the way of any format."""
        return all(each.passed for each in self.formats)


class MatrixCell(Value):
    """One network in one format and precision, as ``docs/export_matrix.py`` tried it."""

    network: str
    format: str
    precision: Precision
    passed: bool
    size: int = Field(description="side of its pictures")
    nodes: int | None = Field(description="None, as what follows, where no file came of it")
    bytes: int | None
    seconds: float | None
    max_abs: float | None
    snr_db: float | None
    stage: ExportStage | None = Field(description="where it failed; None of a refusal too")
    reason: str | None = Field(description="why it failed")


class MatrixDocument(Document):
    """``docs/export-matrix.json``: every network in every format and precision that was tried."""

    cells: list[MatrixCell] = []
    versions: dict[str, str] = {}


class ProofDocument(Document):
    """``tinyseg export --check --json``: what one file does beside its run."""

    path: str
    format: str
    precision: Precision = Field(description="that said what passes")
    runtime: str
    run: str = Field(description="or the network, where there is no run")
    bytes: int
    sha256: str
    described: bool = Field(description="whether the manifest beside it is this file's")
    passed: bool
    stage: ExportStage | None = Field(description="where it failed")
    reason: str | None = Field(description="why it failed")
    parity: Parity | None
    accuracy: Accuracy | None
    explanation: Explanation | None = None
    versions: dict[str, str]
    created: str


class Tensor(Value):
    """An input or output of an artifact."""

    name: str
    shape: list[int]
    dtype: Literal["float32", "int8"]
    layout: Literal["NCHW", "NHWC", "NC"]
    meaning: str
    scale: float | None = Field(default=None, description="real = scale * (integer - zero_point)")
    zero_point: int | None = None


class Contents(Value):
    """What somebody needs to know to run an artifact; also inside the file itself."""

    tinyseg: str
    task: Task = "segmentation"
    network: str
    arguments: dict[str, Any]
    run: str | None
    input: Tensor
    output: Tensor
    preprocessing: Preprocessing
    classes: list[str]
    threshold: float
    target: Literal["mcu"] | None = Field(
        default=None, description="mcu: to be run by TensorFlow Lite for Microcontrollers"
    )

    @property
    def picture_shape(self) -> tuple[int, int, int, int]:
        """Shape of the input as networks take it, (1, channels, height, width)."""
        first, *rest = self.input.shape
        height, width, channels = rest if self.input.layout == "NHWC" else [*rest[1:], rest[0]]
        return (first, channels, height, width)


class Manifest(Document):
    """The JSON beside an artifact."""

    artifact: ArtifactRecord
    sha256: str
    beside: dict[str, str] = Field(
        default={}, description="SHA-256 of the files that belong to it, by their ending"
    )
    contents: Contents
    options: ExportOptions = ExportOptions()
    scan: str
    opset: int | None
    holds: dict[str, int] = Field(
        default={}, description="bytes of weights by element type, read back from the file"
    )
    calibration: Calibration | None = None
    versions: dict[str, str]
    created: str


# --- profiles ---------------------------------------------------------------------------------


class Latency(Value):
    """Milliseconds an inference, after warm-up."""

    p50: float
    p90: float
    p95: float
    p99: float
    mean: float
    std: float
    p50_ci95: tuple[float, float]


class Memory(Value):
    """Three numbers, never one: the file, the arena a runtime plans, and the process's peak."""

    artifact_bytes: int
    arena_bytes: int | None
    baseline_bytes: int = Field(description="peak after importing the runtime")
    peak_bytes: int
    rise_bytes: int


class Noise(Value):
    """What speaks against a timing."""

    relative_iqr: float = Field(description="interquartile range over median")
    load_average: float | None = Field(description="of the last minute, before the measurement")
    reasons: list[str]


class ProfileRecord(Value):
    """One measurement on one device."""

    device: str
    runtime: str
    artifact: str
    precision: str
    threads: int
    batch: int
    input: list[int]
    latency_ms: Latency
    cold_start_ms: float = Field(description="loading the file and the first inference")
    throughput: float = Field(description="images a second at the median latency")
    memory: Memory
    energy_j: float | None
    trusted: bool
    noise: Noise
    machine: Machine
    samples_ms: list[float]
    versions: dict[str, str]


class ProfileDocument(Document):
    """``tinyseg profile --json`` and one file in ``profiles/``."""

    profiles: list[ProfileRecord]


# --- comparison -------------------------------------------------------------------------------


class CompareDocument(Document):
    """``tinyseg compare --json``: flat rows, whose keys are the columns' names."""

    rows: list[dict[str, Any]]


class PaperListed(Value):
    """A network's row in the paper's Table I, as printed."""

    parameters_m: float = Field(description="millions")
    dice: float = Field(description="pooled by batch, another measure than tinyseg's")
    remark: str | None = Field(default=None, description="what is wrong with a figure")
    remark_on: Literal["parameters_m", "dice"] | None = Field(
        default=None, description="which figure the remark is on; None means both"
    )


class NetworkListed(Value):
    """One network of ``tinyseg models``."""

    name: str
    task: str
    family: str
    parameters: int = Field(description="for three channels and that many classes")
    classes: int = Field(default=1, description="of the network, where nobody says")
    arguments: dict[str, Any] = Field(description="what --set takes, with what holds without it")
    paper: PaperListed | None
    note: str | None = Field(default=None, description="what is to be known of its parameters")


class ModelsDocument(Document):
    """``tinyseg models --json``: all networks, or the one that was named."""

    networks: list[NetworkListed]


# --- doctor -----------------------------------------------------------------------------------

FindingState = Literal["ok", "absent", "broken"]


class Finding(Value):
    """What ``tinyseg doctor`` found out about one part of the installation."""

    part: str
    state: FindingState = Field(description="broken is what is installed and does not work")
    version: str | None
    says: str = Field(description="in words, with the mend")


class DoctorDocument(Document):
    """``tinyseg doctor --json``: what is installed, what is missing, and how to get it."""

    findings: list[Finding]
    scan: dict[str, str] = Field(description="by device, the backend that 'auto' takes")
