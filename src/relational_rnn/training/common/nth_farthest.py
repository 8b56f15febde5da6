"""Nth farthest as a training stream: the settings of a run, the growing task, its examples step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from relational_rnn.config.checks import check_bool, check_choice, check_number, check_size
from relational_rnn.tasks.nth_farthest import NthFarthest, NthFarthestBatch, sample, trivial_accuracy
from relational_rnn.training.common.core_settings import INITIALISATIONS, LABELS, ModelSettings

MODELS = tuple(LABELS)
"""The models that a run can train."""

COMPUTE_DTYPES = ("float32", "bfloat16")
"""What the RMC's products can be made in."""

GROWN = ("all", "objects-dimensions", "objects", "dimensions")
"""What of the task can grow. With "all" the labels come in with the objects, else all N are in play from the
start. They cannot grow alone: N objects carry N labels."""

DEVICES = ("cpu", "cuda")
"""Where a run can train."""

OPTIMISERS = ("adam", "soap")
"""What a run can train with."""

STARTS = {
    "lstm": ("orthogonal", "torch"),
    "gru": ("torch", "orthogonal"),
    "transformer": ("authors", "torch"),
    "dnc": ("authors", "torch"),
    "hybrid": ("xavier", "torch"),
}
"""What an opponent's core can start with, its usual one first; "torch" are torch's own initial values."""

OWN: dict[str, type] = {
    "learning_rate": float,
    "optimiser": str,
    "warmup_steps": int,
    "clip_norm": float,
    "initialisation": str,
}
"""What a model can have for itself."""

PORT_FAULTS = ("none", "tied-mlp", "final-relu", "joint-norm", "double-softmax", "all")
"""What the public PyTorch ports do otherwise than the authors' code: see `nn.variant`; and the loss of their
script takes the softmax of a softmax."""

LAYER_NORM_PLACEMENTS = ("authors", "post", "pre", "qkv")
"""Where the core's layer norms can be."""


