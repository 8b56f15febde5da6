"""The training loop of the NumPy models: from examples to the best parameters."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from relational_rnn.reference import SGD, Adam, Batch, evaluate, train_step
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.training import Examples, Model
from relational_rnn.spec.checks import check_bool, check_choice, check_size
from relational_rnn.training.common.files import read_lines, write_atomically
from relational_rnn.training.numpy.arrays_file import load_arrays, save_arrays, with_prefix, without_prefix

REPORT_SECONDS = 0.5
CHECKPOINT_SECONDS = 30.0

Record = dict[str, Any]


@dataclass
class FitResult:
    """How far a training has come; when it is finished, the model has the parameters of `best`."""

    step: int = 0
    """Steps done."""
    seconds: float = 0.0
    """Time spent, over all parts of a resumed training."""
    history: list[Record] = field(default_factory=list)
    """A record for each evaluation: step, examples, seconds, progress, learning_rate; the means of
    `train_step`'s metrics since the evaluation before; and `evaluate`'s metrics as validation_loss, ..."""
    best: Record = field(default_factory=dict)
    """The record of the evaluation whose parameters are kept."""
    waited: int = 0
    """Evaluations since the best one."""
    sums: dict[str, float] = field(default_factory=dict)
    """Sums of `train_step`'s metrics since the last evaluation."""
    finished: bool = False
    """Whether the steps or the patience are used up; False if it was stopped and can go on."""
    stopped_early: bool = False
    """Whether it was the patience."""


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
        schedule: number of the step, from 0 -> factor of the peak rate; see `training.common.schedule`.
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
        report: gets every record: twice a second one with step, examples, seconds, progress (0..1),
            learning_rate and `train_step`'s metrics; and one for each evaluation, see `FitResult.history`.
        stopped: asked after each step; True writes the checkpoint and ends the training.

    Returns:
        The history, the best record, and whether the training is finished. A training that was stopped leaves
        the model with the parameters of its last step.

    Raises:
        TypeError: wrong dtypes, or a model that cannot be trained so.
        ValueError: a number out of range, shapes that do not fit, or the checkpoint of another training.
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
    file, lines = (None if path is None else Path(path) for path in (checkpoint, log))
    settings = {
        "steps": check_size("steps", steps),
        "batch_size": check_size("batch_size", batch_size),
        "max_norm": max_norm,
        "evaluate_every": check_size("evaluate_every", evaluate_every),
        "patience": None if patience is None else check_size("patience", patience),
        "seed": check_size("seed", seed, minimum=0),
    }
    optimizer = optimizer or Adam()
    training = _Training(model, train, validation, optimizer, schedule, monitor, settings)
    if file is not None and file.exists():
        training.restore(file)
    if lines is not None:
        _forget_after(lines, training.result.step)

    with _progress_bar(check_bool("progress", progress)) as show:

        def tell(record: Record) -> None:
            if lines is not None:
                with lines.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(record) + "\n")
            report(record)
            show(record)

        try:
            training.run(tell, stopped, file)
        finally:
            optimizer.learning_rate = training.peak
    return training.result


