"""Presets of the other tasks. `quick`: minutes on two cores for each training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from relational_rnn.tasks import TaskEntry
from relational_rnn.tasks.babi.task import Babi
from relational_rnn.tasks.babi_synthetic import BabiSynthetic
from relational_rnn.tasks.group_word import GroupWord
from relational_rnn.tasks.mqar import Mqar
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
from relational_rnn.tasks.track_recall import TrackRecall
from relational_rnn.training.config import RunConfig, with_values
from relational_rnn.training.config_parts import (
    BudgetConfig,
    CurriculumConfig,
    DataConfig,
    ModelConfig,
    OptimiserConfig,
    RuntimeConfig,
)


def _reasoning(task: Any, *, examples: int, steps: int, learning_rate: float) -> RunConfig:
    """Return the settings for a reasoning task: three seeds in NumPy."""
    return RunConfig(
        task=task,
        model=ModelConfig(models=("rmc", "hybrid", "lstm")),
        optimisation=OptimiserConfig(learning_rate=learning_rate),
        budget=BudgetConfig(steps=steps),
        data=DataConfig(train_examples=examples),
        runtime=RuntimeConfig(framework="numpy"),
        seeds=3,
    )


def sorting() -> RunConfig[Sorting]:
    """8 items of 10 values."""
    return _reasoning(Sorting(), examples=50_000, steps=1_500, learning_rate=1e-3)


def pair_matching() -> RunConfig[PairMatching]:
    """6 pairs."""
    return _reasoning(PairMatching(), examples=100_000, steps=6_000, learning_rate=3e-3)


def object_tracking() -> RunConfig[ObjectTracking]:
    """3 objects on 5x5 for 12 moves."""
    return _reasoning(ObjectTracking(), examples=200_000, steps=8_000, learning_rate=3e-3)


def babi_synthetic() -> RunConfig[BabiSynthetic]:
    """Stories of 4 people and 6 places, questions with 1, 2 and 3 supporting facts."""
    return _reasoning(BabiSynthetic(), examples=100_000, steps=4_000, learning_rate=3e-3)


def _grown(task: Any, start: tuple[str, ...], steps: int) -> RunConfig:
    """Return the settings for a task with a curriculum: SOAP, fresh examples at every step."""
    return RunConfig(
        task=task,
        optimisation=OptimiserConfig(optimiser="soap", learning_rate=3e-3, warmup_steps=200),
        curriculum=CurriculumConfig(grow=True, start=start, growth_threshold=0.8, direct=True),
        budget=BudgetConfig(steps=steps, evaluate_every=100),
        data=DataConfig(validation_examples=500, test_examples=2_000),
    )


def group_word() -> RunConfig[GroupWord]:
    """Words of 16 elements of S3, grown from words of 2."""
    return _grown(GroupWord(), ("length=2",), steps=2_000)


TUNED_FOR_S5 = ("transformer.optimiser=soap",)
"""The best of a search of equal cost, in docs/results/track_and_recall.md; Adam at 5e-3 for all others."""


def s5() -> RunConfig[GroupWord]:
    """16 swaps of 5 objects, grown from 2."""
    config = _grown(GroupWord(group="S5", elements="swaps"), ("length=2",), steps=3_000)
    tuned = {"optimiser": "adam", "learning_rate": 5e-3, "overrides": TUNED_FOR_S5}
    return with_values(config, {"batch_size": 128, "growth_threshold": 0.9, **tuned})


def swaps() -> RunConfig[GroupWord]:
    """5 objects and 12 swaps of neighbours; its RMC fits into the page of `relational-rnn playground`."""
    config = _grown(GroupWord(group="S5", elements="neighbours", length=12), ("length=2",), steps=2_000)
    model = {"mem_slots": 5, "head_size": 16, "num_heads": 2, "head_layers": 1, "head_units": 64}
    return with_values(config, model)


TUNED_FOR_MQAR = ("deltanet.optimiser=adam",)
"""The best of a search of equal cost, in docs/results/track_and_recall.md; SOAP at 1e-2 for all others."""


def mqar() -> RunConfig[Mqar]:
    """4 pairs of a vocabulary of 132 tokens, grown from 2."""
    # Not from 1: one pair teaches to answer with the only value there is, whatever the key.
    config = _grown(Mqar(), ("pairs=2",), steps=1_500)
    core = {"mem_slots": 8, "head_size": 16, "num_heads": 2, "attention_mlp_layers": 1, "read_head": "query"}
    tuned = {"learning_rate": 1e-2, "batch_size": 512, "overrides": TUNED_FOR_MQAR}
    return with_values(config, {**core, **tuned})


def track_recall() -> RunConfig[TrackRecall]:
    """5 objects whose holders have values, and 16 swaps, grown from 2 objects and none."""
    config = _grown(TrackRecall(written=True), ("objects=2", "length=0"), steps=4_000)
    core = {"mem_slots": 8, "head_size": 32, "num_heads": 2, "read_head": "query"}
    return with_values(config, {**core, "learning_rate": 5e-3, "batch_size": 128, "growth_threshold": 0.85})


def factworld() -> RunConfig[TrackRecall]:
    """FactWorld's `composite_copy_v2`: 16 holders of 32 names with 128 values, 4 objects given 16 times."""
    task = TrackRecall(
        events="gives", answers="one", written=True, holders=16, names=32, values=128, objects=4
    )
    return _grown(task, ("holders=2", "length=2"), steps=4_000)


PROGRAM_MODELS = ("rmc", "lstm", "transformer", "dnc")
"""Models that read programs; the paper compares the RMC with LSTM, EntNet and DNC."""


