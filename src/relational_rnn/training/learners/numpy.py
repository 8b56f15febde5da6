"""The NumPy models of a run, their learner, and `fit` for models of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from relational_rnn.config.checks import MOST, check_choice, check_seed, check_size
from relational_rnn.reference import SGD, Adam, Classifier, evaluate, train_step
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.training import Examples, Model, check_examples
from relational_rnn.training.arrays_file import check_arrays, with_prefix, without_prefix
from relational_rnn.training.config import RunConfig
from relational_rnn.training.config_parts import BudgetConfig
from relational_rnn.training.contestants import Contestant
from relational_rnn.training.data import Shuffled
from relational_rnn.training.framework import Framework
from relational_rnn.training.matching import smallest_size
from relational_rnn.training.models import LEADER, features_of, find_model, matches_state, size_of
from relational_rnn.training.processes import peak_memory
from relational_rnn.training.trainer import FitResult, Record, Training

CHUNK = 256
"""Examples scored at once."""


class NumpyLearner:
    """A NumPy model and its optimizer, as the common loop wants them.

    Args:
        model: `LSTM`, `RelationalRNN` or a `Classifier` on any core.
        optimizer: `SGD` or `Adam`; its learning rate is set at every step.
        max_norm: largest joint norm of all gradients; None for no clipping.
    """

    def __init__(self, model: Model, optimizer: SGD | Adam, max_norm: float | None) -> None:
        self.model, self.optimizer, self.max_norm = model, optimizer, max_norm

    def train_step(self, batch: Examples, learning_rate: float) -> dict[str, float]:
        """See `reference.train_step`."""
        self.optimizer.learning_rate = learning_rate
        return train_step(self.model, batch, self.optimizer, self.max_norm)

    def evaluate(self, examples: Examples) -> dict[str, float]:
        """See `reference.evaluate`."""
        return evaluate(self.model, examples)

    def parameters(self) -> dict[str, Array]:
        """Return copies."""
        return {name: value.copy() for name, value in self.model.params.items()}

    def load_parameters(self, values: Mapping[str, Array]) -> None:
        """Write into the model's arrays."""
        check_arrays(values, self.model.params, finite=False)
        _write(self.model, values)

    def state(self) -> dict[str, Array]:
        """Return the parameters and the optimizer's moments."""
        return with_prefix("model", self.parameters()) | with_prefix("optimizer", self.optimizer.state_dict())

    def load_state(self, values: Mapping[str, Array]) -> None:
        """Go back to them.

        Raises:
            ValueError: they are not the model's and its optimizer's; the message names what does not fit.
        """
        optimizer, model = without_prefix("optimizer", values), without_prefix("model", values)
        check_arrays(values, with_prefix("model", model) | with_prefix("optimizer", optimizer))
        self._check_moments(optimizer)
        load_arrays(self.model, model)
        self.optimizer.load_state_dict(optimizer)

    def _check_moments(self, state: Mapping[str, Array]) -> None:
        """Check that the optimizer can have come to a state with this model."""
        adam = isinstance(self.optimizer, Adam)
        moments = {name: value for name, value in state.items() if not (adam and name == "steps")}
        kinds = ("mean", "square") if adam else ("velocity",)
        wanted = {f"{kind}.{name}": value for kind in kinds for name, value in self.model.params.items()}
        check_arrays(moments, wanted if moments else {})
        if not adam:
            return
        steps = state.get("steps", np.empty(0))
        if (
            steps.shape != ()
            or steps.dtype.kind != "i"
            or not 0 <= steps <= MOST
            or (steps > 0) != bool(moments)
        ):
            raise ValueError("the state of Adam must hold its steps, and moments after the first")
        if any((value < 0).any() for name, value in moments.items() if name.startswith("square.")):
            raise ValueError("the state of Adam holds negative squares")


