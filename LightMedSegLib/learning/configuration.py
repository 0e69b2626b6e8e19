"""What one training run is: the sections of its TOML or JSON file as dataclasses.

The file is kept beside the weights, so a model can be trained again from it. Sections that end up in
the model card as they are (input, labels, licences, postprocessing) keep the card's own layout.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.records.limits import Limits
from LightMedSegLib.learning.prompting_section import PromptingSection
from LightMedSegLib.learning.synthesis_section import SynthesisSection
from LightMedSegLib.model.card import PROMPT_CHANNELS
from LightMedSegLib.storage.records import check_record, refused_as

Axis = Literal["z", "y", "x"]

AXES: tuple[Axis, ...] = ("z", "y", "x")

Positive = Annotated[float, Limits(exclusiveMinimum=0)]
PositiveInt = Annotated[int, Limits(minimum=1)]


@dataclass(frozen=True)
class CardText:
    """The words of the model card."""

    name: str
    version: str
    title: str
    description: str
    modality: str
    body_region: str
    intended_use: str
    limits: str


@dataclass(frozen=True)
class DataSection:
    """Where the cases come from; folder, cases and split are relative to the configuration file's folder."""

    layout: Literal["decathlon", "csv", "labelmaps"] = "decathlon"  # "labelmaps": a folder of them, for [synthesis]
    folder: str = ""  # may be given on the command line instead
    split: str = ""  # JSON file with the case names of "train", "validation" and "test"
    description: str = ""  # the training data in words, for the card


@dataclass(frozen=True)
class NetworkSection:
    """The network: one of ours by name, or a peer that the benchmarks compare with."""

    name: str = "lightmedseg"
    peer: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    deep_supervision: bool = True
    initial: str = ""  # folder of an earlier run or of a model whose weights this run starts from


@dataclass(frozen=True)
class AugmentationSection:
    """Ranges and probabilities; a probability is per sample of the batch. All lengths are in mm."""

    rotation_degrees: float = 20.0
    rotation_probability: float = 0.6
    rotation_axes: tuple[Axis, ...] = AXES  # axes about which a sample is turned; z alone keeps slices whole
    scaling: tuple[float, float] = (0.8, 1.25)
    scaling_probability: float = 0.5
    zoom_out_probability: float = 0.0  # samples that are scaled by zoom_out instead: as the model sees a preview
    zoom_out: tuple[float, float] = (0.45, 0.8)
    anisotropic_scaling: float = 0.1  # standard deviation of the log of each axis' own factor
    shear: float = 0.05
    translation_mm: float = 4.0
    elastic_probability: float = 0.4
    elastic_mm: float = 1.5  # standard deviation of the displacement along each axis
    elastic_grid_mm: float = 12.0  # distance of the control points
    mirror_axes: tuple[Axis, ...] = ()
    mirror_label_swaps: tuple[tuple[int, int], ...] = ()  # label pairs that change places when x is mirrored
    label_interpolation: Literal["linear", "nearest"] = "linear"
    foreground_probability: float = 0.5  # patches of larger volumes that are centred on a structure
    noise_probability: float = 0.3
    noise_sigma: float = 0.15
    blur_probability: float = 0.2
    blur_sigma_mm: tuple[float, float] = (0.4, 1.0)
    brightness_probability: float = 0.3
    brightness: tuple[float, float] = (0.75, 1.25)
    shift_sigma: float = 0.1
    contrast_probability: float = 0.3
    contrast: tuple[float, float] = (0.65, 1.5)
    low_resolution_probability: float = 0.2
    low_resolution_factor: tuple[float, float] = (1.0, 2.0)
    gamma_probability: float = 0.3
    gamma: tuple[float, float] = (0.7, 1.5)
    gamma_inverted_probability: float = 0.1
    sign_inversion_probability: float = 0.0
    bias_field_probability: float = 0.2
    bias_field_sigma: float = 0.2  # standard deviation of the log of the field
    bias_field_grid_mm: float = 40.0


@dataclass(frozen=True)
class LossSection:
    """Weights of the terms; class_weights holds one number per class, background first (empty: all one)."""

    dice: float = 1.0
    cross_entropy: float = 1.0
    boundary: float = 0.5
    class_weights: tuple[float, ...] = ()
    batch_dice: bool = True
    dice_background: bool = False
    deep_supervision_weights: tuple[float, ...] = (1.0, 0.5, 0.25, 0.125)


@dataclass(frozen=True)
class OptimizerSection:
    """AdamW and its schedule. With budget_seconds the schedule ends at that time, if steps have not ended it."""

    learning_rate: Positive = 2e-3
    minimum_learning_rate: float = 1e-6
    weight_decay: float = 1e-2
    warmup_steps: int = 100
    schedule: Literal["cosine", "polynomial"] = "cosine"
    polynomial_power: float = 0.9
    steps: PositiveInt = 3000
    batch: PositiveInt = 16
    gradient_clip: float = 1.0
    budget_seconds: float = 0.0


@dataclass(frozen=True)
class AveragingSection:
    """Exponential moving average of the weights; select names the weights that are packaged."""

    decay: Annotated[float, Limits(minimum=0, exclusiveMaximum=1)] = 0.998
    select: Literal["best", "last"] = "best"  # by validation Dice


