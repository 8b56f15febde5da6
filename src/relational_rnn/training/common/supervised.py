"""The settings of a run on a supervised task, its trainings, and their examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np

from relational_rnn.config.checks import check_choice, check_number, check_size
from relational_rnn.reference.training import Examples
from relational_rnn.tasks import ReasoningData, find_task, generate_reasoning_data, programs
from relational_rnn.tasks.babi.task import Babi, StoryExamples, read
from relational_rnn.tasks.programs.curriculum import WITH_LEVELS
from relational_rnn.tasks.reasoning import REASONING_TASKS
from relational_rnn.training.common.core_settings import LABELS, ModelSettings
from relational_rnn.training.common.fit import Record, Shuffled
from relational_rnn.training.common.story_batches import StoryBatches

FRAMEWORKS: Final = {"numpy": ("rmc", "hybrid", "lstm"), "torch": tuple(LABELS)}
"""What trains, and the models that it has."""

Task = TypeVar("Task")


@dataclass(frozen=True, kw_only=True)
class SupervisedSettings(ModelSettings, Generic[Task]):
    """Everything that a run of a supervised task depends on; one field, one flag of the command.

    All models have the same examples, batches, steps, learning rates, clipping and head.

    Raises:
        TypeError: a size is no integer, a share no number.
        ValueError: a value out of range, an unknown model, or one that the framework does not have.
    """

    task: Task
    """Sizes of the task."""
    models: tuple[str, ...] = FRAMEWORKS["numpy"]
    """Which models to train."""
    framework: str = "numpy"
    """What trains them: "numpy" or "torch"."""
    seeds: int = 3
    """How many seeds in a row; each is a training of every model."""

    train_examples: int | None = 50_000
    """Examples to learn from; None for fresh ones at every step."""
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

    def __post_init__(self) -> None:
        """Check every field."""
        check_choice("framework", self.framework, FRAMEWORKS)
        known = FRAMEWORKS[self.framework]
        if not self.models or len(set(self.models)) != len(self.models):
            raise ValueError(
                f"models must name each model once, from {', '.join(known)}; got {self.models!r}"
            )
        for model in self.models:
            check_choice("models", model, LABELS)
            if model not in known:
                raise ValueError(
                    f"framework={self.framework!r} has the models {', '.join(known)}; got {model!r}"
                )
        self.check_models()
        for name in ("seeds", "validation_examples", "test_examples", "steps", "batch_size"):
            check_size(name, getattr(self, name))
        check_size("evaluate_every", self.evaluate_every)
        for name in ("seed", "warmup_steps"):
            check_size(name, getattr(self, name), minimum=0)
        for name in ("patience", "train_examples"):
            if getattr(self, name) is not None:
                check_size(name, getattr(self, name))
        for name in ("learning_rate", "clip_norm"):
            if check_number(name, getattr(self, name)) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        check_number("final_share", self.final_share, 0.0, 1.0)
        if self.framework == "numpy" and self.initialisation != "authors":
            raise ValueError(
                f"NumPy's RMC starts as the authors' does, got initialisation={self.initialisation!r}"
            )
        if self.train_examples is not None and self.batch_size > self.train_examples:
            raise ValueError(
                f"batch_size must be at most train_examples = {self.train_examples}, got {self.batch_size}"
            )


class Contestant(NamedTuple):
    """One training of a run."""

    model: str
    """One of `LABELS`."""
    seed: int

    @property
    def name(self) -> str:
        """Names its files and its records."""
        return f"{self.model}-{self.seed}"

    @property
    def label(self) -> str:
        """What people read."""
        return f"{LABELS[self.model]}, seed {self.seed}"


def contestants(settings: SupervisedSettings[Any]) -> list[Contestant]:
    """Return the trainings of a run: for each seed every model.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> settings = SupervisedSettings(task=Sorting(), models=("rmc", "lstm"), seed=5, seeds=2)
        >>> [contestant.name for contestant in contestants(settings)]
        ['rmc-5', 'lstm-5', 'rmc-6', 'lstm-6']
    """
    seeds = range(settings.seed, settings.seed + settings.seeds)
    return [Contestant(model, seed) for seed in seeds for model in settings.models]


class HeldOut(NamedTuple):
    """Examples that no training learns from."""

    validation: Any
    """To choose the parameters by."""
    test: Any
    """To report; of the task's own sizes, like validation."""
    harder: Any
    """To report; larger than any in training."""
    harder_sizes: dict[str, Any]
    """Sizes of the harder ones."""
    changes: str
    """In words what makes them harder."""
    trivial: dict[str, dict[str, float | None]]
    """Split (test, harder) -> chance, majority and shortcut (None where the task knows of none)."""


class TaskData(NamedTuple):
    """The examples of a training, the same for all models."""

    batches: Callable[[int, Sequence[Record]], Examples]
    """(number of the step, records of the evaluations before it) -> its examples."""
    held_out: HeldOut


TRAINING, VALIDATION, TEST, HARDER, LARGER, FRESH = range(6)
"""Second word of a generator's seed: the streams never share examples."""