class _Training:
    """A model, its optimizer, its examples, and how far it has come."""

    def __init__(
        self,
        model: Model,
        train: Examples,
        validation: Examples,
        optimizer: SGD | Adam,
        schedule: Callable[[int], float],
        monitor: str | None,
        settings: Record,
    ) -> None:
        inputs, targets, mask = train.inputs, np.asarray(train.targets), getattr(train, "mask", None)
        self.train = Batch(np.asarray(inputs), targets, None if mask is None else np.asarray(mask))
        examples = len(self.train.inputs)
        if settings["batch_size"] > examples:
            raise ValueError(
                f"batch_size must be at most the {examples} training examples, got {settings['batch_size']}"
            )
        allowed = ("loss",) if targets.dtype.kind == "f" else ("accuracy", "sequence_accuracy", "loss")
        self.monitor = allowed[0] if monitor is None else check_choice("monitor", monitor, allowed)
        self.model, self.optimizer, self.validation, self.schedule = model, optimizer, validation, schedule
        self.peak = optimizer.learning_rate
        self.settings = settings | {
            "examples": examples,
            "monitor": self.monitor,
            "optimizer": type(optimizer).__name__,
            "learning_rate": self.peak,
        }
        self.result = FitResult()
        self.best: dict[str, Array] = {}
        self._pass, self._order = -1, np.empty(0, dtype=int)

    def run(
        self, tell: Callable[[Record], None], stopped: Callable[[], bool], checkpoint: Path | None
    ) -> None:
        """Go on until the steps or the patience are used up, or somebody stops it."""
        result, settings = self.result, self.settings
        begin = time.perf_counter() - result.seconds
        next_report, next_save = result.seconds, result.seconds + CHECKPOINT_SECONDS
        while not result.finished:
            metrics = self.advance()
            result.seconds = time.perf_counter() - begin
            if result.seconds >= next_report:
                tell(self.record() | metrics)
                next_report = result.seconds + REPORT_SECONDS
            last = result.step == settings["steps"]
            if last or result.step % settings["evaluate_every"] == 0:
                tell(self.evaluate())
                result.stopped_early = not last and result.waited == settings["patience"]
                result.finished = last or result.stopped_early
            halt = not result.finished and stopped()
            if checkpoint is not None and (halt or result.finished or result.seconds >= next_save):
                self.save(checkpoint)
                next_save = result.seconds + CHECKPOINT_SECONDS
            if halt:
                return
        _put_in_place(self.model.params, self.best)

    def advance(self) -> dict[str, float]:
        """Do one step and return its metrics."""
        result = self.result
        self.optimizer.learning_rate = self.peak * self.schedule(result.step)
        try:
            metrics = train_step(self.model, self.batch(), self.optimizer, self.settings["max_norm"])
        except FloatingPointError as error:
            raise FloatingPointError(
                f"{error}, at step {result.step}; try a peak learning rate below {self.peak}"
            ) from None
        result.step += 1
        for name, value in {"steps": 1, **metrics}.items():
            result.sums[name] = result.sums.get(name, 0) + value
        return metrics

    def batch(self) -> Batch:
        """Return the examples of the step: the next ones of this pass in its own order."""
        size = self.settings["batch_size"]
        number, place = divmod(self.result.step, len(self.train.inputs) // size)
        if number != self._pass:
            generator = np.random.default_rng([self.settings["seed"], number])
            self._pass, self._order = number, generator.permutation(len(self.train.inputs))
        chosen = self._order[place * size : (place + 1) * size]
        inputs, targets, mask = self.train
        return Batch(inputs[chosen], targets[chosen], None if mask is None else mask[chosen])

    def evaluate(self) -> Record:
        """Score the parameters, keep them if they are the best so far, and return the record."""
        result = self.result
        count = result.sums.pop("steps")
        means = {name: value / count for name, value in result.sums.items()}
        scores = evaluate(self.model, self.validation)
        record = self.record() | means | {f"validation_{name}": value for name, value in scores.items()}
        result.sums = {}
        result.history.append(record)
        result.waited += 1
        sign = -1 if self.monitor == "loss" else 1
        name = f"validation_{self.monitor}"
        if not result.best or sign * record[name] > sign * result.best[name]:
            result.best, result.waited = record, 0
            self.best = {name: value.copy() for name, value in self.model.params.items()}
        return record

    def record(self) -> Record:
        """Return where the training is."""
        result = self.result
        return {
            "step": result.step,
            "examples": result.step * self.settings["batch_size"],
            "seconds": round(result.seconds, 3),
            "progress": result.step / self.settings["steps"],
            "learning_rate": self.optimizer.learning_rate,
        }

    def save(self, path: Path) -> None:
        """Write everything that the next step depends on."""
        parts = {"model": self.model.params, "best": self.best, "optimizer": self.optimizer.state_dict()}
        arrays = {name: a for part, found in parts.items() for name, a in with_prefix(part, found).items()}
        notes = {"settings": self.settings, "result": dataclasses.asdict(self.result)}
        save_arrays(path, arrays, notes)

    def restore(self, path: Path) -> None:
        """Go on from a file that `save` wrote.

        Raises:
            ValueError: it is no such file, or one of a training with other settings or another model.
        """
        arrays, notes = load_arrays(path)
        if notes.keys() != {"settings", "result"}:
            raise ValueError(f"{path} is no checkpoint of fit: its notes are {', '.join(notes) or 'none'}")
        there = notes["settings"]
        changed = [name for name, value in self.settings.items() if there.get(name) != value]
        if changed:
            told = ", ".join(
                f"{name}: {there.get(name)} there, {self.settings[name]} now" for name in changed
            )
            raise ValueError(
                f"{path} is the checkpoint of another training ({told}); remove it or name another"
            )
        of_model = without_prefix("model", arrays)
        shapes = {name: value.shape for name, value in self.model.params.items()}
        if {name: value.shape for name, value in of_model.items()} != shapes:
            raise ValueError(f"{path} is the checkpoint of another model: names or shapes differ")
        _put_in_place(self.model.params, of_model)
        self.best = without_prefix("best", arrays)
        self.optimizer.load_state_dict(without_prefix("optimizer", arrays))
        self.result = FitResult(**notes["result"])
        if self.result.finished:
            _put_in_place(self.model.params, self.best)


def _put_in_place(params: dict[str, Array], values: dict[str, Array]) -> None:
    for name, value in values.items():
        params[name][...] = value


def _forget_after(log: Path, step: int) -> None:
    """Drop the records after `step`: a training that goes on from there writes them again."""
    log.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record) + "\n" for record in read_lines(log) if record["step"] <= step)
    write_atomically(log, lambda path: path.write_text(text, encoding="utf-8"))


@contextmanager
def _progress_bar(shown: bool) -> Iterator[Callable[[Record], None]]:
    """Return what takes records and shows them as a bar with the latest numbers."""
    if not shown:
        yield lambda record: None
        return
    numbers = TextColumn("{task.fields[told]}")
    with Progress(BarColumn(20), TaskProgressColumn(), TimeRemainingColumn(), numbers) as bar:
        task, told = bar.add_task("training", total=1.0, told=""), dict[str, str]()

        def show(record: Record) -> None:
            score = "validation_accuracy" if "validation_accuracy" in record else "validation_loss"
            for name in {"loss", score} & record.keys():
                told[name] = f"{name.replace('_', ' ')} {record[name]:.3f}"
            bar.update(task, completed=record["progress"], told=", ".join(told.values()))

        yield show