TUNED_FOR_ADDITION = (
    *("rmc.optimiser=soap", "rmc.learning_rate=1e-2", "lstm.optimiser=soap", "lstm.learning_rate=3e-3"),
    *("transformer.optimiser=soap", "transformer.learning_rate=3e-3"),
    *("dnc.optimiser=soap", "dnc.learning_rate=3e-3"),
)
"""The best of a search of equal cost for each model, in docs/results/programs.md."""
TUNED_FOR_CONTROL = (
    *("rmc.optimiser=soap", "rmc.learning_rate=1e-2", "lstm.optimiser=soap", "lstm.learning_rate=1e-2"),
    *("transformer.optimiser=soap", "transformer.learning_rate=3e-3"),
    *("dnc.optimiser=soap", "dnc.learning_rate=1e-2"),
)
"""The same on choices and loops, and, from a search of their own, on full programs."""
TUNED_FOR_COPY = (
    *("rmc.optimiser=soap", "rmc.learning_rate=1e-2", "lstm.optimiser=soap", "lstm.learning_rate=1e-2"),
    *("transformer.optimiser=adam", "transformer.learning_rate=3e-3"),
    *("dnc.optimiser=adam", "dnc.learning_rate=1e-2"),
)
"""The same on copying; reversing and doubling take over what it found."""


def programs_quick(task: CharacterTask, overrides: tuple[str, ...] = ()) -> RunConfig[CharacterTask]:
    """Return the settings for a task whose largest examples are small; sizes are mixed, as in the paper."""
    return RunConfig(
        task=replace(task, curriculum="mix"),  # type: ignore[type-var]  # its subclasses are dataclasses
        model=ModelConfig(models=PROGRAM_MODELS, head_layers=1, head_units=128, overrides=overrides),
        optimisation=OptimiserConfig(learning_rate=4e-3),
        budget=BudgetConfig(steps=5_000, batch_size=128, evaluate_every=250),
        data=DataConfig(validation_examples=1_000, test_examples=12_800),
    )


def programs_paper(task: CharacterTask) -> RunConfig[CharacterTask]:
    """Return the paper's settings (appendix A.2), the smallest of those that it tried: days on two cores.

    Batch 128, Adam with 1e-3, 200,000 steps, 4 memories, 4 heads, 1024 units in all, one gate for each
    memory, a head of 4 layers of 256, 12,800 test examples at nesting 2 and length 5.
    """
    model = {"head_size": 64, "gate_style": "memory", "head_layers": 4, "head_units": 256}
    schedule = {"steps": 200_000, "learning_rate": 1e-3, "evaluate_every": 1_000, "final_share": 1.0}
    return with_values(programs_quick(task), {**model, **schedule})


def addition() -> RunConfig[CharacterTask]:
    """Sums of 2 numbers of up to 3 digits."""
    return programs_quick(Addition(nesting=1, length=3), TUNED_FOR_ADDITION)


def control() -> RunConfig[CharacterTask]:
    """A choice or a loop with numbers of up to 3 digits."""
    return programs_quick(Control(nesting=1, length=3), TUNED_FOR_CONTROL)


def program() -> RunConfig[CharacterTask]:
    """One operation of any kind on numbers of up to 3 digits."""
    return programs_quick(FullProgram(nesting=1, length=3), TUNED_FOR_CONTROL)


def algebra() -> RunConfig[CharacterTask]:
    """A sum, difference or product of numbers of up to 3 digits."""
    return programs_quick(Algebra(nesting=1, length=3))


def memorisation(task: CharacterTask) -> RunConfig[CharacterTask]:
    """Return the settings for digits to be remembered: after 3,000 steps every model's curve is flat."""
    return with_values(programs_quick(task, TUNED_FOR_COPY), {"steps": 3_000})


def copy() -> RunConfig[CharacterTask]:
    """Up to 10 digits."""
    return memorisation(Copy(length=10))


def reverse() -> RunConfig[CharacterTask]:
    """Up to 10 digits."""
    return memorisation(Reverse(length=10))


def double() -> RunConfig[CharacterTask]:
    """Up to 10 digits."""
    return memorisation(Double(length=10))


def addition_paper() -> RunConfig[CharacterTask]:
    """The paper's table 1, "Add": days on two cores."""
    return programs_paper(Addition())


def control_paper() -> RunConfig[CharacterTask]:
    """The paper's table 1, "Control": days on two cores."""
    return programs_paper(Control())


def program_paper() -> RunConfig[CharacterTask]:
    """The paper's table 1, "Program": days on two cores."""
    return programs_paper(FullProgram())


def babi() -> RunConfig[Babi]:
    """All 20 tasks of bAbI, 1,000 questions each, learned jointly by one model."""
    return RunConfig(
        task=Babi(),
        budget=BudgetConfig(steps=6_000, batch_size=32, evaluate_every=200),
    )


def plain(entry: TaskEntry) -> RunConfig:
    """The defaults, for a task that has no preset of its own."""
    return RunConfig(task=entry.factory())


def tiny(recipe: Callable[[], RunConfig]) -> Callable[[], RunConfig]:
    """Return a preset like `recipe`, but tiny."""

    def make() -> RunConfig:
        """Seconds: to see the machinery run, not to learn."""
        config = recipe()
        model = {"mem_slots": 2, "head_size": 4, "num_heads": 2, "head_units": 8}
        budget = {"steps": 20, "batch_size": 16, "warmup_steps": 5, "evaluate_every": 5}
        train = None if config.data.train_examples is None else 200
        data = {"train_examples": train, "validation_examples": 50, "test_examples": 100}
        return with_values(config, {**model, **budget, **data, "seeds": 2})

    return make
