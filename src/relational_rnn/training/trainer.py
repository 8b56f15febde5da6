"""The training loop: from examples to parameters, whatever the task, the model and the framework."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from relational_rnn.config.checks import BadFile, check_bool, check_choice, shortened
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.training import Examples
from relational_rnn.training.arrays_file import (
    check_arrays,
    load_arrays,
    save_arrays,
    with_prefix,
    without_prefix,
)
from relational_rnn.training.config_parts import BudgetConfig
from relational_rnn.training.data import Batches
from relational_rnn.training.decode import decode
from relational_rnn.training.distributed import ALONE, Team
from relational_rnn.training.files import find_target, rewrite_lines
from relational_rnn.training.screen import lasting

REPORT_SECONDS = 0.5
CHECKPOINT_SECONDS = 30.0

REMEDY = "remove it: its training then starts anew"
"""What helps against a damaged checkpoint."""

Record = dict[str, Any]


class Learner(Protocol):
    """A model with its optimiser, in whatever framework."""

    def train_step(self, batch: Examples, learning_rate: float) -> dict[str, float]:
        """Change the parameters once; return `loss`, `grad_norm` and the metrics of the step.

        Raises:
            FloatingPointError: the loss or the gradients are not finite; the parameters stay as they were.
        """

    def evaluate(self, examples: Examples) -> dict[str, float]:
        """Return `loss` and the metrics on examples, of the parameters that count."""

    def parameters(self) -> dict[str, Array]:
        """Return copies of the parameters that count: their moving average, where there is one."""

    def load_parameters(self, values: Mapping[str, Array]) -> None:
        """Give the model such parameters."""

    def state(self) -> dict[str, Array]:
        """Return copies of everything that the next step depends on."""

    def load_state(self, values: Mapping[str, Array]) -> None:
        """Go back to such a state.

        Raises:
            ValueError: it is another model's, or holds what no training comes to.
        """


@dataclass
class FitResult:
    """How far a training has come; when it is finished, the model has the parameters that are kept."""

    step: int = 0
    """Steps done."""
    seconds: float = 0.0
    """Time spent, over all parts of a resumed training."""
    history: list[Record] = field(default_factory=list)
    """A record for each evaluation: step, examples, seconds, progress, learning_rate; the means of
    the steps' metrics since the evaluation before; and the metrics on the validation examples as
    validation_loss, ..."""
    best: Record = field(default_factory=dict)
    """The record of the evaluation that was best."""
    waited: int = 0
    """Evaluations since the best one."""
    sums: dict[str, float] = field(default_factory=dict)
    """Sums of the steps' metrics since the last evaluation."""
    finished: bool = False
    """Whether it is over: the budget or the patience is used up, or it diverged."""
    stopped_early: bool = False
    """Whether it was the patience."""
    diverged: str | None = None
    """What was no longer finite, and when; None if all was."""