def fit(
    model: Model,
    train: Examples,
    validation: Examples,
    *,
    steps: int,
    optimizer: SGD | Adam | None = None,
    batch_size: int = 64,
    schedule: Callable[[int], float] = lambda step: 1.0,
    max_norm: float | None = 1.0,
    evaluate_every: int = 100,
    patience: int | None = None,
    monitor: str | None = None,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    log: Path | str | None = None,
    progress: bool = True,
    report: Callable[[Record], None] = lambda record: None,
    stopped: Callable[[], bool] = lambda: False,
) -> FitResult:
    """Train a model and leave it with the parameters that did best on the validation examples.

    The examples are shuffled anew for each pass through them. Their order depends on `seed` and the step
    alone, so a training that goes on from a checkpoint ends in the same numbers as one that was not stopped.

    Args:
        model: `LSTM`, `RelationalRNN` or a `Classifier` on any core.
        train: inputs (B, T, F), targets and perhaps a mask; see `reference.Batch`.
        validation: the same; to choose the parameters by, and to stop by.
        steps: training steps, unless the patience is used up before.
        optimizer: `SGD` or `Adam`; None for Adam with a rate of 1e-3. Its learning rate is the peak.
        batch_size: examples in a step, at most those of `train`.
        schedule: number of the step, from 0 -> factor of the peak rate; see `training.schedule`.
        max_norm: largest joint norm of all gradients; None for no clipping.
        evaluate_every: steps between two evaluations; the last step is followed by one too.
        patience: stop after so many evaluations in a row without a new best; None for never.
        monitor: "accuracy", "sequence_accuracy" or "loss" on the validation examples says which parameters
            are best; None for accuracy if the targets are classes, else loss.
        seed: of the order of the examples.
        checkpoint: file (safetensors), written every half minute and at the end. If it exists already, the
            training goes on from it.
        log: file (JSON lines) that gets every record.
        progress: show a progress bar.
        report: gets every record; see `training.trainer.Training.run`.
        stopped: asked after each step; True writes the checkpoint and ends the training.

    Returns:
        The history, the best record, and whether the training is finished. A training that was stopped leaves
        the model with the parameters of its last step.

    Raises:
        TypeError: wrong dtypes, or a model that cannot be trained so.
        ValueError: a number out of range, shapes that do not fit, examples that hold NaN, a checkpoint of
            another training.
        FloatingPointError: the loss or the gradients are not finite; the message names the step.

    Example:
        >>> from relational_rnn.reference import LSTM
        >>> from relational_rnn.tasks import generate_reasoning_data
        >>> data = generate_reasoning_data("sorting", train=200, sizes={"items": 2})
        >>> model = LSTM(data.metadata["input_size"], 16, output_size=data.metadata["classes"])
        >>> result = fit(model, data.train, data.validation, steps=60, optimizer=Adam(0.02), progress=False)
        >>> result.history[-1]["step"], result.best["validation_accuracy"] > data.metadata["majority"]
        (60, True)
    """
    optimizer = Adam() if optimizer is None else optimizer
    if not isinstance(optimizer, SGD | Adam):
        raise TypeError(f"optimizer must be an SGD or an Adam such as Adam(1e-3), got {optimizer!r}")
    check_examples("train", model, train)
    check_examples("validation", model, validation)
    seed = check_seed("seed", seed)
    batches = Shuffled(train, check_size("batch_size", batch_size), seed)
    budget = BudgetConfig(
        steps=steps, batch_size=batch_size, evaluate_every=evaluate_every, patience=patience
    )
    is_number = np.asarray(train.targets).dtype.kind == "f"
    allowed = ("loss",) if is_number else ("accuracy", "sequence_accuracy", "loss")
    notes: dict[str, Any] = {
        "max_norm": max_norm,
        "seed": seed,
        "examples": len(batches.examples.inputs),
        "optimizer": type(optimizer).__name__,
    }
    peak = optimizer.learning_rate
    training = Training(
        NumpyLearner(model, optimizer, max_norm),
        batches,
        validation,
        budget,
        peak=peak,
        schedule=lambda step, progress: schedule(step),
        monitor=allowed[0] if monitor is None else check_choice("monitor", monitor, allowed),
        notes=notes,
    )
    try:
        return training.run(checkpoint=checkpoint, log=log, progress=progress, report=report, stopped=stopped)
    finally:
        optimizer.learning_rate = peak


