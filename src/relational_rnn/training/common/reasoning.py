"""The settings of a run on a reasoning task, and its trainings: every model with every seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from relational_rnn.spec.checks import check_choice, check_number, check_size
from relational_rnn.spec.core import GATE_STYLES
from relational_rnn.tasks import ReasoningData, generate_reasoning_data

MODELS = ("rmc", "hybrid", "lstm")
"""The models that a run can train; the first sets the number of parameters for the others."""

LABELS = {"rmc": "RMC", "hybrid": "hybrid", "lstm": "LSTM"}
"""What people read."""

FRAMEWORKS = ("numpy",)

Task = TypeVar("Task")


@dataclass(frozen=True, kw_only=True)
class ReasoningSettings(Generic[Task]):
    """Everything that a run of a reasoning task depends on; one field, one flag of the command.

    All models have the same examples, batches, steps, learning rates, clipping and head.

    Raises:
        TypeError: a size is no integer, a share no number.
        ValueError: a value out of range, or an unknown model.
    """

    task: Task
    """Sizes of the task."""
    models: tuple[str, ...] = MODELS
    """Which models to train."""
    framework: str = "numpy"
    """What trains them."""
    seed: int = 0
    """The first seed. A seed decides examples, their order and initial values."""
    seeds: int = 3
    """How many seeds in a row; each is a training of every model."""

    train_examples: int = 50_000
    """Examples to learn from."""
    validation_examples: int = 1_000
    """Examples behind the curves, by which the best parameters are chosen."""
    test_examples: int = 5_000
    """Examples for the final scores, and as many of the harder sizes."""

    steps: int = 2_000
    """Training steps."""
    batch_size: int = 64
    """Examples in a step."""
    learning_rate: float = 2e-3
    """Peak of the learning rate (Adam)."""
    warmup_steps: int = 100
    """Steps of linear warm-up."""
    final_share: float = 0.02
    """The last learning rate as a share of the peak; a half cosine leads there."""
    clip_norm: float = 1.0
    """Largest norm of the gradient of all parameters together."""
    evaluate_every: int = 100
    """Steps between two points of the curves."""
    patience: int | None = None
    """End a training after so many points without a new best; None for never."""

    mem_slots: int = 4
    """RMC and hybrid: memory slots."""
    head_size: int = 16
    """RMC and hybrid: features of a slot for each head."""
    num_heads: int = 4
    """RMC and hybrid: attention heads."""
    gate_style: str = "unit"
    """RMC: "unit", "memory" or "none"."""
    hybrid_hidden_size: int | None = None
    """Hybrid: features of its LSTM; None takes the smallest with at least the RMC's parameters."""
    lstm_hidden_size: int | None = None
    """LSTM: features; None takes the smallest with at least the RMC's parameters."""
    workers: int | None = None
    """Trainings that run at the same time, each on one thread; None takes the processor's cores."""

    def __post_init__(self) -> None:
        """Check every field."""
        if not self.models or len(set(self.models)) != len(self.models):
            raise ValueError(
                f"models must name each model once, from {', '.join(MODELS)}; got {self.models!r}"
            )
        for model in self.models:
            check_choice("models", model, MODELS)
        check_choice("framework", self.framework, FRAMEWORKS)
        check_choice("gate_style", self.gate_style, GATE_STYLES)
        for name in ("seeds", "train_examples", "validation_examples", "test_examples", "steps"):
            check_size(name, getattr(self, name))
        for name in ("batch_size", "evaluate_every", "mem_slots", "head_size", "num_heads"):
            check_size(name, getattr(self, name))
        for name in ("seed", "warmup_steps"):
            check_size(name, getattr(self, name), minimum=0)
        for name in ("patience", "hybrid_hidden_size", "lstm_hidden_size", "workers"):
            if getattr(self, name) is not None:
                check_size(name, getattr(self, name))
        for name in ("learning_rate", "clip_norm"):
            if check_number(name, getattr(self, name)) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        check_number("final_share", self.final_share, 0.0, 1.0)
        if self.batch_size > self.train_examples:
            raise ValueError(
                f"batch_size must be at most train_examples = {self.train_examples}, got {self.batch_size}"
            )


class Contestant(NamedTuple):
    """One training of a run."""

    model: str
    """One of `MODELS`."""
    seed: int

    @property
    def name(self) -> str:
        """Names its files and its records."""
        return f"{self.model}-{self.seed}"

    @property
    def label(self) -> str:
        """What people read."""
        return f"{LABELS[self.model]}, seed {self.seed}"


def contestants(settings: ReasoningSettings[Any]) -> list[Contestant]:
    """Return the trainings of a run: for each seed every model.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> settings = ReasoningSettings(task=Sorting(), models=("rmc", "lstm"), seed=5, seeds=2)
        >>> [contestant.name for contestant in contestants(settings)]
        ['rmc-5', 'lstm-5', 'rmc-6', 'lstm-6']
    """
    seeds = range(settings.seed, settings.seed + settings.seeds)
    return [Contestant(model, seed) for seed in seeds for model in settings.models]


def reasoning_data(name: str, settings: ReasoningSettings[Any], seed: int) -> ReasoningData:
    """Draw the examples of a seed, the same for all models.

    Args:
        name: of the task.
        settings: of the run.
        seed: of the training.
    """
    return generate_reasoning_data(
        name,
        train=settings.train_examples,
        validation=settings.validation_examples,
        test=settings.test_examples,
        harder=settings.test_examples,
        seed=seed,
        sizes=asdict(settings.task),
    )


def held_out_data(name: str, settings: ReasoningSettings[Any], seed: int) -> ReasoningData:
    """Draw the examples of a seed to score: as `reasoning_data`, with hardly any to learn from."""
    return reasoning_data(name, replace(settings, train_examples=settings.batch_size), seed)


def trivial_scores(metadata: dict[str, Any]) -> dict[str, dict[str, float | None]]:
    """Return chance, majority and shortcut for the test and the harder split, from a task's metadata."""
    names = ("chance", "majority", "shortcut")
    return {
        "test": {name: metadata[name] for name in names},
        "harder": {name: metadata[f"harder_{name}"] for name in names},
    }


def examples_to_reach(history: list[dict[str, Any]], share: float) -> int:
    """Return after how many examples a training first had `share` of its best validation accuracy.

    Args:
        history: records of evaluations with `examples` and `validation_accuracy`, in order.
        share: 0..1.

    Example:
        >>> points = [(100, 0.2), (200, 0.85), (300, 0.9), (400, 0.8)]
        >>> history = [{"examples": n, "validation_accuracy": accuracy} for n, accuracy in points]
        >>> examples_to_reach(history, share=0.9)
        200
    """
    wanted = share * max(record["validation_accuracy"] for record in history)
    return int(next(r["examples"] for r in history if r["validation_accuracy"] >= wanted))
