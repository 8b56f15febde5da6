"""One model's training: the loop over steps, its checkpoints and its exact resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relational_rnn.training.common.files import write_atomically
from relational_rnn.training.common.nth_farthest import (
    VALIDATION,
    Growth,
    NthFarthestSettings,
    held_out_batch,
    training_batch,
)
from relational_rnn.training.common.schedule import warmup_cosine
from relational_rnn.training.torch.optimisers import averaged, build_optimiser

REPORT_SECONDS = 0.5
CHECKPOINT_SECONDS = 30.0
CHUNK = 1000
"""Examples scored at once."""


@dataclass(frozen=True)
class Budget:
    """When a training is over."""

    steps: int
    seconds: float
    both: bool = False
    """False: over when the first is used up; True: when both are."""

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the training that is over; 1 or more ends it."""
        parts = seconds / self.seconds, step / self.steps
        return min(parts) if self.both else max(parts)


class Training:
    """A model, its optimiser, its examples, and how far it has come.

    Args:
        model: (B, T, F) -> scores (B, C); it is moved to the run's device.
        settings: of the run.
        growth: the size of the task over the training.
        budget: when it is over.
        checkpoint: file to go on from, if it exists, and to write.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: NthFarthestSettings,
        growth: Growth,
        budget: Budget,
        checkpoint: Path,
    ) -> None:
        self.model = model.to(settings.device)
        self.settings, self.growth, self.budget = settings, growth, budget
        self.checkpoint = checkpoint
        self.optimiser = build_optimiser(model, settings)
        self.average = averaged(model, settings.average_decay) if settings.average_decay else None
        self.step, self.seconds = 0, 0.0
        self.validation = held_out_batch(settings, settings.validation_examples, VALIDATION)
        if checkpoint.exists():
            self.restore()

    def run(
        self,
        report: Callable[[dict[str, Any]], None] = lambda record: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Train until the budget is used up.

        Args:
            report: gets a record about twice a second, and one with the validation accuracy at each
                point of the curves.
            stopped: asked after each step; True saves a checkpoint and ends the training.

        Returns:
            Whether the budget is used up.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        start = time.perf_counter() - self.seconds
        next_report, next_save = self.seconds, self.seconds + CHECKPOINT_SECONDS
        next_point = self._reached() + 1 if self.step else 0
        while (progress := self.budget.progress(self.step, self.seconds)) < 1:
            loss, correct, objects = self.advance(progress)
            self.seconds = time.perf_counter() - start
            if self.seconds >= next_report:
                report(self.record(loss=loss, accuracy=correct, trained_objects=objects, progress=progress))
                next_report = self.seconds + REPORT_SECONDS
            if next_point <= self._reached() < self.settings.evaluations:
                report(self.record(validation_accuracy=self.validate()))
                next_point = self._reached() + 1
            if stopped():
                self.save()
                return False
            if self.seconds >= next_save:
                self.save()
                next_save = self.seconds + CHECKPOINT_SECONDS
        report(self.record(validation_accuracy=self.validate(), progress=1.0))
        self.save()
        return True

    def _reached(self) -> int:
        """Return the number of the last point of the curve that was passed."""
        return math.floor(self.settings.evaluations * self.budget.progress(self.step, self.seconds))

    def advance(self, progress: float) -> tuple[float, float, int]:
        """Do one step: return its loss, its training accuracy and its number of objects."""
        settings = self.settings
        factor = warmup_cosine(self.step, progress, settings.warmup_steps, settings.final_share)
        for group in self.optimiser.param_groups:
            group["lr"] = settings.learning_rate * factor
        batch = training_batch(settings, self.growth, self.step)
        inputs, targets = (torch.from_numpy(x).to(settings.device) for x in (batch.inputs, batch.targets))
        scores = self.model(inputs)
        twice = settings.has_fault("double-softmax")
        loss = F.cross_entropy(scores.softmax(1) if twice else scores, targets)
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the loss is {value} at step {self.step}: try a smaller learning_rate than "
                f"{settings.learning_rate}"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip_norm)
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        correct = (scores.argmax(1) == targets).float().mean().item()
        objects = batch.inputs.shape[1]
        self.growth.observe(self.step, objects, correct)
        self.step += 1
        return value, correct, objects

    def record(self, **values: Any) -> dict[str, Any]:
        """Return where the training is, with `values`."""
        stage = self.growth.at(max(self.step - 1, 0))
        return {
            "step": self.step,
            "seconds": round(self.seconds, 3),
            "examples": self.step * self.settings.batch_size,
            "objects": stage.objects,
            "dimensions": stage.dimensions,
            **values,
        }

    @property
    def result(self) -> nn.Module:
        """The model that counts: with the moving average of the weights, if there is one."""
        return self.model if self.average is None else self.average.module

    def validate(self) -> float:
        """Return the accuracy on held-out examples of the full task."""
        return accuracy(self.result, self.validation.inputs, self.validation.targets)

    def save(self) -> None:
        """Write the checkpoint, atomically."""
        state = {
            "model": self.model.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "growth": self.growth.state(),
            "step": self.step,
            "seconds": self.seconds,
        }
        write_atomically(self.checkpoint, lambda path: torch.save(state, path))

    def restore(self) -> None:
        """Go on from the checkpoint."""
        state = torch.load(self.checkpoint, map_location=self.settings.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.growth.restore(state["growth"])
        self.step, self.seconds = state["step"], state["seconds"]


@torch.no_grad()
def predict(model: nn.Module, inputs: Any) -> Tensor:
    """Return the most likely class of each sequence (B, T, F): (B,) int64, on the CPU."""
    model.eval()
    device = next(model.parameters()).device
    chunks = [model(chunk.to(device)).argmax(1) for chunk in torch.from_numpy(inputs).split(CHUNK)]
    model.train()
    return torch.cat(chunks).cpu()


def accuracy(model: nn.Module, inputs: Any, targets: Any) -> float:
    """Return the share of sequences (B, T, F) that are classified as `targets` (B,) say."""
    return (predict(model, inputs) == torch.from_numpy(targets)).double().mean().item()