def build_model(config: RunConfig, contestant: Contestant) -> Classifier:
    """Build a model in float32; its initial values follow from the seed."""
    spec = find_model(contestant.model)
    size = size_of(config, spec, lambda name: matched_size(config, name))
    return _build(config, contestant.model, size, contestant.seed)


def matched_size(config: RunConfig, name: str) -> int:
    """Return the smallest size with which an opponent has at least the RMC's parameters, or its state."""
    by_state = matches_state(config, name)

    def count(model: str, size: int) -> int:
        built = _build(config, model, size, 0)
        return state_size(built, features_of(config), 1) if by_state else count_parameters(built)

    return smallest_size(lambda size: count(name, size), count(LEADER, config.model.head_size))


def count_parameters(model: Classifier) -> int:
    """Return how many numbers training changes."""
    return sum(value.size for value in model.params.values())


def state_size(model: Classifier, features: int, steps: int) -> int:
    """Return how many numbers the core keeps from step to step, after `steps`."""
    core: Any = model.core
    inputs = np.zeros((1, steps, features), dtype=np.float32)
    found = core.forward(inputs)
    if not isinstance(found, tuple):  # the RMC gives its memory always, the others their state on request
        found = core.forward(inputs, return_state=True)
    parts = [part for each in found[1:] for part in (each if isinstance(each, tuple) else (each,))]
    return sum(part.size for part in parts)


def _build(config: RunConfig, name: str, size: int, seed: int) -> Classifier:
    generator, spec, model = np.random.default_rng(seed), find_model(name), config.model
    sizes = {spec.size: size, **spec.options(model)}
    core = spec.core("numpy")(config.task.input_size, **sizes, dtype=np.float32, seed=generator)
    hidden = (model.head_units,) * model.head_layers
    activation = model.head_activation
    return Classifier(core, config.task.classes, hidden, head_activation=activation, seed=generator)


def learner(model: Classifier, config: RunConfig) -> NumpyLearner:
    """Return a model with its optimiser."""
    return NumpyLearner(model, Adam(config.optimisation.learning_rate), config.optimisation.clip_norm)


def load_arrays(model: Model, values: Mapping[str, Array]) -> None:
    """Write into a model's arrays.

    Raises:
        ValueError: see `check_arrays`.
    """
    check_arrays(values, model.params)
    _write(model, values)


def _write(model: Model, values: Mapping[str, Array]) -> None:
    for name, value in values.items():
        model.params[name][...] = value


def predict(model: Classifier, inputs: Array, every_step: bool) -> Array:
    """Return the most likely class of sequences (B, T, F): at each step (B, T), or after the last (B,)."""
    pieces = [inputs[start : start + CHUNK] for start in range(0, len(inputs), CHUNK)]
    classes: Array = np.concatenate([model.forward(piece).argmax(axis=-1) for piece in pieces])
    return classes if every_step else classes[:, -1]


def limit_threads(count: int) -> AbstractContextManager[Any]:
    """Give NumPy's products so many threads."""
    limits: AbstractContextManager[Any] = threadpool_limits(count)
    return limits


NUMPY = Framework(
    name="numpy",
    check=lambda config: None,
    build=build_model,
    matched_size=matched_size,
    count_parameters=count_parameters,
    state_size=state_size,
    learner=learner,
    arrays=lambda model: dict(model.params),
    load_arrays=load_arrays,
    predict=predict,
    generate=None,
    limit_threads=limit_threads,
    peak_memory=lambda device: peak_memory(),
)
