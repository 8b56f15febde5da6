"""The training loop of supervised tasks: from examples to the best parameters, in whatever framework."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from relational_rnn.config.checks import check_bool, check_choice, check_size
from relational_rnn.reference import Batch
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.training import Examples
from relational_rnn.training.common.arrays_file import load_arrays, save_arrays, with_prefix, without_prefix
from relational_rnn.training.common.files import find_target, read_lines, write_text
from relational_rnn.training.common.screen import lasting

REPORT_SECONDS = 0.5
CHECKPOINT_SECONDS = 30.0

Record = dict[str, Any]


class Learner(Protocol):
    """A model with its optimiser, in whatever framework."""

    def train_step(self, batch: Examples, learning_rate: float) -> dict[str, float]:
        """Change the parameters once; return `loss`, `grad_norm` and the metrics of the step.

        Raises:
            FloatingPointError: the loss or the gradients are not finite; the parameters stay as they were.
        """

    def evaluate(self, examples: Examples) -> dict[str, float]:
        """Return `loss` and the metrics on examples."""

    def parameters(self) -> dict[str, Array]:
        """Return copies of the parameters."""

    def put_parameters(self, values: Mapping[str, Array]) -> None:
        """Go back to such copies."""

    def optimiser_state(self) -> dict[str, Array]:
        """Return what the optimiser carries from step to step."""

    def put_optimiser_state(self, values: Mapping[str, Array]) -> None:
        """Go back to such a state."""


@dataclass
class FitResult:
    """How far a training has come; when it is finished, the model has the parameters of `best`."""

    step: int = 0
    """Steps done."""
    seconds: float = 0.0
    """Time spent, over all parts of a resumed training."""
    history: list[Record] = field(default_factory=list)
    """A record for each evaluation: step, examples, seconds, progress, learning_rate; the means of
    the steps' metrics since the evaluation before; and the metrics on the validation examples as
    validation_loss, ..."""
    best: Record = field(default_factory=dict)
    """The record of the evaluation whose parameters are kept."""
    waited: int = 0
    """Evaluations since the best one."""
    sums: dict[str, float] = field(default_factory=dict)
    """Sums of the steps' metrics since the last evaluation."""
    finished: bool = False
    """Whether the steps or the patience are used up; False if it was stopped and can go on."""
    stopped_early: bool = False
    """Whether it was the patience."""


