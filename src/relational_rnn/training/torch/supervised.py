"""The supervised tasks in torch: the training step, and models on disk."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relational_rnn.nn import SequenceClassifier
from relational_rnn.reference.arrays import Array
from relational_rnn.reference.training import Examples
from relational_rnn.training.common.arrays_file import load_arrays, save_arrays
from relational_rnn.training.common.supervised import Contestant, SupervisedSettings, settings_from
from relational_rnn.training.common.supervised_run import Framework
from relational_rnn.training.torch.build import build_model, count_parameters, matched_size

CHUNK = 256
"""Examples scored at once."""


class TorchLearner:
    """A torch model and Adam, as the common loop wants them.

    Args:
        model: answers at the steps that are asked for.
        learning_rate: to begin with; it is set at every step.
        max_norm: largest joint norm of all gradients.
    """

    def __init__(self, model: SequenceClassifier, learning_rate: float, max_norm: float) -> None:
        self.model, self.max_norm = model, max_norm
        self.optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)

    def train_step(self, batch: Examples, learning_rate: float) -> dict[str, float]:
        """Run forward and backward on the answers that count, clip, and let Adam change the parameters.

        Raises:
            FloatingPointError: the loss or the gradients are not finite; the parameters stay as they were.
        """
        self.optimiser.param_groups[0]["lr"] = learning_rate
        scores, targets, asked = self._answers(batch)
        loss = F.cross_entropy(scores, targets)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm).item()
        value = loss.item()
        if not (math.isfinite(value) and math.isfinite(norm)):
            raise FloatingPointError(f"training diverged: loss {value}, norm of the gradients {norm}")
        self.optimiser.step()
        right = scores.argmax(1) == targets
        return {"loss": value, "grad_norm": norm} | _shares(right, _solved(right, asked))

    @torch.no_grad()
    def evaluate(self, examples: Examples) -> dict[str, float]:
        """Return loss, accuracy and sequence accuracy, as `reference.evaluate` does."""
        self.model.eval()
        losses, rights, solved = 0.0, [], []
        for start in range(0, len(examples.inputs), CHUNK):
            scores, targets, asked = self._answers(examples, slice(start, start + CHUNK))
            losses += F.cross_entropy(scores, targets, reduction="sum").item()
            rights.append(scores.argmax(1) == targets)
            solved.append(_solved(rights[-1], asked))
        self.model.train()
        right = torch.cat(rights)
        return {"loss": losses / len(right)} | _shares(right, torch.cat(solved))

    def _answers(self, batch: Examples, piece: slice = slice(None)) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores (K, C) and targets (K,) of the answers that count, and which do (B, T)."""
        mask = torch.from_numpy(np.asarray(getattr(batch, "mask")[piece]))  # noqa: B009
        inputs, targets = (torch.from_numpy(np.asarray(x[piece])) for x in (batch.inputs, batch.targets))
        return self.model(inputs, asked=mask), targets[mask], mask

    def parameters(self) -> dict[str, Array]:
        """Return copies."""
        return {name: value.detach().numpy().copy() for name, value in self.model.named_parameters()}

    @torch.no_grad()
    def put_parameters(self, values: Mapping[str, Array]) -> None:
        """Write into the model's tensors."""
        for name, parameter in self.model.named_parameters():
            parameter.copy_(torch.from_numpy(values[name]))

    def optimiser_state(self) -> dict[str, Array]:
        """Return Adam's moments and step by parameter."""
        return {
            f"{name}.{key}": value.numpy().copy()
            for name, parameter in self.model.named_parameters()
            for key, value in self.optimiser.state[parameter].items()
        }

    def put_optimiser_state(self, values: Mapping[str, Array]) -> None:
        """Go back to them."""
        for name, parameter in self.model.named_parameters():
            keys = ("step", "exp_avg", "exp_avg_sq")
            self.optimiser.state[parameter] = {
                key: torch.from_numpy(values[f"{name}.{key}"].copy()) for key in keys
            }


def _solved(right: Tensor, asked: Tensor) -> Tensor:
    """Say of each sequence with an answer whether all of them are right.

    Args:
        right: (K,) bool, row after row.
        asked: (B, T) bool with K true.
    """
    wrong = torch.zeros(asked.shape, dtype=torch.bool)
    wrong[asked] = ~right
    return ~wrong[asked.any(1)].any(1)


def _shares(right: Tensor, solved: Tensor) -> dict[str, float]:
    return {
        "accuracy": right.double().mean().item(),
        "sequence_accuracy": solved.double().mean().item(),
    }


def learner(model: SequenceClassifier, settings: SupervisedSettings[Any]) -> TorchLearner:
    """Return a model with its optimiser."""
    return TorchLearner(model, settings.learning_rate, settings.clip_norm)


@contextmanager
def limit_threads(count: int) -> Iterator[None]:
    """Give torch so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def save_model(
    path: Path,
    model: SequenceClassifier,
    task: str,
    settings: SupervisedSettings[Any],
    contestant: Contestant,
) -> None:
    """Write weights as safetensors, with what it takes to build the model beside them, atomically."""
    notes = {
        "task": task,
        "framework": "torch",
        "settings": dataclasses.asdict(settings),
        "contestant": contestant,
    }
    save_arrays(path, {name: value.numpy() for name, value in model.state_dict().items()}, notes)


def load_model(path: Path) -> tuple[SequenceClassifier, str, SupervisedSettings[Any], Contestant]:
    """Build the model of a file that `save_model` wrote; return it, the task, the settings and the training.

    Raises:
        ValueError: the file is no such file.
    """
    values, notes = load_arrays(path)
    if notes.get("framework") != "torch":
        raise ValueError(
            f"{path} holds no torch model of a supervised task: its notes are {', '.join(notes)}"
        )
    settings = settings_from(notes["task"], notes["settings"])
    contestant = Contestant(*notes["contestant"])
    model = build_model(settings, contestant.model, contestant.seed)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()})
    return model, notes["task"], settings, contestant


@torch.no_grad()
def predict(model: SequenceClassifier, inputs: Array) -> Array:
    """Return the most likely class at each step of sequences (B, T, F): (B, T)."""
    every = torch.ones(inputs.shape[:2], dtype=torch.bool)
    scores = [
        model(piece, asked=asked)
        for piece, asked in zip(torch.from_numpy(inputs).split(CHUNK), every.split(CHUNK))
    ]
    predictions: Array = torch.cat(scores).argmax(1).view(every.shape).numpy()
    return predictions


TORCH = Framework(
    name="torch",
    build=build_model,
    matched_size=matched_size,
    count_parameters=count_parameters,
    learner=learner,
    save=save_model,
    load=load_model,
    predict=predict,
    limit_threads=limit_threads,
)
"""For `training.common.supervised_run`."""