class Training:
    """A learner, its examples, and how far it has come.

    Args:
        learner: model and optimiser.
        batches: the examples of each step.
        validation: examples to choose the parameters by.
        budget: when it is over, and which parameters are kept.
        peak: of the learning rate.
        schedule: (number of the step, from 0, and the share of the budget that is used up) -> factor of the
            peak.
        monitor: which metric on the validation examples says which parameters are best.
        notes: what else a checkpoint must have in common with the training that goes on from it.
        team: the processes that train together; the first of them writes.

    Raises:
        ValueError: an unknown metric.
    """

    def __init__(
        self,
        learner: Learner,
        batches: Batches,
        validation: Examples,
        budget: BudgetConfig,
        *,
        peak: float,
        schedule: Callable[[int, float], float],
        monitor: str,
        notes: Mapping[str, Any],
        team: Team = ALONE,
    ) -> None:
        self.settings = {
            **dataclasses.asdict(budget),
            "monitor": check_choice("monitor", monitor, ("loss", "accuracy", "sequence_accuracy")),
            "learning_rate": peak,
            **notes,
        }
        self.learner, self.batches, self.validation, self.budget = learner, batches, validation, budget
        self.peak, self.schedule, self.team = peak, schedule, team
        self.learning_rate = peak
        self.result = FitResult()
        self.kept = learner.parameters()

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
            BadFile: the checkpoint is damaged or of another training, or a line of the log is damaged.
            ValueError: a path that holds no file.
            OSError: a file cannot be written.
            FloatingPointError: the loss or the gradients are not finite; the message names the step. The
                training is finished then, and the model has the parameters that were kept before.
        """
        file, lines = (None if path is None else Path(path) for path in (checkpoint, log))
        if file is not None:
            find_target(file).parent.mkdir(parents=True, exist_ok=True)  # raises before there is work to lose
            if file.exists():
                self.restore(file)
            self.team.check_same(self.result.step, file.parent)
        if lines is not None:
            find_target(lines).parent.mkdir(parents=True, exist_ok=True)
            _forget_after(lines, self.result.step)
        with _progress_bar(check_bool("progress", progress)) as show:

            def tell(record: Record) -> None:
                if lines is not None:
                    with lines.open("a", encoding="utf-8") as stream:
                        stream.write(json.dumps(record) + "\n")
                report(record)
                show(record)

            self._go_on(tell, stopped, file)
        if self.result.diverged is not None:
            raise FloatingPointError(self.result.diverged)
        return self.result

    def _go_on(
        self, tell: Callable[[Record], None], stopped: Callable[[], bool], checkpoint: Path | None
    ) -> None:
        """Train until the budget or the patience is used up, or somebody stops it."""
        result, budget = self.result, self.budget
        team = self.team
        begin = team.now() - result.seconds
        next_report, next_save = result.seconds, result.seconds + CHECKPOINT_SECONDS
        while not result.finished:
            try:
                metrics = self.advance()
                result.seconds = team.now() - begin
                if result.seconds >= next_report:
                    tell(self.record() | metrics)
                    next_report = result.seconds + REPORT_SECONDS
                last = self.progress >= 1
                if last or result.step % budget.evaluate_every == 0:
                    tell(self.evaluate())
                    result.stopped_early = not last and result.waited == budget.patience
                    result.finished = last or result.stopped_early
            except FloatingPointError as error:
                self._diverge(str(error), tell)
            halt = not result.finished and team.any(stopped())
            if checkpoint is not None and (halt or result.finished or result.seconds >= next_save):
                self.save(checkpoint)
                next_save = result.seconds + CHECKPOINT_SECONDS
            if halt:
                return
        self.learner.load_parameters(self.kept)

    def _diverge(self, told: str, tell: Callable[[Record], None]) -> None:
        """End with the parameters that were kept before; without any evaluation, those of the start."""
        result = self.result
        result.diverged = f"{told}, at step {result.step}; try a peak learning rate below {self.peak}"
        result.finished = True
        if not result.history:
            self.learner.load_parameters(self.kept)
            tell(self.evaluate())
        tell(self.record() | {"diverged": result.diverged})

    @property
    def progress(self) -> float:
        """Share of the budget that is used up; 1 or more ends the training."""
        done = self.result.step / self.budget.steps
        return done if self.budget.seconds is None else max(done, self.result.seconds / self.budget.seconds)

    def advance(self) -> dict[str, float]:
        """Do one step and return its metrics.

        Raises:
            FloatingPointError: the loss or the gradients are not finite.
        """
        result = self.result
        self.learning_rate = self.peak * self.schedule(result.step, self.progress)
        losses = [record["validation_loss"] for record in result.history]
        metrics = self.learner.train_step(self.batches(result.step, losses), self.learning_rate)
        if "accuracy" in metrics:
            self.batches.observe(result.step, metrics["accuracy"])
        result.step += 1
        for name, value in {"steps": 1, **metrics}.items():
            result.sums[name] = result.sums.get(name, 0) + value
        return metrics

    def evaluate(self) -> Record:
        """Score the parameters, keep them if they are the best so far or the last ones are kept.

        Returns:
            The record.

        Raises:
            FloatingPointError: the loss is not finite, after a last step that was too long.
        """
        result = self.result
        scores = self.learner.evaluate(self.validation)
        if not math.isfinite(scores["loss"]):
            raise FloatingPointError(f"training diverged: validation loss {scores['loss']}")
        count = result.sums.pop("steps", 0)
        means = {name: value / count for name, value in result.sums.items()}
        record = self.record() | means | {f"validation_{name}": value for name, value in scores.items()}
        result.sums = {}
        result.history.append(record)
        result.waited += 1
        monitor = self.settings["monitor"]
        sign, name = -1 if monitor == "loss" else 1, f"validation_{monitor}"
        if not result.best or sign * record[name] > sign * result.best[name]:
            result.best, result.waited = record, 0
        if result.waited == 0 or self.budget.keep == "last":
            self.kept = self.learner.parameters()
        return record

    def record(self) -> Record:
        """Return where the training is."""
        result = self.result
        sizes = self.batches.sizes(max(result.step - 1, 0))
        return {
            "step": result.step,
            "examples": result.step * self.budget.batch_size,
            "seconds": round(result.seconds, 3),
            "progress": min(1.0, self.progress),
            "learning_rate": self.learning_rate,
            **({"sizes": sizes} if sizes else {}),
        }

    def save(self, path: Path) -> None:
        """Write the parameters that are kept and, if there is a next step, all that it depends on."""
        arrays = with_prefix("kept", self.kept)
        if not self.result.finished:
            arrays |= with_prefix("state", self.learner.state())
        notes = {
            "settings": self.settings,
            "result": dataclasses.asdict(self.result),
            "batches": self.batches.state(),
        }
        if self.team.rank == 0:
            save_arrays(path, arrays, notes)

    def restore(self, path: Path) -> None:
        """Go on from a file that `save` wrote.

        Raises:
            BadFile: it is no such file, or one of a training with other settings or another model.
        """
        arrays, notes = load_arrays(path, REMEDY)
        if notes.keys() != {"settings", "result", "batches"}:
            told = ", ".join(notes) or "none"
            raise BadFile(path, f"is no checkpoint of a training: its notes are {told}", REMEDY)
        there = notes["settings"] if isinstance(notes["settings"], dict) else {}
        changed = [name for name, value in self.settings.items() if there.get(name) != value]
        if changed:
            told = ", ".join(
                f"{name}: {there.get(name)!s:.60} there, {self.settings[name]} now" for name in changed
            )
            raise BadFile(
                path, f"is the checkpoint of another training ({told})", "remove it or name another"
            )
        try:
            result = decode(FitResult, notes["result"], "result")
            self._check(result)
            kept = without_prefix("kept", arrays)
            check_arrays(kept, self.learner.parameters())
            self.batches.restore(notes["batches"])
            if not result.finished:
                self.learner.load_state(without_prefix("state", arrays))
        except ValueError as error:
            raise BadFile(path, f"is damaged, or of another model: {error}", REMEDY) from None
        self.kept, self.result = kept, result
        if result.finished:
            self.learner.load_parameters(kept)

    def _check(self, result: FitResult) -> None:
        """Check that a training of these settings can have come so far.

        Raises:
            ValueError: it cannot.
        """
        score = f"validation_{self.settings['monitor']}"
        named = {"step": int, "examples": int, "validation_loss": float, score: float}
        for record in (*result.history, *([result.best] if result.best else [])):
            for name, kind in named.items():
                value = record.get(name)
                if isinstance(value, bool) or not isinstance(value, (int, kind)) or value != value:
                    raise ValueError(f"an evaluation has {name} {shortened(value)}")
        steps = [record["step"] for record in result.history]
        if not 0 <= result.step <= self.budget.steps or not result.seconds >= 0:
            raise ValueError(f"it has {result.step} steps in {result.seconds} seconds")
        if steps != sorted(set(steps)) or not all(0 <= step <= result.step for step in steps):
            raise ValueError(f"its evaluations are after the steps {shortened(steps)}")
        if (steps and result.best.get("step") not in steps) or (result.best and not steps):
            raise ValueError("its best evaluation is none of them")
        if result.finished and not steps:
            raise ValueError("it is finished and was never evaluated")
        if not 0 <= result.waited <= len(steps) or result.sums.get("steps", 0) < 0:
            raise ValueError("it has waited for longer than it has lasted")


def read_result(path: Path) -> FitResult:
    """Return how far the training of a checkpoint had come.

    Raises:
        BadFile: it is damaged.
    """
    notes = load_arrays(path, REMEDY)[1]
    try:
        return decode(FitResult, notes.get("result"), "result")
    except ValueError as error:
        raise BadFile(path, f"is damaged: {error}", REMEDY) from None


def _forget_after(log: Path, step: int) -> None:
    """Drop the records after `step`: a training that goes on from there writes them again."""

    def until_there(records: list[Record]) -> Iterator[Record]:
        for record in records:
            if type(record.get("step")) is not int:
                raise BadFile(
                    log,
                    f"is damaged: a line has the step {shortened(record.get('step'))}",
                    "remove that line",
                )
            if record["step"] <= step:
                yield record

    rewrite_lines(log, until_there, "remove that line")


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