@dataclass(frozen=True)
class DistillationSection:
    """Earlier runs' output folders whose averaged predictions the network also learns from.

    mirror_axes: the teachers' predictions are averaged over mirror images along these, so that a network learns
    what test-time mirroring gives.
    """

    teachers: tuple[str, ...] = ()
    mirror_axes: Annotated[tuple[Axis, ...], Limits(uniqueItems=True)] = ()
    weight: float = 1.0
    temperature: Positive = 2.0


@dataclass(frozen=True)
class RunSection:
    """How the run is executed."""

    seed: int = 2026
    precision: Literal["bf16", "float32"] = "bf16"  # on CUDA; "float32" everywhere else
    cuda_graph: bool = True  # on one CUDA device: records the step, and making a batch, once and replays them
    # With cuda_graph: joins kernels, which takes a minute or two; "auto": where it pays.
    compile: Literal["auto", True, False] = "auto"
    prefetch: bool = False  # on CUDA: makes the next batch while the network trains on the present one
    recoveries: int = 3  # how often a run that diverges goes back to its last good weights before it gives up
    channels_last: bool = False
    log_interval: PositiveInt = 50
    validation_interval: PositiveInt = 250
    checkpoint_interval: PositiveInt = 1000


@dataclass(frozen=True)
class TrainingConfiguration:
    """One training run, as its file describes it."""

    card: CardText
    input: dict[str, Any]
    labels: tuple[dict[str, Any], ...]
    licenses: dict[str, str]
    data: DataSection = field(default_factory=DataSection)
    network: NetworkSection = field(default_factory=NetworkSection)
    augmentation: AugmentationSection = field(default_factory=AugmentationSection)
    synthesis: SynthesisSection = field(default_factory=SynthesisSection)
    prompting: PromptingSection = field(default_factory=PromptingSection)
    loss: LossSection = field(default_factory=LossSection)
    optimizer: OptimizerSection = field(default_factory=OptimizerSection)
    averaging: AveragingSection = field(default_factory=AveragingSection)
    distillation: DistillationSection = field(default_factory=DistillationSection)
    run: RunSection = field(default_factory=RunSection)
    postprocessing: tuple[dict[str, Any], ...] = ()
    test_time_mirroring: tuple[Axis, ...] = ()
    removed_with_skull: tuple[int, ...] = ()  # labels that the model does not look for in a scan without the skull

    def __post_init__(self) -> None:
        with refused_as(TrainingDataError, "The training configuration"):
            check_record(self)
        self._check_labels()
        self._check_input()
        self._check_label_settings()
        self._check_synthesis()

    @property
    def num_classes(self) -> int:
        """Background and one class per label."""
        return len(self.labels) + 1

    @property
    def in_channels(self) -> int:
        """Channels that the network reads: those of the volume, and with [prompting] those of the prompts."""
        return len(self.input["channels"]) + (PROMPT_CHANNELS if self.prompting.active else 0)

    @property
    def patch(self) -> tuple[int, int, int]:
        """Size (z, y, x) of what the network sees in training."""
        z, y, x = self.input["patch"]
        return int(z), int(y), int(x)

    @property
    def spacing_zyx(self) -> tuple[float, float, float]:
        """Voxel size of the model grid in mm, slowest axis first."""
        x, y, z = self.input["spacing_mm"]
        return float(z), float(y), float(x)

    def _check_labels(self) -> None:
        values = [label.get("value") for label in self.labels]
        if not values or values != list(range(1, len(values) + 1)):
            raise TrainingDataError(
                f"The label values of the training configuration must be 1, 2, 3 ... in this order, not {values}."
            )

    def _check_input(self) -> None:
        missing = {"channels", "spacing_mm", "orientation", "patch"} - self.input.keys()
        if missing:
            raise TrainingDataError(f"The [input] section of the training configuration lacks {sorted(missing)}.")
        for key in ("patch", "spacing_mm"):
            if len(self.input[key]) != 3 or any(number <= 0 for number in self.input[key]):
                raise TrainingDataError(f"input.{key} must be three positive numbers, not {self.input[key]}.")

    def _check_label_settings(self) -> None:
        swapped = [value for pair in self.augmentation.mirror_label_swaps for value in pair]
        if len(set(swapped)) != len(swapped) or not set(swapped) <= set(range(1, self.num_classes)):
            raise TrainingDataError("augmentation.mirror_label_swaps must name each label at most once.")
        weights = self.loss.class_weights
        if weights and len(weights) != self.num_classes:
            raise TrainingDataError(
                f"loss.class_weights needs {self.num_classes} numbers (background first), not {len(weights)}."
            )

    def _check_synthesis(self) -> None:
        layouts = ("labelmaps",) if self.synthesis.active else ("decathlon", "csv")
        if self.data.layout not in layouts:
            raise TrainingDataError(
                f"data.layout must be one of {', '.join(layouts)}, not {self.data.layout!r}; "
                "labelmaps go with the label_ids of [synthesis]."
            )
        if not self.synthesis.active:
            return
        if len(self.synthesis.label_ids) != len(self.labels):
            raise TrainingDataError(
                f"synthesis.label_ids needs one id for each of the {len(self.labels)} labels, "
                f"not {len(self.synthesis.label_ids)}."
            )
        kinds = [channel["normalization"].get("kind") for channel in self.input["channels"]]
        if kinds != ["zscore"]:
            raise TrainingDataError("Synthesis makes one channel, normalised by zscore; change input.channels.")
