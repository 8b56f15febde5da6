"""A trained RMC as the NumPy classifier that the page's own forward pass equals; needs no torch."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from relational_rnn.config.checks import BadFile
from relational_rnn.reference import Classifier, RelationalMemory
from relational_rnn.reference.arrays import Array
from relational_rnn.tasks.group_word import GroupWord
from relational_rnn.tasks.nth_farthest import NthFarthest
from relational_rnn.training.arrays_file import check_arrays
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import Contestant
from relational_rnn.training.learners.numpy import build_model
from relational_rnn.training.weights import read_weights, remedy_of

TRAIN = "relational-rnn train nth-farthest --preset plane --models rmc"
"""Trains a run that the playground shows."""
TRAIN_SWAPS = "relational-rnn train group-word --preset swaps --models rmc"
"""Trains one for its second scene."""

MOST_OBJECTS = 12
"""Points and slots that the page has room for."""


class ShownModel(NamedTuple):
    """A trained RMC on a task that the page has a scene for."""

    classifier: Classifier
    """float64, whatever the training's dtype."""
    config: RunConfig
    contestant: Contestant

    @property
    def core(self) -> RelationalMemory:
        """The recurrent part."""
        assert isinstance(self.classifier.core, RelationalMemory)
        return self.classifier.core


class PlaneModel(ShownModel):
    """A trained RMC on Nth farthest in the plane."""

    __slots__ = ()

    @property
    def task(self) -> NthFarthest:
        """With its sizes."""
        task = self.config.task
        assert isinstance(task, NthFarthest)
        return task


class SwapsModel(ShownModel):
    """A trained RMC on group words that are swaps."""

    __slots__ = ()

    @property
    def task(self) -> GroupWord:
        """With its sizes."""
        task = self.config.task
        assert isinstance(task, GroupWord)
        return task


def read_model(path: Path) -> PlaneModel | SwapsModel:
    """Read a weights file of an RMC that the page can show, whatever framework trained it.

    Args:
        path: the file.

    Raises:
        BadFile: the file holds no weights, or not those of its model.
        ValueError: it is another model, of another task or of sizes that the page cannot draw, or has what
            its forward pass lacks; the message says what is needed and what trains it.
    """
    values, config, contestant = read_weights(path)
    check_shown(path, config, contestant)
    own = config.of(contestant.model)
    drawn = build_model(own, contestant)  # a NumPy run's file lacks the memory that its seed draws
    assert isinstance(drawn.core, RelationalMemory)
    core = RelationalMemory(**dataclasses.asdict(drawn.core.config), dtype=np.float64)
    hidden = (own.model.head_units,) * own.model.head_layers
    activation = own.model.head_activation
    classifier = Classifier(core, config.task.classes, hidden, head_activation=activation)
    memory = {f"core.{name}": value for name, value in drawn.core.buffers.items()}
    try:
        fill(classifier, memory | renamed(values))
    except ValueError as error:
        raise BadFile(path, f"does not hold the weights of its model: {error}", remedy_of(path)) from None
    shown = PlaneModel if isinstance(config.task, NthFarthest) else SwapsModel
    return shown(classifier, config, contestant)


def check_shown(path: Path, config: RunConfig, contestant: Contestant) -> None:
    """Check that the page can show a trained model.

    Raises:
        ValueError: it cannot; the message says what is needed and what trains it.
    """
    task = config.task
    needed = f"train one with: {TRAIN_SWAPS if isinstance(task, GroupWord) else TRAIN}"
    if not isinstance(task, NthFarthest | GroupWord):
        raise ValueError(
            "the playground needs a run of nth-farthest in the plane or of group-word, "
            f"{path} is of {task.name}; {needed}"
        )
    if contestant.model != "rmc":
        raise ValueError(
            f"the playground shows an RMC, {path} is of the model {contestant.model!r}; {needed}"
        )
    if isinstance(task, GroupWord) and (task.elements == "all" or task.answers != "every"):
        raise ValueError(
            "the playground shows swaps, and an answer after each: it needs elements='neighbours' or 'swaps' "
            f"and answers='every', {path} has elements={task.elements!r}, answers={task.answers!r}; {needed}"
        )
    if isinstance(task, NthFarthest) and task.dimensions != 2:
        raise ValueError(
            f"the playground draws points in a plane: it needs dimensions=2, {path} has "
            f"dimensions={task.dimensions}; {needed}"
        )
    model = config.of(contestant.model).model
    objects = task.objects if isinstance(task, NthFarthest) else 0
    for name, value in (("objects", objects), ("mem_slots", model.mem_slots)):
        if value > MOST_OBJECTS:
            raise ValueError(f"the playground has room for {name}={MOST_OBJECTS} at most, {path} has {value}")
    for name, usual in (("port_fault", "none"), ("layer_norm_placement", "authors")):
        if getattr(model, name) != usual:
            raise ValueError(
                f"the playground's forward pass has {name}={usual!r} only, {path} was trained with "
                f"{name}={getattr(model, name)!r}"
            )


def renamed(values: Mapping[str, Array]) -> dict[str, Array]:
    """Number the head's layers as the NumPy classifier does; torch counts the activations between them too.

    Example:
        >>> list(renamed({"head.0.weight": np.ones(1), "head.2.weight": np.ones(1)}))
        ['head.0.weight', 'head.1.weight']
    """
    layers = sorted({int(found[1]) for name in values if (found := re.match(r"head\.(\d+)\.", name))})
    numbers = {f"head.{layer}": f"head.{number}" for number, layer in enumerate(layers)}
    parts = {name: name.rpartition(".") for name in values}
    return {f"{numbers.get(layer, layer)}.{kind}": values[name] for name, (layer, _, kind) in parts.items()}


def fill(classifier: Classifier, values: Mapping[str, Array]) -> None:
    """Write arrays into a float64 classifier and its core's initial memory.

    Raises:
        ValueError: names or shapes that are not its own, or numbers that are not finite.
    """
    buffers = getattr(classifier.core, "buffers", {})
    wanted = classifier.params | {f"core.{name}": value for name, value in buffers.items()}
    given = {name: value.astype(np.float64) for name, value in values.items()}
    check_arrays(given, wanted)
    for name, value in given.items():
        wanted[name][...] = value
