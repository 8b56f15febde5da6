"""The checks of exercise 2: initial memories, their gradient, and the symmetry of the slots."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from relational_rnn.course.checking import Array, Function, Part, WrongAnswer, compare, expect_shape
from relational_rnn.reference import RelationalMemory

BATCH, STEPS, FEATURES, SLOTS, WIDTH = 2, 6, 5, 3, 8
SIZES: Final = ((SLOTS, WIDTH), (5, 2))


def draw(*shape: int, seed: int = 0) -> Array:
    """Draw numbers from N(0, 1)."""
    return np.random.default_rng(seed).standard_normal(shape)


def make_core(initial_memory: str = "identity") -> RelationalMemory:
    """Make a core with random weights."""
    return RelationalMemory(FEATURES, SLOTS, head_size=4, num_heads=2, seed=3, initial_memory=initial_memory)


def zeros(zeros_memory: Function) -> None:
    """Three slots of eight features, and five slots of two."""
    for slots, width in SIZES:
        left = [np.full((slots, width), 7.0) for _ in range(8)]
        mistakes: dict[str, Array | float] = {
            "The axes are swapped: slots first, then features.": np.zeros((width, slots)),
            "np.empty writes nothing: what stood there before remains. np.zeros writes zeros.": left[
                0
            ].copy(),
        }
        del left  # what is made of this size next has their room, and their numbers
        compare("The result", zeros_memory(slots, width), np.zeros((slots, width)), mistakes)


def zeros_stay_equal(zeros_memory: Function) -> None:
    """A core with random weights runs six steps from it: its slots are still equal to each other."""
    memory = np.repeat(zeros_memory(SLOTS, WIDTH)[None], BATCH, axis=0)
    _, last = make_core().forward(draw(BATCH, STEPS, FEATURES), memory)
    compare("The largest difference", float(np.abs(last - last[:, :1]).max()), 0.0)


def identity(identity_memory: Function) -> None:
    """Three slots of eight features, and five slots of two."""
    for slots, width in SIZES:
        size = min(slots, width)
        expected = np.zeros((slots, width))
        expected[range(size), range(size)] = 1
        mistakes: dict[str, Array | float] = {
            f"Expected {slots} rows of {width} features, got a square.": np.eye(slots),
            f"Expected {slots} rows of {width} features; this one is as wide as it is high.": np.eye(width),
            "All slots are the same; slot i has its 1 at feature i.": np.repeat(expected[:1], slots, axis=0),
            "The axes are swapped: the slots come first, then the features.": np.eye(width, slots),
        }
        compare("The result", identity_memory(slots, width), expected, mistakes)


def normal(normal_memory: Function) -> None:
    """200 slots of 50 features: mean 0, standard deviation 1; then 100 of 150, standard deviation 0.1."""
    for slots, width, deviation in ((200, 50, 1.0), (100, 150, 0.1)):
        generator = np.random.default_rng(0)
        memory = (
            normal_memory(slots, width, generator)
            if deviation == 1
            else normal_memory(slots, width, generator, deviation)
        )
        expect_shape("The result", memory, (slots, width))
        if (memory == memory[0]).all():
            raise WrongAnswer("All slots are the same: draw (slots, width) numbers, not one row.")
        measured = float(memory.std())
        if np.isclose(measured, deviation**0.5, rtol=0.05) and deviation != 1:
            raise WrongAnswer("deviation is taken for a variance: multiply by it, not by its root.")
        if np.isclose(measured, deviation**2, rtol=0.05) and deviation != 1:
            raise WrongAnswer("deviation is squared: multiply by it once.")
        if not np.isclose(measured, deviation, rtol=0.05) or abs(memory.mean()) > 0.05 * deviation:
            raise WrongAnswer(
                f"With deviation={deviation} the mean is {memory.mean():.3f} and the standard deviation "
                f"{measured:.3f}: expected 0 and {deviation}."
            )
        if (abs(memory) < 2 * deviation).all():
            raise WrongAnswer("No number is above two standard deviations: that is no normal distribution.")


def normal_follows_the_generator(normal_memory: Function) -> None:
    """The same seed twice, then the generator used on: the same memory, then another."""
    generator = np.random.default_rng(4)
    first, again, on = (
        normal_memory(SLOTS, WIDTH, source) for source in (generator, np.random.default_rng(4), generator)
    )
    if not np.array_equal(first, again):
        raise WrongAnswer("The same seed gives another memory: draw from `generator`, not from np.random.")
    if np.array_equal(first, on):
        raise WrongAnswer("Two calls give the same memory: use `generator`, do not make a new one.")


def batches(start: Function) -> None:
    """A batch of four, and one of two: (4, 3, 8) and (2, 3, 8)."""
    initial = draw(SLOTS, WIDTH)
    for size in (4, 2):
        compare(
            f"The result for a batch of {size}",
            start(initial, size),
            np.stack([initial] * size),
            {
                "The slots are repeated, (B N, D); the batch needs an axis of its own, the first.": np.tile(
                    initial, (size, 1)
                ),
                "The batch axis comes second: (B, N, D) is expected.": np.stack([initial] * size, axis=1),
                "Each slot is repeated, not the whole memory: the batch needs an axis of its own, "
                "np.repeat(initial[None], batch_size, axis=0).": (
                    np.repeat(initial, size, axis=0),
                    np.repeat(initial[None], size, axis=1),
                ),
                "Samples have one slot several times: np.repeat repeats slot by slot, reshape cuts across. "
                "np.repeat(initial[None], batch_size, axis=0) repeats the whole memory.": np.repeat(
                    initial, size, axis=0
                ).reshape(size, SLOTS, WIDTH),
                "The features are repeated, (N, B D): np.tile repeats along the last axis unless it is told "
                "how often along each, np.tile(initial, (batch_size, 1, 1)).": np.tile(initial, size),
                "np.repeat without an axis puts all numbers in one row: axis=0, on initial[None].": np.repeat(
                    initial, size
                ),
            },
        )


def batches_are_copies(start: Function) -> None:
    """Writing into the first sample changes neither the others nor the initial memory."""
    initial = draw(SLOTS, WIDTH)
    before = initial.copy()
    memory = start(initial, 4)
    if not memory.flags.writeable:
        raise WrongAnswer("The result cannot be written to: np.broadcast_to gives a view. np.repeat copies.")
    memory[0, 0] = 100
    if not np.array_equal(initial, before):
        raise WrongAnswer("Writing into the batch changes `initial`: copy it.")
    if not (memory[1:] == before).all():
        raise WrongAnswer("Writing into one sample changes the others: they share one array.")


def gradient(initial_memory_gradient: Function) -> None:
    """The gradient of the package's trainable memory, from that of each sample's."""
    core = make_core(initial_memory="trainable")
    outputs, _ = core.forward(draw(BATCH, STEPS, FEATURES))
    _, d_memory = core.backward(draw(*outputs.shape, seed=1))
    compare(
        "The result",
        initial_memory_gradient(d_memory),
        core.grads["initial_memory"],
        {
            "That is the mean over the batch. Each sample adds its own to the loss, so the gradients add up; "
            "whether a loss is a mean shows in d_memory already.": d_memory.mean(axis=0),
            "The sum runs over the slots; it should run over the samples, axis 0.": d_memory.sum(axis=1),
            "That is the first sample's gradient alone.": d_memory[0],
        },
        tolerance=1e-10,
    )


def spread_of_numbers(slot_spread: Function) -> None:
    """Equal slots, two opposite slots, and two at a right angle: 0, 1 and 0.707."""
    memory = 0.6 * np.array([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [-1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]])
    _spread(slot_spread, memory)


def spread_of_a_core(slot_spread: Function) -> None:
    """What a core makes of the identity in six steps."""
    _, last = make_core().forward(draw(BATCH, STEPS, FEATURES))
    _spread(slot_spread, last)


def spread_of_zeros(slot_spread: Function) -> None:
    """A memory of zeros: 0, not NaN."""
    got = slot_spread(np.zeros((2, SLOTS, WIDTH)))
    if isinstance(got, np.ndarray) and np.isnan(got).any():
        raise WrongAnswer("0 / 0 is NaN: divide by 1 where the sum of squares is 0.")
    compare("The result", got, np.zeros(2))


def _spread(slot_spread: Function, memory: Array) -> None:
    def of(mean: Array) -> Array:
        share = ((memory - mean) ** 2).sum(axis=(1, 2)) / (memory**2).sum(axis=(1, 2))
        return np.asarray(np.sqrt(share))

    right = of(memory.mean(axis=1, keepdims=True))
    away = ((memory - memory.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2))
    got = slot_spread(memory)
    if isinstance(got, np.ndarray) and got.shape == right.shape:
        short = right - got
        if ((short > 0) == (right > 0)).all() and 1e-9 < short.max() < 0.01:
            raise WrongAnswer(
                "A small number is added to the denominator, so the result is slightly too small; divide by "
                "1 where the sum is 0."
            )
    compare(
        "The result",
        got,
        right,
        {
            "The mean runs over the features; the mean slot is the mean over axis 1.": of(
                memory.mean(axis=2, keepdims=True)
            ),
            "The mean runs over the samples; each has a mean slot of its own (axis 1).": of(
                memory.mean(axis=0, keepdims=True)
            ),
            "The mean runs over all slots of all samples; each has a mean slot of its own (axis 1).": of(
                memory.mean(axis=(0, 1), keepdims=True)
            ),
            "One number is taken for the mean of all; the mean slot has D features (axis 1).": of(
                memory.mean(keepdims=True)
            ),
            "The first slot is taken for the mean; the mean slot is the mean over axis 1.": of(memory[:, :1]),
            "The root is missing.": right**2,
            "The root is that of the numerator alone; divide first.": right
            / np.sqrt((memory**2).sum(axis=(1, 2))),
            "It is not divided by the sum of all squares, so it grows with the memory.": np.sqrt(away),
            "That is one number for the batch; each sample has its own.": np.sqrt(
                away.sum() / (memory**2).sum()
            ),
        },
    )


class Numbered:
    """A core that does not treat its slots alike: slot i keeps i² of itself and gets i² of the inputs."""

    def forward(self, inputs: Array, memory: Array) -> tuple[Array, Array]:
        """Return the memories and the last one."""
        last = (memory + (inputs**2).sum(axis=(1, 2), keepdims=True)) * np.arange(memory.shape[1])[
            :, None
        ] ** 2
        return last, last


def gap_of_a_core(permutation_gap: Function) -> None:
    """The package's core: 0 but for rounding, whatever the weights, the inputs and the order."""
    inputs, order = draw(BATCH, STEPS, FEATURES), np.array([2, 0, 1])
    try:
        got = permutation_gap(make_core(), inputs, draw(BATCH, SLOTS, WIDTH, seed=1), order)
    except WrongAnswer as wrong:
        if re.search(rf"\({BATCH},({STEPS},)?{SLOTS * WIDTH}\)", str(wrong)):
            raise WrongAnswer(
                "These are the outputs: `forward` returns (outputs, last memory); the memory is the second."
            ) from wrong
        raise
    if np.ndim(got) == 0 and got > 1e-10:
        raise WrongAnswer(
            f"The gap is {got:.3g}, though the core treats all slots alike. Reorder the slots (axis 1) "
            "with the same order in both ways: last[:, order] against that of a run from memory[:, order]."
        )
    compare("The gap", got, 0.0)