def task_data(name: str, settings: SupervisedSettings[Any], seed: int) -> TaskData:
    """Draw the examples of a seed.

    Args:
        name: of the task.
        settings: of the run.
        seed: of the training.

    Example:
        >>> from relational_rnn.tasks.programs import Copy
        >>> settings = SupervisedSettings(task=Copy(), train_examples=None, batch_size=3)
        >>> task_data("copy", settings, seed=0).batches(0, []).inputs.shape
        (3, 10, 28)
    """
    held_out = held_out_data(name, settings, seed)
    task, size = settings.task, settings.batch_size
    if isinstance(task, Babi):
        found = read(task)
        return TaskData(StoryBatches(StoryExamples(found.train, found.vocabulary), size, seed), held_out)
    entry = find_task(name)
    if settings.train_examples is None:

        def fresh(step: int, history: Sequence[Record]) -> Examples:
            drawn = at_level(task, [record["validation_loss"] for record in history])
            batch: Examples = entry.sample(drawn, size, np.random.default_rng([seed, TRAINING, step]))
            return batch

        return TaskData(fresh, held_out)
    if name in REASONING_TASKS:
        train: Any = _reasoning_data(name, settings, seed, settings.train_examples).train
    else:
        train = entry.sample(task, settings.train_examples, np.random.default_rng([seed, TRAINING]))
    return TaskData(Shuffled(train, size, seed), held_out)


def held_out_data(name: str, settings: SupervisedSettings[Any], seed: int) -> HeldOut:
    """Draw the examples of a seed to score on; those of a task with a curriculum have its largest sizes."""
    if name in REASONING_TASKS:
        data = _reasoning_data(name, settings, seed, train=1)
        found, scores = data.metadata, ("chance", "majority", "shortcut")
        trivial = {
            "test": {score: found[score] for score in scores},
            "harder": {score: found[f"harder_{score}"] for score in scores},
        }
        return HeldOut(
            data.validation, data.test, data.harder, found["harder_sizes"], found["harder"], trivial
        )
    if isinstance(settings.task, Babi):
        return _held_out_stories(settings.task)
    task = at_full_size(settings.task)
    harder = task.harder()
    counts = (settings.validation_examples, settings.test_examples, settings.test_examples)
    validation, test, larger = (
        find_task(name).sample(sizes, count, np.random.default_rng([seed, split]))
        for split, sizes, count in zip((VALIDATION, TEST, HARDER), (task, task, harder), counts)
    )
    own, other = asdict(task), asdict(harder)
    changes = ", ".join(f"{n} {v} instead of {own[n]}" for n, v in other.items() if v != own[n])
    trivial = {"test": _trivial(task), "harder": _trivial(harder)}
    return HeldOut(validation, test, larger, other, changes, trivial)


LONGEST = 0.1
"""Share of the bAbI test's sequences that count as harder."""


def _held_out_stories(task: Babi) -> HeldOut:
    """Return the splits of the files; harder are the longest sequences of the test."""
    found = read(task)
    validation, test = (
        StoryExamples(part, found.vocabulary).by_length() for part in (found.validation, found.test)
    )
    first = len(test.inputs) - max(1, round(LONGEST * len(test.inputs)))
    longest = test.select(np.arange(first, len(test.inputs)))
    scores: dict[str, float | None] = {"chance": task.chance, "majority": task.majority, "shortcut": None}
    changes = f"the longest tenth of the test, stories of {longest.lengths.min()} words and more"
    return HeldOut(validation, test, longest, asdict(task), changes, {"test": scores, "harder": scores})


def kinds_of(name: str, examples: Any) -> list[str] | None:
    """Return of what kind each example is, None for a task whose examples are all alike."""
    if isinstance(examples, StoryExamples):
        return examples.kinds
    kinds = find_task(name).kinds
    return None if kinds is None else kinds(examples)


def has_curriculum(task: Any) -> bool:
    """Say whether a task's training examples may be smaller than those that it is scored on."""
    return isinstance(task, programs.CharacterTask)


def at_full_size(task: Any) -> Any:
    """Return the task as it is scored: without its curriculum."""
    return replace(task, curriculum="baseline", level=None) if has_curriculum(task) else task


def at_level(task: Any, losses: Sequence[float]) -> Any:
    """Return the task as its training draws it after evaluations with these validation losses.

    Only a curriculum with levels changes it: a level ends when `level_is_learned` says so.

    Example:
        >>> from relational_rnn.tasks.programs import Addition
        >>> at_level(Addition(length=3, curriculum="naive"), [2.0] * 25).level
        3
    """
    if not has_curriculum(task) or task.curriculum not in WITH_LEVELS:
        return task
    level, since = 1, 0
    for now in range(1, len(losses) + 1):
        if level < task.levels and programs.level_is_learned(losses[since:now]):
            level, since = level + 1, now
    return replace(task, level=level)


def _trivial(task: Any) -> dict[str, float | None]:
    return {"chance": task.chance, "majority": task.majority, "shortcut": None}


def _reasoning_data(name: str, settings: SupervisedSettings[Any], seed: int, train: int) -> ReasoningData:
    return generate_reasoning_data(
        name,
        train=train,
        validation=settings.validation_examples,
        test=settings.test_examples,
        harder=settings.test_examples,
        seed=seed,
        sizes=asdict(settings.task),
    )


def examples_to_reach(history: list[dict[str, Any]], share: float = 0.9) -> int:
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


def settings_from(task: str, values: dict[str, Any]) -> SupervisedSettings[Any]:
    """Turn what a JSON file holds back into settings."""
    sizes = {name: tuple(v) if isinstance(v, list) else v for name, v in values["task"].items()}
    factory: Callable[..., Any] = Babi if task == "babi" else find_task(task).factory
    changed = {"task": factory(**sizes), "models": tuple(values["models"])}
    return SupervisedSettings(**{**values, **changed})
