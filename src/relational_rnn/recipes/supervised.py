"""Presets of the supervised tasks. `quick`: minutes on two cores for each training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from relational_rnn.tasks.babi.task import Babi
from relational_rnn.tasks.babi_synthetic import BabiSynthetic
from relational_rnn.tasks.object_tracking import ObjectTracking
from relational_rnn.tasks.pair_matching import PairMatching
from relational_rnn.tasks.programs import (
    Addition,
    Algebra,
    CharacterTask,
    Control,
    Copy,
    Double,
    FullProgram,
    Reverse,
)
from relational_rnn.tasks.sorting import Sorting
from relational_rnn.training.common.supervised import SupervisedSettings


def sorting() -> SupervisedSettings[Sorting]:
    """8 items of 10 values."""
    return SupervisedSettings(task=Sorting(), steps=1_500, learning_rate=1e-3)


def pair_matching() -> SupervisedSettings[PairMatching]:
    """6 pairs."""
    return SupervisedSettings(task=PairMatching(), train_examples=100_000, steps=6_000, learning_rate=3e-3)


def object_tracking() -> SupervisedSettings[ObjectTracking]:
    """3 objects on 5x5 for 12 moves."""
    return SupervisedSettings(task=ObjectTracking(), train_examples=200_000, steps=8_000, learning_rate=3e-3)


def babi_synthetic() -> SupervisedSettings[BabiSynthetic]:
    """Stories of 4 people and 6 places, questions with 1, 2 and 3 supporting facts."""
    return SupervisedSettings(task=BabiSynthetic(), train_examples=100_000, steps=4_000, learning_rate=3e-3)


PROGRAM_MODELS = ("rmc", "lstm", "transformer", "dnc")
"""Models that read programs; the paper compares the RMC with LSTM, EntNet and DNC."""


def programs_quick(task: CharacterTask) -> SupervisedSettings[CharacterTask]:
    """Return the settings for a task whose largest examples are small; sizes are mixed, as in the paper."""
    return SupervisedSettings(
        task=replace(task, curriculum="mix"),  # type: ignore[type-var]  # its subclasses are dataclasses
        models=PROGRAM_MODELS,
        framework="torch",
        seeds=1,
        train_examples=None,
        validation_examples=1_000,
        test_examples=12_800,
        steps=5_000,
        batch_size=128,
        learning_rate=4e-3,
        evaluate_every=250,
        mem_slots=4,
        head_size=16,
        num_heads=4,
        head_layers=1,
        head_units=128,
    )


def programs_paper(task: CharacterTask) -> SupervisedSettings[CharacterTask]:
    """Return the paper's settings (appendix A.2), the smallest of those that it tried: days on two cores.

    Batch 128, Adam with 1e-3, 200,000 steps, 4 memories, 4 heads, 1024 units in all, one gate for each
    memory, a head of 4 layers of 256, 12,800 test examples at nesting 2 and length 5.
    """
    return replace(
        programs_quick(task),
        steps=200_000,
        learning_rate=1e-3,
        evaluate_every=1_000,
        final_share=1.0,
        head_size=64,
        gate_style="memory",
        head_layers=4,
        head_units=256,
    )


def addition() -> SupervisedSettings[CharacterTask]:
    """Sums of 2 numbers of up to 3 digits."""
    return programs_quick(Addition(nesting=1, length=3))


def control() -> SupervisedSettings[CharacterTask]:
    """A choice or a loop with numbers of up to 3 digits."""
    return programs_quick(Control(nesting=1, length=3))


def program() -> SupervisedSettings[CharacterTask]:
    """One operation of any kind on numbers of up to 3 digits."""
    return programs_quick(FullProgram(nesting=1, length=3))


def algebra() -> SupervisedSettings[CharacterTask]:
    """A sum, difference or product of numbers of up to 3 digits."""
    return programs_quick(Algebra(nesting=1, length=3))


def copy() -> SupervisedSettings[CharacterTask]:
    """Up to 10 digits."""
    return programs_quick(Copy(length=10))


def reverse() -> SupervisedSettings[CharacterTask]:
    """Up to 10 digits."""
    return programs_quick(Reverse(length=10))


def double() -> SupervisedSettings[CharacterTask]:
    """Up to 10 digits."""
    return programs_quick(Double(length=10))


def addition_paper() -> SupervisedSettings[CharacterTask]:
    """The paper's table 1, "Add": days on two cores."""
    return programs_paper(Addition())


def control_paper() -> SupervisedSettings[CharacterTask]:
    """The paper's table 1, "Control": days on two cores."""
    return programs_paper(Control())


def program_paper() -> SupervisedSettings[CharacterTask]:
    """The paper's table 1, "Program": days on two cores."""
    return programs_paper(FullProgram())


def babi() -> SupervisedSettings[Babi]:
    """All 20 tasks of bAbI, 1,000 questions each, learned jointly by one model."""
    return SupervisedSettings(
        task=Babi(),
        models=("rmc", "lstm"),
        framework="torch",
        seeds=1,
        steps=6_000,
        batch_size=32,
        learning_rate=2e-3,
        evaluate_every=200,
        mem_slots=4,
        head_size=16,
        num_heads=4,
    )


def tiny(recipe: Callable[[], SupervisedSettings[Any]]) -> Callable[[], SupervisedSettings[Any]]:
    """Return a preset like `recipe`, but tiny."""

    def make() -> SupervisedSettings[Any]:
        """Seconds: to see the machinery run, not to learn."""
        return replace(
            recipe(),
            seeds=2,
            train_examples=recipe().train_examples and 200,
            validation_examples=50,
            test_examples=100,
            steps=20,
            batch_size=16,
            warmup_steps=5,
            evaluate_every=5,
            mem_slots=2,
            head_size=4,
            num_heads=2,
            head_units=8,
        )

    return make
