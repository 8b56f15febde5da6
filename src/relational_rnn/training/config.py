"""Everything that a run depends on, as one value: the small frozen parts of `config_parts`, and the task.

A field is a flag of the commands by its own name (`config.budget.steps` is `--steps`), so no two parts have a
field of the same name. `with_values` changes fields by these names.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic

from typing_extensions import TypeVar

from relational_rnn.config.checks import (
    MOST,
    check_choice,
    check_number,
    check_seed,
    check_size,
    did_you_mean,
)
from relational_rnn.tasks import entry_of
from relational_rnn.training.config_limits import MOST_OF
from relational_rnn.training.config_parts import (
    OF_TOKENS,
    BudgetConfig,
    CurriculumConfig,
    DataConfig,
    ModelConfig,
    OptimiserConfig,
    RuntimeConfig,
)
from relational_rnn.training.models import LEADER, MODELS, ModelSpec, check_models

Task = TypeVar("Task", default=Any)
"""What is learned; `RunConfig` without it has any."""

OVERRIDES: Final[dict[str, type]] = {
    "learning_rate": float,
    "optimiser": str,
    "warmup_steps": int,
    "clip_norm": float,
    "steps": int,
    "steps_factor": float,
    "size": int,
    "initialisation": str,
}
"""What every model can have otherwise than the run."""

FREE: Final = ("workers", "threads", "device", "accumulate")
"""Fields that change no result but for rounding: a run may go on with others."""


@dataclass(frozen=True, kw_only=True)
class RunConfig(Generic[Task]):
    """Everything that a run depends on.

    Raises:
        TypeError: a number is no integer.
        ValueError: values that are wrong or do not go together.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> config = RunConfig(task=Sorting(items=5), budget=BudgetConfig(steps=300))
        >>> config.of("lstm").budget.steps
        300
    """

    task: Task
    """What is learned."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """The models of a run."""
    optimisation: OptimiserConfig = field(default_factory=OptimiserConfig)
    """How parameters change."""
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    """Whether the examples grow to their full size, and how."""
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    """When a training is over, and which of its parameters are kept."""
    data: DataConfig = field(default_factory=DataConfig)
    """How many examples there are of each kind; a task that comes in files has its own."""
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    """What trains, and where."""
    seed: int = 0
    """The first seed. A seed decides initial values, examples and their order."""
    seeds: int = 1
    """How many seeds in a row; each is a training of every model."""

    def __post_init__(self) -> None:
        """Check what the parts alone cannot."""
        check_seed("seed", self.seed)
        check_size("seeds", self.seeds, maximum=MOST_OF["seeds"])
        check_seed("seed + seeds", self.seed + self.seeds)
        entry, model, runtime = entry_of(self.task), self.model, self.runtime
        check_models(runtime.framework, model.models, self.specs)
        for word in model.overrides:
            check_choice(f"the model of {word!r} in overrides", word.partition(".")[0], self.specs)
        for name in () if entry.tokens else OF_TOKENS:
            value, usual = getattr(model, name), getattr(ModelConfig, name)
            if value != usual:
                raise ValueError(
                    f"{name} is of models that read texts, and {entry.name} is no text: it must be left at "
                    f"{usual}, got {value}"
                )
        curriculum, size = self.curriculum, self.budget.batch_size
        if curriculum.grow:
            if entry.stages is None:
                raise ValueError(f"{entry.name} comes as it is and cannot grow; grow must be off")
            self._check_growth(entry.stages(self.task, self._starts()))
        train = self.data.train_examples
        if curriculum.grow and train is not None:
            raise ValueError(
                f"a curriculum (grow) draws fresh examples: train_examples must be None, got {train}"
            )
        if runtime.accumulate > size:
            raise ValueError(f"accumulate must be at most batch_size = {size}, got {runtime.accumulate}")
        if train is not None and size > train:
            raise ValueError(f"batch_size must be at most train_examples = {train}, got {size}")
        if runtime.framework == "numpy":
            if entry.tokens:
                raise ValueError(f"{entry.name} needs framework='torch', got 'numpy'")
            plain = {"optimiser": "adam", "average_decay": 0.0, "compute_dtype": "float32", "device": "cpu"}
            plain |= {"accumulate": 1}
            plain |= {"initialisation": "authors", "port_fault": "none", "layer_norm_placement": "authors"}
            for name, value in plain.items():
                if value_of(self, name) != value:
                    raise ValueError(
                        f"{name}={value_of(self, name)!r} needs framework='torch'; NumPy has {value!r} alone"
                    )
        for name in model.models:
            self.of(name)

    def _starts(self) -> dict[str, int]:
        starts = self.curriculum.starts()
        for name, value in starts.items():
            full = getattr(self.task, name, None)
            if isinstance(full, int) and value > full:
                raise ValueError(
                    f"start must be at most {name} = {full} (or grow must be off), got {name}={value}"
                )
        return starts

    def _check_growth(self, stages: list[dict[str, int]]) -> None:
        """Check that no stage is left by a model that has learned nothing."""
        first: Any = dataclasses.replace(self.task, **_fields(self.task, stages[0]))  # type: ignore[type-var]
        trivial = getattr(first, "growth_floor", None)
        if trivial is not None and self.curriculum.growth_threshold <= trivial:
            raise ValueError(
                f"growth_threshold must lie above the trivial score {trivial:.3f} of the first stage, "
                f"got {self.curriculum.growth_threshold}"
            )

    @property
    def specs(self) -> Mapping[str, ModelSpec]:
        """The models that can be named."""
        return MODELS

    def settings_of(self, model: str) -> dict[str, type]:
        """Return what a model can have otherwise than the run, and its type.

        Example:
            >>> from relational_rnn.tasks.sorting import Sorting
            >>> config = RunConfig(task=Sorting())
            >>> config.settings_of("transformer").keys() - config.settings_of("lstm").keys()
            {'positions'}
        """
        return OVERRIDES | dict.fromkeys(self.specs[model].choices, str)

    def overrides_of(self, model: str) -> dict[str, Any]:
        """Return what a model has otherwise than the run, by name.

        Raises:
            ValueError: one is no setting that a model can have, is not of its type, or comes twice.

        Example:
            >>> from relational_rnn.tasks.sorting import Sorting
            >>> config = RunConfig(task=Sorting(), model=ModelConfig(overrides=("lstm.learning_rate=1e-3",)))
            >>> config.overrides_of("lstm")
            {'learning_rate': 0.001}
        """
        values: dict[str, Any] = {}
        for word in self.model.overrides:
            owner, _, rest = word.partition(".")
            name, _, value = rest.partition("=")
            if owner != model:
                continue
            kinds, choices = self.settings_of(model), self.specs[model].choices
            check_choice(f"the setting of {word!r} in overrides", name, tuple(kinds))
            if name in values:
                raise ValueError(f"overrides name {model}.{name} twice: {self.model.overrides!r}")
            try:
                values[name] = kinds[name](value)
            except ValueError:
                kind = "an integer" if kinds[name] is int else "a number"
                raise ValueError(f"{word!r} in overrides must give {kind}") from None
            if name == "initialisation":
                for one in value.split("+"):
                    known = self.specs[model].initialisations
                    check_choice(f"{model}.initialisation in overrides", one, known)
            if name in choices:
                check_choice(f"{model}.{name} in overrides", value, choices[name])
            if name == "size" and model == LEADER:
                raise ValueError(f"{model} has no size of its own in overrides; its features are head_size")
            if name == "size":
                check_size(f"{model}.size", values[name], maximum=MOST_OF["head_size"])
        return values

    def of(self, model: str) -> RunConfig[Task]:
        """Return the run of one model alone, its overrides in their places.

        Raises:
            ValueError: see `overrides_of`; or a value is out of range.
        """
        values = self.overrides_of(model)
        of_core = ("size", "initialisation", *self.specs[model].choices)
        kept = {name: values.pop(name) for name in of_core if name in values}
        if model == LEADER and "initialisation" in kept:
            values["initialisation"] = kept.pop("initialisation")
        if "steps_factor" in values:
            factor = check_number(f"{model}.steps_factor", values.pop("steps_factor"), maximum=MOST)
            if factor <= 0:
                raise ValueError(f"{model}.steps_factor must be above 0, got {factor}")
            values.setdefault("steps", max(1, math.ceil(factor * self.budget.steps)))
        words = tuple(f"{model}.{name}={value}" for name, value in kept.items())
        try:
            fault = self.model.port_fault if model == LEADER else "none"
            alone = dataclasses.replace(self.model, models=(model,), overrides=words, port_fault=fault)
            if len(self.model.models) == 1 and not values and alone == self.model:
                return self
            return with_values(dataclasses.replace(self, model=alone), values)
        except ValueError as error:
            raise ValueError(f"overrides of {model}: {error}") from None

    def starts_of(self, model: str) -> tuple[str, ...]:
        """Return what an opponent's core starts with, a training for each.

        Example:
            >>> from relational_rnn.tasks.sorting import Sorting
            >>> RunConfig(task=Sorting()).starts_of("lstm")
            ('orthogonal',)
        """
        chosen = self.overrides_of(model).get("initialisation")
        if self.runtime.framework == "numpy":  # which has but one
            chosen = None
        return tuple(chosen.split("+")) if chosen else self.specs[model].initialisations[:1]


def check_overridden(config: RunConfig) -> None:
    """Check that overrides which somebody names are of models of the run; a preset's may be of others.

    Raises:
        ValueError: one is of another model, and would change nothing.
    """
    models = config.model.models
    for word in config.model.overrides:
        name = word.partition(".")[0]
        if name not in models:
            near = did_you_mean(name, models)
            raise ValueError(f"{word!r} in overrides changes no model of this run, {', '.join(models)}{near}")


def _fields(task: Any, sizes: Mapping[str, int]) -> dict[str, int]:
    known = {one.name for one in dataclasses.fields(task)}
    return {name: value for name, value in sizes.items() if name in known}


def parts_of(config: RunConfig) -> Iterator[tuple[str, Any]]:
    """Yield the parts that hold fields, the config itself last: their attribute ("" for itself), and they."""
    for one in dataclasses.fields(config):
        part = getattr(config, one.name)
        if dataclasses.is_dataclass(part):
            yield one.name, part
    yield "", config


def home_of(config: RunConfig, name: str) -> tuple[str, Any]:
    """Return the part that has a field, as `parts_of` yields it.

    Raises:
        ValueError: none has.
    """
    for attribute, part in parts_of(config):
        plain = (one.name for one in dataclasses.fields(part))
        if name in plain and not dataclasses.is_dataclass(getattr(part, name)):
            return attribute, part
    every = [one.name for _, part in parts_of(config) for one in dataclasses.fields(part)]
    near = difflib.get_close_matches(name, every, 1)
    raise ValueError(f"there is no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def value_of(config: RunConfig, name: str) -> Any:
    """Return the value of a field, wherever it is.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> value_of(RunConfig(task=Sorting()), "items"), value_of(RunConfig(task=Sorting()), "steps")
        (8, 2000)
    """
    return getattr(home_of(config, name)[1], name)


def with_values(config: RunConfig[Task], values: Mapping[str, Any]) -> RunConfig[Task]:
    """Return a config in which some fields have other values, wherever they are.

    A value is of all models: overrides of the same field that the config had are left out.

    Raises:
        TypeError, ValueError: no such field, or a value out of range.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> with_values(RunConfig(task=Sorting()), {"items": 3, "steps": 10}).task.items
        3
    """
    changed: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        plain = value.item() if hasattr(value, "item") else value  # a NumPy number as JSON can hold it
        changed.setdefault(home_of(config, name)[0], {})[name] = plain
    if "overrides" not in values and (kept := overrides_beside(config, values)) != overrides_beside(config):
        changed.setdefault("model", {})["overrides"] = kept
    own = changed.pop("", {})
    parts = {name: dataclasses.replace(getattr(config, name), **some) for name, some in changed.items()}
    return dataclasses.replace(config, **parts, **own)


def overrides_beside(config: RunConfig, fields: Collection[str] = ()) -> tuple[str, ...]:
    """Return the overrides of a run that leave some fields as they are for all models.

    Example:
        >>> from relational_rnn.tasks.sorting import Sorting
        >>> model = ModelConfig(overrides=("lstm.learning_rate=1e-3", "lstm.size=64"))
        >>> overrides_beside(RunConfig(task=Sorting(), model=model), ["learning_rate"])
        ('lstm.size=64',)
    """

    def stays(word: str) -> bool:
        model, _, setting = word.partition("=")[0].partition(".")
        of_leader = setting == "initialisation"  # what a run says of it is the leader's
        return setting not in fields or (of_leader and model != LEADER)

    words: tuple[str, ...] = getattr(config.model, "overrides", ())  # the models of agents have none
    return tuple(filter(stays, words))
