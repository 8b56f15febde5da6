"""Small models for the playground, of any configuration, with weights that are all random."""

import dataclasses

import numpy as np

from relational_rnn.analysis.playground.model import PlaneModel, SwapsModel
from relational_rnn.recipes import find_recipe
from relational_rnn.reference import Classifier, RelationalMemory
from relational_rnn.tasks.group_word import GroupWord
from relational_rnn.tasks.nth_farthest import NthFarthest
from relational_rnn.training.config import with_values
from relational_rnn.training.contestants import contestants

TASK = NthFarthest(objects=5, dimensions=2)
SWAPS = GroupWord(group="S5", elements="neighbours", length=5)
SIZES = {"mem_slots": 4, "head_size": 5, "num_heads": 2}


def random_model(activation="relu", hidden=(7,), task=TASK, **options):
    """A model whose biases, gains and initial memory are drawn too: no part of the forward pass is idle."""
    rng = np.random.default_rng(0)
    core = RelationalMemory(task.input_size, **{**SIZES, **options})
    classifier = Classifier(core, task.classes, hidden, head_activation=activation)
    for value in classifier.params.values():
        value[...] = rng.normal(size=value.shape).astype(np.float32) * 0.7
    for value in core.buffers.values():
        value[...] = value.astype(np.float32)
    alone = with_values(find_recipe("nth-farthest", "tiny"), {"models": ("rmc",), "grow": False})
    config = dataclasses.replace(alone, task=task)
    shown = SwapsModel if isinstance(task, GroupWord) else PlaneModel
    return shown(classifier, config, contestants(config)[0])
