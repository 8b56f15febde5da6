"""What a framework offers to a run; `framework_of` is the only place that knows them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from relational_rnn.reference.arrays import Array
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import Contestant
from relational_rnn.training.trainer import Learner


class Framework(NamedTuple):
    """Functions that build, train and ask models."""

    name: str
    """As in the configuration."""
    check: Callable[[RunConfig], None]
    """(config): ValueError for what is not there, such as a device."""
    build: Callable[[RunConfig, Contestant], Any]
    """(config, training) -> a model; its initial values follow from the seed."""
    matched_size: Callable[[RunConfig, str], int]
    """(config, opponent) -> the smallest size with at least the RMC's parameters, or its state."""
    count_parameters: Callable[[Any], int]
    """(model) -> how many numbers training changes."""
    state_size: Callable[[Any, int, int], int | None]
    """(model, features of an input, steps T) -> how many numbers it keeps from step to step, after T; None
    for a model of one's own that does not hand them out."""
    learner: Callable[..., Learner]
    """(model, config of its training, of a text also the `Team` that trains it) -> it with its optimiser."""
    arrays: Callable[[Any], dict[str, Array]]
    """(model) -> everything that a file of weights has to hold."""
    load_arrays: Callable[[Any, Mapping[str, Array]], None]
    """(model, such arrays): give the model these values."""
    predict: Callable[[Any, Array, bool], Array]
    """(model, inputs (B, T, F), at every step?) -> the most likely class at each step (B, T), or after the
    last one (B,)."""
    generate: Callable[..., Iterator[str]] | None
    """(`Trained`, prompt, options of `Trained.stream`) -> the text that a language model writes; None without
    such models."""
    limit_threads: Callable[[int], AbstractContextManager[Any]]
    """Gives a training so many threads."""
    peak_memory: Callable[[str], int | None]
    """(device) -> most bytes that this process has used there."""


def framework_of(name: str) -> Framework:
    """Return a framework by its name."""
    if name == "numpy":
        from relational_rnn.training.learners.numpy import NUMPY

        return NUMPY
    try:
        from relational_rnn.training.learners.torch import TORCH
    except ModuleNotFoundError as missing:
        if missing.name != "torch":
            raise
        raise ModuleNotFoundError("this model needs torch: pip install torch", name="torch") from None
    return TORCH