def gap_of_another_core(permutation_gap: Function) -> None:
    """A core in which slots have numbers: the gap is large, and your function says how large."""
    inputs, memory = draw(BATCH, STEPS, FEATURES), draw(BATCH, SLOTS, WIDTH, seed=1)
    core, order = Numbered(), np.array([1, 2, 0])  # an order whose largest difference is negative
    difference = core.forward(inputs, memory)[1][:, order] - core.forward(inputs, memory[:, order])[1]
    compare(
        "The gap",
        permutation_gap(core, inputs, memory, order),
        float(np.abs(difference).max()),
        {
            "That is the mean difference; the largest is asked for.": float(np.abs(difference).mean()),
            "That is the sum of the differences; the largest is asked for.": float(np.abs(difference).sum()),
            "That is the square of the largest difference.": float((difference**2).max()),
            "Differences have a sign: take np.abs before the maximum.": float(difference.max()),
            "Nothing is compared: a core that does not treat slots alike must have a gap.": 0.0,
        },
    )


PARTS: Final = (
    Part("zeros_memory", (zeros, zeros_stay_equal)),
    Part("identity_memory", (identity,)),
    Part("normal_memory", (normal, normal_follows_the_generator)),
    Part("start", (batches, batches_are_copies)),
    Part("initial_memory_gradient", (gradient,)),
    Part("slot_spread", (spread_of_numbers, spread_of_a_core, spread_of_zeros)),
    Part("permutation_gap", (gap_of_a_core, gap_of_another_core)),
)