@dataclass(frozen=True, kw_only=True)
class NthFarthestSettings(ModelSettings):
    """Everything that a run of Nth farthest depends on; one field, one flag of the command.

    Raises:
        TypeError: a size is no integer, a share no number.
        ValueError: a value out of range, an unknown model, a growth threshold below the trivial score.
    """

    models: tuple[str, ...] = ("rmc", "lstm")
    """Which models to train."""
    seeds: int = 1
    """How many seeds in a row; each is a training of every model, on every way to the task."""
    objects: int = 8
    """N, vectors in a sequence of the evaluated task."""
    dimensions: int = 16
    """Dimensions of a vector of the evaluated task."""

    grow: bool = True
    """Train the RMC on a task that grows to the evaluated one; False trains it directly."""
    grown: str = "all"
    """What of it grows: "all" (labels too), "objects-dimensions", "objects" or "dimensions"."""
    first_objects: int = 3
    """Objects at the start."""
    first_dimensions: int = 2
    """Dimensions at the start."""
    growth_threshold: float = 0.75
    """Moving average of the training accuracy at which the task grows."""
    smaller_share: float = 0.0
    """Share of the batches whose objects are drawn from 2 up to the stage's own number."""

    direct: bool = True
    """Train each opponent a second time, directly on the evaluated task; False leaves that out."""

    steps: int = 10_000
    """Training steps of the RMC; opponents beside it have at least as many, and at least its wall time."""
    seconds: float = 3600.0
    """Most wall time for the RMC's training; the learning rate comes down in time for it."""
    batch_size: int = 512
    """Examples in a step."""
    optimiser: str = "adam"
    """Optimiser of all models: "adam", or "soap": Adam in the eigenbasis of Shampoo's preconditioner (Vyas et
    al. 2024; needs pytorch_optimizer)."""
    learning_rate: float = 2e-3
    """Peak of the learning rate."""
    warmup_steps: int = 500
    """Steps of linear warm-up."""
    final_share: float = 0.02
    """The last learning rate as a share of the peak; a half cosine leads there."""
    clip_norm: float = 1.0
    """Largest norm of the gradient of all parameters together."""
    average_decay: float = 0.0
    """Decay of the moving average of the weights, which is then what is scored and kept; 0 for the weights
    themselves."""

    own: tuple[str, ...] = ()
    """What a model has for itself, each as MODEL.SETTING=VALUE (lstm.learning_rate=1e-3): learning_rate,
    optimiser, warmup_steps, clip_norm, and initialisation, which is "torch" or "orthogonal" for lstm and gru,
    "authors" or "torch" for the others ("xavier" or "torch" for hybrid)."""

    mem_slots: int = 8
    """RMC and hybrid: memory slots."""
    head_layers: int = 2
    """All models: hidden layers of the head on the last output."""
    compute_dtype: str = "float32"
    """RMC: dtype of its matrix products, "float32" or "bfloat16"; everything else is float32."""

    device: str = "cpu"
    """Where all models train: "cpu", or "cuda" for an NVIDIA GPU, which trains one after the other unless
    `workers` says more."""

    port_fault: str = "none"
    """RMC: a fault of the public PyTorch ports to train with: "none", "tied-mlp", "final-relu", "joint-norm",
    "double-softmax" or "all"."""
    layer_norm_placement: str = "authors"
    """RMC: where its layer norms are: "authors" (on queries, keys and values together, and after each
    residual sum), "post" (after each sum alone), "pre" (on what goes into attention and into the MLP) or
    "qkv" (on queries, keys and values alone)."""

    test_examples: int = 10_000
    """Fresh examples of the full task for the final score."""
    validation_examples: int = 2_000
    """Examples of the full task behind the curves."""
    evaluations: int = 60
    """How many points the curves have, evenly over the budget, whether steps or seconds end it."""

    def __post_init__(self) -> None:
        """Check every field."""
        if not self.models or len(set(self.models)) != len(self.models):
            raise ValueError(
                f"models must name each model once, from {', '.join(MODELS)}; got {self.models!r}"
            )
        for model in self.models:
            check_choice("models", model, MODELS)
        self.check_models()
        for name in ("steps", "batch_size", "seeds", "test_examples", "validation_examples", "evaluations"):
            check_size(name, getattr(self, name))
        for name in ("seed", "warmup_steps"):
            check_size(name, getattr(self, name), minimum=0)
        check_bool("grow", self.grow)
        check_bool("direct", self.direct)
        check_choice("grown", self.grown, GROWN)
        check_choice("compute_dtype", self.compute_dtype, COMPUTE_DTYPES)
        check_choice("optimiser", self.optimiser, OPTIMISERS)
        check_choice("device", self.device, DEVICES)
        if (
            check_choice("port_fault", self.port_fault, PORT_FAULTS) != "none"
            and self.compute_dtype != "float32"
        ):
            raise ValueError(f"port_fault needs compute_dtype 'float32', got {self.compute_dtype!r}")
        placement = check_choice("layer_norm_placement", self.layer_norm_placement, LAYER_NORM_PLACEMENTS)
        if placement != "authors" and (self.compute_dtype != "float32" or not self.use_layer_norm):
            raise ValueError(
                f"layer_norm_placement {placement!r} needs compute_dtype 'float32' and use_layer_norm, "
                f"got {self.compute_dtype!r} and {self.use_layer_norm}"
            )
        for name in ("seconds", "learning_rate", "clip_norm"):
            if check_number(name, getattr(self, name)) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("final_share", "smaller_share", "growth_threshold"):
            check_number(name, getattr(self, name), 0.0, 1.0)
        if not 0 <= check_number("average_decay", self.average_decay) < 1:
            raise ValueError(f"average_decay must be from 0 to below 1, got {self.average_decay}")
        task = self.task
        first_objects = check_size("first_objects", self.first_objects, minimum=2)
        if self.grow and first_objects > task.objects:
            raise ValueError(
                f"first_objects must be at most objects = {task.objects} (or grow must be off), "
                f"got {first_objects}"
            )
        first_dimensions = check_size("first_dimensions", self.first_dimensions)
        if self.grow and first_dimensions > task.dimensions:
            raise ValueError(
                f"first_dimensions must be at most dimensions = {task.dimensions} (or grow must be off), "
                f"got {first_dimensions}"
            )
        hardest = max(first_objects, 3)  # with 2 objects there is no trivial score below 100 %
        if self.grow and self.growth_threshold <= trivial_accuracy(hardest):
            raise ValueError(
                f"growth_threshold must lie above the trivial score 2/{hardest} = "
                f"{trivial_accuracy(hardest):.3f} at {hardest} objects, got {self.growth_threshold}"
            )

        if not all(isinstance(word, str) for word in self.own):
            raise TypeError(f"own must hold texts such as 'lstm.learning_rate=1e-3', got {self.own!r}")
        for model in dict.fromkeys(word.partition(".")[0] for word in self.own):
            if model not in self.models:
                raise ValueError(
                    f"own must name models of this run, {', '.join(self.models)}, as in "
                    f"{self.models[0]}.learning_rate=1e-3; got {self.own!r}"
                )
            self.of(model)

    @property
    def at_once(self) -> int:
        """How many trainings run at the same time."""
        return 1 if self.device == "cuda" and self.workers is None else super().at_once

    def own_values(self, model: str) -> dict[str, Any]:
        """Return what a model has for itself, by name.

        Raises:
            ValueError: one is no setting that a model can have, is not of its type, or comes twice.

        Example:
            >>> NthFarthestSettings(own=("lstm.learning_rate=1e-3",)).own_values("lstm")
            {'learning_rate': 0.001}
        """
        values: dict[str, Any] = {}
        for word in self.own:
            owner, _, rest = word.partition(".")
            name, _, value = rest.partition("=")
            if owner != model:
                continue
            check_choice(f"the setting of {word!r} in own", name, tuple(OWN))
            if name in values:
                raise ValueError(f"own names {model}.{name} twice: {self.own!r}")
            try:
                values[name] = OWN[name](value)
            except ValueError:
                kind = "an integer" if OWN[name] is int else "a number"
                raise ValueError(f"{word!r} in own must give {kind}") from None
            if name == "initialisation":
                check_choice(f"{model}.initialisation in own", value, STARTS.get(model, INITIALISATIONS))
        return values

    def of(self, model: str) -> NthFarthestSettings:
        """Return the settings of one model's training, with what it has for itself.

        Raises:
            ValueError: see `own_values`; or a value is out of range.
        """
        values = self.own_values(model)
        if model != "rmc":
            values.pop("initialisation", None)  # an opponent's is its contestant's
        try:
            return dataclasses.replace(self, own=(), **values)
        except ValueError as error:
            raise ValueError(f"own of {model}: {error}") from None

    def starts(self, model: str) -> tuple[str, ...]:
        """Return what an opponent's core starts with, a training for each.

        Example:
            >>> NthFarthestSettings().starts("lstm")
            ('orthogonal', 'torch')
        """
        own = self.own_values(model).get("initialisation")
        return (own,) if own else STARTS[model] if model == "lstm" else STARTS[model][:1]

    def own_kinds(self) -> dict[str, type]:
        """Return what the models of the run can have for themselves: MODEL.SETTING -> type of a value."""
        return {f"{model}.{name}": kind for model in self.models for name, kind in OWN.items()}

    def own_value(self, setting: str) -> Any:
        """Return what a model trains with: its own value, or the run's, or what it usually starts with.

        Args:
            setting: one of `own_kinds`.

        Example:
            >>> NthFarthestSettings(own=("lstm.clip_norm=2.0",)).own_value("lstm.clip_norm")
            2.0
        """
        model, _, name = setting.partition(".")
        if name == "initialisation" and model != "rmc":
            return " and ".join(self.starts(model))
        return getattr(self.of(model), name)

    def with_own(self, values: Mapping[str, Any]) -> NthFarthestSettings:
        """Return settings in which models have these values for themselves, where they had others.

        Args:
            values: by MODEL.SETTING.

        Raises:
            ValueError: see `own_values`.

        Example:
            >>> NthFarthestSettings(learning_rate=2e-3).with_own({"rmc.learning_rate": 2e-3}).own
            ()
            >>> NthFarthestSettings(learning_rate=2e-3).with_own({"rmc.learning_rate": 1e-3}).own
            ('rmc.learning_rate=0.001',)
        """
        changed = {name: value for name, value in values.items() if value != self.own_value(name)}
        kept = [word for word in self.own if word.partition("=")[0] not in changed]
        return dataclasses.replace(self, own=(*kept, *(f"{name}={value}" for name, value in changed.items())))

    def has_fault(self, fault: str) -> bool:
        """Return whether the RMC is trained with one of `PORT_FAULTS`."""
        return self.port_fault in (fault, "all")

    @property
    def task(self) -> NthFarthest:
        """The evaluated task."""
        return NthFarthest(objects=self.objects, dimensions=self.dimensions)

    @property
    def title(self) -> str:
        """The evaluated task in words, as figures and tables have it above them."""
        return f"Nth farthest, {self.objects} vectors of {self.dimensions} dimensions"


