"""Presets of language modelling."""

from __future__ import annotations

from relational_rnn.tasks.language.task import Language
from relational_rnn.training.config import RunConfig, with_values
from relational_rnn.training.config_parts import BudgetConfig, ModelConfig, OptimiserConfig

MODELS = ("rmc", "lstm", "transformer")
"""The paper compares with an LSTM."""
TUNED_FOR_CHARACTERS = (
    "rmc.learning_rate=8e-3",
    "lstm.learning_rate=3.2e-2",
    "transformer.learning_rate=4e-3",
)
"""The best of a search of equal cost for each model, in docs/results/language.md."""


def characters() -> RunConfig[Language]:
    """Characters, windows of 64: ten minutes a model on one core for a megabyte of text."""
    return RunConfig(
        task=Language(units="characters", window=64),
        model=ModelConfig(
            models=MODELS,
            mem_slots=1,
            head_size=64,
            num_heads=4,
            embedding_size=64,
            output_dropout=0.1,
            overrides=TUNED_FOR_CHARACTERS,
        ),
        optimisation=OptimiserConfig(learning_rate=2e-3, clip_norm=1.0),
        budget=BudgetConfig(steps=3_000, batch_size=32, evaluate_every=250),
    )


def of_bytes() -> RunConfig[Language]:
    """The same of bytes, for a text in any script or format."""
    return with_values(characters(), {"units": "bytes"})


def wikitext2() -> RunConfig[Language]:
    """Words as in WikiText-2: 1 memory, tied embeddings, dropout; hours a model on one core."""
    return RunConfig(
        task=Language(units="words", window=35),
        model=ModelConfig(
            models=MODELS,
            mem_slots=1,
            head_size=64,
            num_heads=4,
            embedding_size=256,
            tied_embeddings=True,
            input_dropout=0.4,
            output_dropout=0.4,
        ),
        optimisation=OptimiserConfig(learning_rate=1e-3, clip_norm=0.25, warmup_steps=500),
        budget=BudgetConfig(steps=15_000, batch_size=32, evaluate_every=1_000),
    )


def wikitext103_paper() -> RunConfig[Language]:
    """The paper's settings (section 4.3 and appendix A.4): days on several GPUs.

    2,500 units in all, 4 heads, 1 memory, 5 layers of the MLP, 1 block; windows of 100; Adam with 1e-3, norms
    of the gradient up to 0.1; embeddings of 512 with dropout 0.5, tied to the softmax; 64 streams on each of
    6 GPUs, here 384. The paper has no schedule of the learning rate.
    """
    return RunConfig(
        task=Language(units="words", window=100),
        model=ModelConfig(
            models=("rmc", "lstm"),
            mem_slots=1,
            head_size=625,
            num_heads=4,
            attention_mlp_layers=5,
            embedding_size=512,
            tied_embeddings=True,
            input_dropout=0.5,
        ),
        optimisation=OptimiserConfig(learning_rate=1e-3, clip_norm=0.1, warmup_steps=0, final_share=1.0),
        budget=BudgetConfig(steps=100_000, batch_size=384, evaluate_every=1_000),
    )


def tiny() -> RunConfig[Language]:
    """Seconds: to see the machinery run, not to learn."""
    sizes = {"mem_slots": 1, "head_size": 8, "num_heads": 2, "embedding_size": 8, "window": 16}
    budget = {"steps": 20, "batch_size": 8, "warmup_steps": 5, "evaluate_every": 10, "seeds": 2}
    return with_values(characters(), sizes | budget | {"overrides": ()})
