"""Forward + backward of the NumPy models, ready to be timed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from relational_rnn.bench.workloads import Sizes
from relational_rnn.reference import LSTM, RelationalMemory


def draw_inputs(sizes: Sizes) -> np.ndarray:
    """Draw the inputs that everyone gets: (B, T, F), float32."""
    shape = sizes.batch, sizes.time, sizes.input_size
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def core_pass(sizes: Sizes) -> Callable[[], None]:
    """Return one forward + backward of the core in float32; the loss is the sum of all outputs.

    It computes the gradients of the inputs and of the first memory too, which others leave out.
    """
    core = RelationalMemory(**sizes.options, dtype=np.float32)
    inputs, memory = draw_inputs(sizes), core.initial_state(sizes.batch)

    def run() -> None:
        outputs, _ = core.forward(inputs, memory)
        outputs.sum()
        core.backward(np.ones_like(outputs))

    return run


def lstm_pass(sizes: Sizes, hidden: int) -> Callable[[], None]:
    """Return the same for an LSTM with so many hidden units."""
    lstm = LSTM(sizes.input_size, hidden, dtype=np.float32)
    inputs = draw_inputs(sizes)

    def run() -> None:
        outputs = lstm.forward(inputs)
        outputs.sum()
        lstm.backward(np.ones_like(outputs))

    return run