def settings_from(values: dict[str, Any]) -> NthFarthestSettings:
    """Turn what a JSON file holds back into settings."""
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return NthFarthestSettings(**plain)


class Change(NamedTuple):
    """The task has this size from this step on."""

    step: int
    """0-based."""
    objects: int
    dimensions: int


class Growth:
    """The size of the task over a training: found by watching the accuracy, or replayed.

    Starting small gets a model over the plateau of the trivial score within a minute: first the dimensions
    are doubled up to the full task's, then objects are added one by one, each time a moving average of the
    training accuracy passes the threshold.

    Args:
        settings: of the run.
        replay: the changes that another model found; None watches and finds its own.

    Example:
        >>> growth = Growth(NthFarthestSettings(objects=4, dimensions=4))
        >>> growth.changes
        [Change(step=0, objects=3, dimensions=2)]
    """

    SMOOTHING = 0.02

    def __init__(self, settings: NthFarthestSettings, replay: Sequence[Change] | None = None) -> None:
        self._settings = settings
        self._task = settings.task
        self._watching = replay is None
        first = Change(
            0,
            settings.objects if settings.grown == "dimensions" else settings.first_objects,
            settings.dimensions if settings.grown == "objects" else settings.first_dimensions,
        )
        self.changes = [first] if replay is None else [Change(*change) for change in replay]
        self._mean = 0.0

    @classmethod
    def none(cls, settings: NthFarthestSettings) -> Growth:
        """The full task from the first step on."""
        return cls(settings, [Change(0, settings.objects, settings.dimensions)])

    def at(self, step: int) -> Change:
        """Return the stage that a step belongs to."""
        return next(change for change in reversed(self.changes) if change.step <= step)

    def observe(self, step: int, objects: int, accuracy: float) -> None:
        """Take note of a step's training accuracy and grow from the next step on if it is time."""
        stage = self.at(step)
        if not self._watching or objects != stage.objects or self.finished:
            return
        self._mean += self.SMOOTHING * (accuracy - self._mean)
        if self._mean <= self._settings.growth_threshold:
            return
        self._mean = 0.0
        if stage.dimensions < self._task.dimensions:
            wider = min(2 * stage.dimensions, self._task.dimensions)
            self.changes.append(Change(step + 1, stage.objects, wider))
        else:
            self.changes.append(Change(step + 1, stage.objects + 1, stage.dimensions))

    @property
    def finished(self) -> bool:
        """Whether the last change leads to the full task."""
        return self.changes[-1][1:] == (self._task.objects, self._task.dimensions)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"changes": [list(change) for change in self.changes], "mean": self._mean}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a checkpoint's `state`."""
        self.changes = [Change(*change) for change in state["changes"]]
        self._mean = state["mean"]