class Shuffled:
    """Batches of given examples, in a new order each pass; the order depends on seed and step alone.

    Args:
        examples: inputs (B, T, F), targets and perhaps a mask; see `reference.Batch`.
        batch_size: at most the number of examples.
        seed: of the order.

    Raises:
        ValueError: more examples in a batch than there are.

    Example:
        >>> batches = Shuffled(Batch(np.zeros((5, 1, 1)), np.arange(5)), batch_size=2, seed=0)
        >>> len({*batches(0).targets, *batches(1).targets})
        4
    """

    def __init__(self, examples: Examples, batch_size: int, seed: int) -> None:
        inputs, targets, mask = examples.inputs, np.asarray(examples.targets), getattr(examples, "mask", None)
        self.examples = Batch(np.asarray(inputs), targets, None if mask is None else np.asarray(mask))
        if batch_size > len(self.examples.inputs):
            raise ValueError(
                f"batch_size must be at most the {len(self.examples.inputs)} training examples, "
                f"got {batch_size}"
            )
        self.batch_size, self.seed = batch_size, seed
        self._pass, self._order = -1, np.empty(0, dtype=int)

    def __call__(self, step: int, history: Sequence[Record] = ()) -> Batch:
        """Return the examples of a step."""
        size = self.batch_size
        number, place = divmod(step, len(self.examples.inputs) // size)
        if number != self._pass:
            generator = np.random.default_rng([self.seed, number])
            self._pass, self._order = number, generator.permutation(len(self.examples.inputs))
        chosen = self._order[place * size : (place + 1) * size]
        inputs, targets, mask = self.examples
        return Batch(inputs[chosen], targets[chosen], None if mask is None else mask[chosen])


class Training:
    """A learner, its examples, and how far it has come.

    Args:
        learner: model and optimiser.
        batches: number of the step, from 0, and the records of the evaluations before it -> its examples.
        validation: examples to choose the parameters by.
        peak: of the learning rate.
        schedule: number of the step, from 0 -> factor of the peak.
        steps: training steps, unless the patience is used up before.
        batch_size: examples in a step.
        evaluate_every: steps between two evaluations; the last step is followed by one too.
        patience: stop after so many evaluations in a row without a new best; None for never.
        monitor: which metric on the validation examples says which parameters are best.
        notes: what else a checkpoint must have in common with the training that goes on from it.

    Raises:
        TypeError: a number is none.
        ValueError: a number out of range, or an unknown metric.
    """

    def __init__(
        self,
        learner: Learner,
        batches: Callable[[int, Sequence[Record]], Examples],
        validation: Examples,
        *,
        peak: float,
        schedule: Callable[[int], float],
        steps: int,
        batch_size: int,
        evaluate_every: int,
        patience: int | None,
        monitor: str,
        notes: Mapping[str, Any],
    ) -> None:
        self.settings = {
            "steps": check_size("steps", steps),
            "batch_size": check_size("batch_size", batch_size),
            "evaluate_every": check_size("evaluate_every", evaluate_every),
            "patience": None if patience is None else check_size("patience", patience),
            "monitor": check_choice("monitor", monitor, ("loss", "accuracy", "sequence_accuracy")),
            "learning_rate": peak,
            **notes,
        }
        self.learner, self.batches, self.validation = learner, batches, validation
        self.peak, self.schedule = peak, schedule
        self.learning_rate = peak
        self.result = FitResult()
        self.best: dict[str, Array] = {}

    def run(
        self,
        *,
        checkpoint: Path | str | None = None,
        log: Path | str | None = None,
        progress: bool = False,
        report: Callable[[Record], None] = lambda record: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> FitResult:
        """Train, and leave the model with the parameters that did best on the validation examples.

        Args:
            checkpoint: file (safetensors), written every half minute and at the end. If it exists already,
                the training goes on from it, and ends in the same numbers as one that was not stopped.
            log: file (JSON lines) that gets every record.
            progress: show a progress bar.
            report: gets every record: twice a second one with step, examples, seconds, progress (0..1),
                learning_rate and the step's metrics; and one for each evaluation, see `FitResult.history`.
            stopped: asked after each step; True writes the checkpoint and ends the training.

        Returns:
            The history, the best record, and whether the training is finished. A training that was stopped
            leaves the model with the parameters of its last step.

        Raises:
            ValueError: the checkpoint of another training, or a path that holds no file.
            OSError: a file cannot be written.
            FloatingPointError: the loss or the gradients are not finite; the message names the step.
        """
        file, lines = (None if path is None else Path(path) for path in (checkpoint, log))
        if file is not None:
            find_target(file)  # raises before there is work to lose
            if file.exists():
                self.restore(file)
        if lines is not None:
            _forget_after(lines, self.result.step)
        with _progress_bar(check_bool("progress", progress)) as show:

            def tell(record: Record) -> None:
                if lines is not None:
                    with lines.open("a", encoding="utf-8") as stream:
                        stream.write(json.dumps(record) + "\n")
                report(record)
                show(record)

            self._go_on(tell, stopped, file)
        return self.result

    def _go_on(
        self, tell: Callable[[Record], None], stopped: Callable[[], bool], checkpoint: Path | None
    ) -> None:
        """Train until the steps or the patience are used up, or somebody stops it."""
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
        self.learner.put_parameters(self.best)

    def advance(self) -> dict[str, float]:
        """Do one step and return its metrics."""
        result = self.result
        self.learning_rate = self.peak * self.schedule(result.step)
        try:
            metrics = self.learner.train_step(self.batches(result.step, result.history), self.learning_rate)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"{error}, at step {result.step}; try a peak learning rate below {self.peak}"
            ) from None
        result.step += 1
        for name, value in {"steps": 1, **metrics}.items():
            result.sums[name] = result.sums.get(name, 0) + value
        return metrics

    def evaluate(self) -> Record:
        """Score the parameters, keep them if they are the best so far, and return the record."""
        result = self.result
        count = result.sums.pop("steps")
        means = {name: value / count for name, value in result.sums.items()}
        scores = self.learner.evaluate(self.validation)
        record = self.record() | means | {f"validation_{name}": value for name, value in scores.items()}
        result.sums = {}
        result.history.append(record)
        result.waited += 1
        monitor = self.settings["monitor"]
        sign, name = -1 if monitor == "loss" else 1, f"validation_{monitor}"
        if not result.best or sign * record[name] > sign * result.best[name]:
            result.best, result.waited = record, 0
            self.best = self.learner.parameters()
        return record

    def record(self) -> Record:
        """Return where the training is."""
        result = self.result
        return {
            "step": result.step,
            "examples": result.step * self.settings["batch_size"],
            "seconds": round(result.seconds, 3),
            "progress": result.step / self.settings["steps"],
            "learning_rate": self.learning_rate,
        }

    def save(self, path: Path) -> None:
        """Write everything that the next step depends on."""
        learner = self.learner
        parts = {"model": learner.parameters(), "best": self.best, "optimizer": learner.optimiser_state()}
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
        shapes = {name: value.shape for name, value in self.learner.parameters().items()}
        if {name: value.shape for name, value in of_model.items()} != shapes:
            raise ValueError(f"{path} is the checkpoint of another model: names or shapes differ")
        self.learner.put_parameters(of_model)
        self.best = without_prefix("best", arrays)
        self.learner.put_optimiser_state(without_prefix("optimizer", arrays))
        self.result = FitResult(**notes["result"])
        if self.result.finished:
            self.learner.put_parameters(self.best)


def _forget_after(log: Path, step: int) -> None:
    """Drop the records after `step`: a training that goes on from there writes them again."""
    text = "".join(json.dumps(record) + "\n" for record in read_lines(log) if record["step"] <= step)
    write_text(log, text)


@contextmanager
def _progress_bar(shown: bool) -> Iterator[Callable[[Record], None]]:
    """Return what takes records and shows them as a bar with the latest numbers."""
    if not shown:
        yield lambda record: None
        return
    numbers = TextColumn("{task.fields[told]}")
    columns = (BarColumn(20), TaskProgressColumn(), TimeRemainingColumn(), numbers)
    with Progress(*columns, console=Console(file=lasting(sys.stdout))) as bar:
        task, told = bar.add_task("training", total=1.0, told=""), dict[str, str]()

        def show(record: Record) -> None:
            score = "validation_accuracy" if "validation_accuracy" in record else "validation_loss"
            for name in {"loss", score} & record.keys():
                told[name] = f"{name.replace('_', ' ')} {record[name]:.3f}"
            bar.update(task, completed=record["progress"], told=", ".join(told.values()))

        yield show
