"""Presets of the main task, Nth farthest."""

from __future__ import annotations

import dataclasses

from relational_rnn.tasks.nth_farthest import NthFarthest
from relational_rnn.training.config import RunConfig, with_values
from relational_rnn.training.config_parts import (
    BudgetConfig,
    CurriculumConfig,
    DataConfig,
    ModelConfig,
    OptimiserConfig,
)

START = ("objects=3", "labels=3", "dimensions=2")
"""Three vectors in a plane: there a model finds distance within a minute."""

STARTS_OF_LSTM = "lstm.initialisation=orthogonal+torch"

OPPONENTS = (STARTS_OF_LSTM, "lstm.steps_factor=2", "gru.steps_factor=2", "transformer.steps_factor=1.25")
"""So many steps that none has fewer examples than the RMC, nor less time: a step of the RMC takes as long as
1.5 to 1.8 of the LSTM's, 1.4 to 1.7 of the GRU's and 0.9 to 1.1 of the Transformer's (`bench.estimate`)."""


def quick() -> RunConfig[NthFarthest]:
    """Minutes on two cores: 3 vectors of 16 dimensions."""
    return RunConfig(
        task=NthFarthest(objects=3, dimensions=16),
        model=ModelConfig(
            mem_slots=3,
            head_layers=2,
            overrides=OPPONENTS,
        ),
        optimisation=OptimiserConfig(learning_rate=4e-3, warmup_steps=500),
        curriculum=CurriculumConfig(grow=True, start=START, growth_threshold=0.8, direct=True),
        budget=BudgetConfig(steps=3000, batch_size=512, evaluate_every=50, keep="last"),
        data=DataConfig(validation_examples=2_000, test_examples=10_000),
    )


def paper8x16() -> RunConfig[NthFarthest]:
    """The paper's task, 8 vectors of 16 dimensions (appendix A.1), with a core that a laptop can train.

    The paper's own core has 2048 units in 8 slots and trains on batches of 1600; its head has 4 layers.
    """
    return RunConfig(
        task=NthFarthest(objects=8, dimensions=16),
        model=ModelConfig(
            mem_slots=8,
            attention_mlp_layers=4,
            head_layers=3,
            overrides=OPPONENTS,
        ),
        optimisation=OptimiserConfig(
            optimiser="soap", learning_rate=3e-3, warmup_steps=500, final_share=0.005, average_decay=0.998
        ),
        curriculum=CurriculumConfig(grow=True, start=START, growth_threshold=0.75, direct=True),
        budget=BudgetConfig(steps=24_000, batch_size=512, evaluate_every=400, keep="last"),
        data=DataConfig(validation_examples=2_000, test_examples=20_000),
    )


def paper() -> RunConfig[NthFarthest]:
    """The paper's own sizes (appendix A.1), for a GPU, learned as `paper8x16` is, at a lower rate.

    The paper has 2048 units, here in 8 memories with 8 heads, batches of 1600 and a head of 4 layers of 256.
    It trains with Adam at 1e-4, on the full task from the first step on.
    """
    sizes = {"head_size": 32, "num_heads": 8, "attention_mlp_layers": 2, "head_layers": 4}
    return with_values(paper8x16(), {**sizes, "batch_size": 1600, "learning_rate": 2e-3})


def plane() -> RunConfig[NthFarthest]:
    """4 points in a plane, and an RMC small enough to run in a page: see `relational-rnn playground`."""
    return RunConfig(
        task=NthFarthest(objects=4, dimensions=2),
        model=ModelConfig(
            mem_slots=4, head_size=16, num_heads=3, head_layers=2, head_units=64, overrides=OPPONENTS
        ),
        optimisation=OptimiserConfig(
            optimiser="soap", learning_rate=3e-3, warmup_steps=500, final_share=0.005, average_decay=0.998
        ),
        curriculum=CurriculumConfig(
            grow=True, start=START, growth_threshold=0.8, smaller_share=0.2, direct=True
        ),
        budget=BudgetConfig(steps=9000, batch_size=256, evaluate_every=200, keep="last"),
        data=DataConfig(validation_examples=2_000, test_examples=20_000),
    )


def tiny() -> RunConfig[NthFarthest]:
    """Seconds: to see the machinery run, not to learn."""
    return dataclasses.replace(
        quick(),
        task=NthFarthest(objects=3, dimensions=4),
        model=ModelConfig(
            mem_slots=2,
            head_size=4,
            num_heads=2,
            head_layers=1,
            head_units=8,
            overrides=(STARTS_OF_LSTM,),
        ),
        optimisation=OptimiserConfig(warmup_steps=5),
        curriculum=CurriculumConfig(grow=True, start=START, direct=True),
        budget=BudgetConfig(steps=20, batch_size=16, evaluate_every=5, keep="last"),
        data=DataConfig(validation_examples=100, test_examples=200),
    )