TRAINING, VALIDATION, TEST, PICTURE, FRESH, LONGER = range(6)
"""Second word of a generator's seed: the streams never share examples."""


def training_batch(settings: NthFarthestSettings, growth: Growth, step: int) -> NthFarthestBatch:
    """Make the batch of a step.

    It depends on the seed, the step and the stage alone, so every model that replays the same changes
    sees the same examples, and a resumed run goes on with the examples it would have seen.
    """
    generator = np.random.default_rng([settings.seed, TRAINING, step])
    stage = growth.at(step)
    objects = stage.objects
    if generator.random() < settings.smaller_share:
        objects = int(generator.integers(2, stage.objects + 1))
    return sample(
        settings.task,
        settings.batch_size,
        generator,
        objects=objects,
        dimensions=stage.dimensions,
        labels=None if settings.grown == "all" else settings.objects,
    )


def held_out_batch(settings: NthFarthestSettings, examples: int, split: int) -> NthFarthestBatch:
    """Make examples of the full task that no training sees; `split` is VALIDATION or TEST."""
    return sample(settings.task, examples, np.random.default_rng([settings.seed, split]))


AVERAGED = (
    *("test_accuracy", "seconds", "steps", "examples"),
    *("seconds_per_example", "peak_memory", "examples_to_converge"),
)
"""Scores of a training whose means over the seeds are a model's."""


def model_results(scores: Sequence[dict[str, Any]], seeds: int) -> dict[str, Any]:
    """Put a model's trainings together, its best way to the task in front.

    Args:
        scores: of its trainings, the same ways in the same order seed by seed.
        seeds: how many these are.

    Returns:
        Its entry in results.json: what its best training came to (with several seeds the best way's means in
        place of some numbers, and the rest of the seed that did best), `counting`: the names of the trainings
        of that way, and `trainings`: all.
    """
    count = len(scores) // seeds
    ways = [scores[way::count] for way in range(count)]
    best = max(ways, key=lambda way: sum(score["test_accuracy"] for score in way))
    known = [name for name in AVERAGED if all(name in score for score in best)]  # older scores have fewer
    means = {name: sum(score[name] for score in best) / len(best) for name in known}
    front = max(best, key=lambda score: score["test_accuracy"])
    return {
        **front,
        **(means if seeds > 1 else {}),
        "counting": [score["name"] for score in best],
        "trainings": list(scores),
    }
