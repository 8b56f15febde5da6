"""A trained RMC as the NumPy classifier that the page's own forward pass equals; needs no torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from relational_rnn.config.checks import BadFile
from relational_rnn.interop.parameters import set_parameters
from relational_rnn.reference import Classifier, RelationalMemory
from relational_rnn.reference.arrays import Array
from relational_rnn.tasks.nth_farthest import NthFarthest
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import Contestant
from relational_rnn.training.weights import REMEDY, read_weights

TRAIN = "relational-rnn train nth-farthest --preset plane --models rmc"
"""Trains a run that the playground shows."""

MOST_OBJECTS = 12
"""Points and slots that the page has room for."""


class PlaneModel(NamedTuple):
    """A trained RMC on Nth farthest in the plane."""

    classifier: Classifier
    """float64, whatever the training's dtype."""
    config: RunConfig[Any]
    contestant: Contestant

    @property
    def core(self) -> RelationalMemory:
        """The recurrent part."""
        assert isinstance(self.classifier.core, RelationalMemory)
        return self.classifier.core

    @property
    def task(self) -> NthFarthest:
        """With its sizes."""
        task = self.config.task
        assert isinstance(task, NthFarthest)
        return task


def read_model(path: Path) -> PlaneModel:
    """Read a weights file of an RMC on Nth farthest in the plane, whatever framework trained it.

    Args:
        path: the file.

    Raises:
        BadFile: the file holds no weights, or not those of its model.
        ValueError: it is another model, of another task or of more dimensions, or has what the page's
            forward pass lacks; the message says what is needed and what trains it.
    """
    values, config, contestant = read_weights(path)
    check_shown(path, config, contestant)
    model = config.of(contestant.model).model
    core = RelationalMemory(
        config.task.input_size, head_size=model.head_size, **model.core_options(), dtype=np.float64
    )
    hidden = (model.head_units,) * model.head_layers
    classifier = Classifier(core, config.task.classes, hidden, head_activation=model.head_activation)
    try:
        set_parameters(core, {n.removeprefix("core."): v for n, v in values.items() if n.startswith("core.")})
        fill_head(classifier, {name: v for name, v in values.items() if not name.startswith("core.")})
    except (ValueError, TypeError) as error:
        raise BadFile(path, f"does not hold the weights of its model: {error}", REMEDY) from None
    return PlaneModel(classifier, config, contestant)


def check_shown(path: Path, config: RunConfig[Any], contestant: Contestant) -> None:
    """Check that the page can show a trained model.

    Raises:
        ValueError: it cannot; the message says what is needed and what trains it.
    """
    task, needed = config.task, f"train one with: {TRAIN}"
    if not isinstance(task, NthFarthest):
        raise ValueError(
            f"the playground needs a run of nth-farthest in the plane, {path} is of {task.name}; {needed}"
        )
    if contestant.model != "rmc":
        raise ValueError(f"the playground shows an RMC, {path} is of the model {contestant.model!r}; {needed}")
    if task.dimensions != 2:
        raise ValueError(
            f"the playground draws points in a plane: it needs dimensions=2, {path} has "
            f"dimensions={task.dimensions}; {needed}"
        )
    model = config.of(contestant.model).model
    for name, value in (("objects", task.objects), ("mem_slots", model.mem_slots)):
        if value > MOST_OBJECTS:
            raise ValueError(f"the playground has room for {name}={MOST_OBJECTS} at most, {path} has {value}")
    for name, usual in (("port_fault", "none"), ("layer_norm_placement", "authors")):
        if getattr(model, name) != usual:
            raise ValueError(
                f"the playground's forward pass has {name}={usual!r} only, {path} was trained with "
                f"{name}={getattr(model, name)!r}"
            )


def fill_head(classifier: Classifier, values: dict[str, Array]) -> None:
    """Write the head's weights into a NumPy classifier; torch counts the activations between them as layers.

    Raises:
        ValueError: a name or a shape that is not the head's.
    """
    layers = sorted({int(found[1]) for name in values if (found := re.match(r"head\.(\d+)\.", name))})
    renamed = {f"head.{layer}": f"head.{number}" for number, layer in enumerate(layers)}
    wanted = {name for name in classifier.params if name.startswith("head.")}
    given = {}
    for name, value in values.items():
        layer, _, kind = name.rpartition(".")
        given[f"{renamed.get(layer, layer)}.{kind}"] = value
    if given.keys() != wanted:
        raise ValueError(f"names differ: {', '.join(sorted(given.keys() ^ wanted)[:3])}")
    for name, value in given.items():
        if value.shape != classifier.params[name].shape:
            raise ValueError(f"{name} must have shape {classifier.params[name].shape}, got {value.shape}")
        classifier.params[name][...] = value
