"""Presets of the main task, Nth farthest."""

from __future__ import annotations

import dataclasses

from relational_rnn.training.common.nth_farthest import NthFarthestSettings


def quick() -> NthFarthestSettings:
    """Minutes on two cores: 3 vectors of 16 dimensions."""
    return NthFarthestSettings(
        objects=3,
        dimensions=16,
        mem_slots=3,
        steps=3000,
        seconds=130.0,
        batch_size=512,
        learning_rate=4e-3,
        growth_threshold=0.8,
    )


def paper8x16() -> NthFarthestSettings:
    """The paper's task, 8 vectors of 16 dimensions (appendix A.1), with a core that a laptop can train.

    The paper's own core has 2048 units in 8 slots and trains on batches of 1600; its head has 4 layers.
    """
    return NthFarthestSettings(
        objects=8,
        dimensions=16,
        mem_slots=8,
        attention_mlp_layers=4,
        head_layers=3,
        steps=30_000,
        seconds=3600.0,
        batch_size=512,
        optimiser="soap",
        learning_rate=3e-3,
        final_share=0.005,
        average_decay=0.998,
        growth_threshold=0.75,
        test_examples=20_000,
    )


def paper() -> NthFarthestSettings:
    """The paper's own sizes (appendix A.1), for a GPU, learned as `paper8x16` is, at a lower rate.

    The paper has 2048 units, here in 8 memories with 8 heads, batches of 1600 and a head of 4 layers of 256.
    It trains with Adam at 1e-4, on the full task from the first step on.
    """
    return dataclasses.replace(
        paper8x16(),
        head_size=32,
        num_heads=8,
        attention_mlp_layers=2,
        head_layers=4,
        batch_size=1600,
        learning_rate=2e-3,
    )


def tiny() -> NthFarthestSettings:
    """Seconds: to see the machinery run, not to learn."""
    return NthFarthestSettings(
        objects=3,
        dimensions=4,
        steps=20,
        seconds=2.0,
        batch_size=16,
        warmup_steps=5,
        mem_slots=2,
        head_size=4,
        num_heads=2,
        head_layers=1,
        head_units=8,
        test_examples=200,
        validation_examples=100,
        evaluations=4,
    )
