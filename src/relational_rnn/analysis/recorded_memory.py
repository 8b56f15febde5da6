"""The memory of a NumPy model after every step of some sequences."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from relational_rnn.config.checks import check_shape, check_size
from relational_rnn.reference import LSTM, Classifier, RelationalMemory, RelationalRNN
from relational_rnn.reference.arrays import Array, as_floats


@dataclass(frozen=True, eq=False)
class RecordedMemory:
    """What a core held and told while it read a batch of sequences."""

    model: str
    """Family, which chooses the colour: "rmc", "hybrid", "lstm", ..."""
    memories: Float[np.ndarray, "B T N D"]
    """After each step; an LSTM's cell state is one slot."""
    initial: Float[np.ndarray, "B N D"]
    """Before the first step."""
    outputs: Float[np.ndarray, "B T O"]
    """Of the core, before any classifier's head."""
    parameters: int
    """Trainable numbers of the whole model."""
    core_parameters: int
    """Those of its core."""

    def __post_init__(self) -> None:
        """Raise ValueError if the shapes do not fit each other, TypeError for what is no float array."""
        for name in ("memories", "initial", "outputs"):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
                kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
                raise TypeError(f"{name} must be a NumPy array of floats, got {kind}")
        check_shape("memories", self.memories.shape, ("B", "T", "N", "D"))
        batch, length, slots, width = self.memories.shape
        check_shape("initial", self.initial.shape, ("B", "N", "D"), B=batch, N=slots, D=width)
        features = self.outputs.shape[-1] if self.outputs.ndim else 0
        check_shape("outputs", self.outputs.shape, ("B", "T", "O"), B=batch, T=length, O=features)
        check_size("core_parameters", self.core_parameters, minimum=0)
        check_size("parameters", self.parameters, minimum=self.core_parameters)


def record_memory(
    model: LSTM | RelationalRNN | RelationalMemory | Classifier, inputs: npt.ArrayLike
) -> RecordedMemory:
    """Run a model over sequences from its initial state and keep the memory after every step.

    The slots are the RMC's and the hybrid's memory; the LSTM's cell state counts as a single slot. The run
    is made on a shallow copy with the same parameters: the model's own last `forward` stays what its
    `backward` goes back through.

    Args:
        model: a core of `relational_rnn.reference`, with any read head, or a `Classifier` on one.
        inputs: what the core reads: (B, T, F) floats, for a matrix input (B, T, R, F). All sequences should
            be of one length: steps of padding are recorded like others.

    Returns:
        Memories (B, T, N, D), the initial one, the core's outputs (B, T, O), and the numbers of parameters.

    Raises:
        TypeError: another model, or inputs that hold no floats.
        ValueError: wrong shape, or an empty batch or sequence.

    Example:
        >>> core = RelationalMemory(input_size=5, mem_slots=3, head_size=4, num_heads=2, read_head="mean")
        >>> recorded = record_memory(core, np.zeros((7, 6, 5)))
        >>> recorded.memories.shape, recorded.outputs.shape
        ((7, 6, 3, 8), (7, 6, 8))
    """
    kept = model.core if isinstance(model, Classifier) else model
    if not isinstance(kept, LSTM | RelationalRNN | RelationalMemory):
        raise TypeError(
            "model must be an LSTM, a RelationalRNN or a RelationalMemory of relational_rnn.reference, or a "
            f"Classifier on one; got {type(model).__name__}"
        )
    core = copy(kept)  # `forward` only replaces attributes, so the original keeps its own
    x = as_floats("inputs", inputs, core.dtype)
    axes: tuple[str, ...] = ("F",)
    sizes = {"F": core.input_size}
    if isinstance(core, RelationalMemory):
        axes, sizes = core.config.input_axes, core.config.input_sizes
    check_shape("inputs", x.shape, ("B", "T", *axes), **sizes)
    state: Any = core.initial_state(len(x))
    family, initial = _slots(core, state)
    memories, outputs = [], []
    for t in range(x.shape[1]):
        step = x[:, t : t + 1]
        if isinstance(core, RelationalMemory):
            output, state = core.forward(step, state)
        elif isinstance(core, RelationalRNN):
            output, *state = core.forward(step, return_state=True, state=state)
        else:
            output, state = core.forward(step, return_state=True, state=state)
        memories.append(_slots(core, state)[1])
        outputs.append(output[:, 0])
    return RecordedMemory(
        model=family,
        memories=np.stack(memories, axis=1),
        initial=initial,
        outputs=np.stack(outputs, axis=1),
        parameters=_count(model.params),
        core_parameters=_count(kept.params),
    )


def _slots(
    core: LSTM | RelationalRNN | RelationalMemory, state: Any
) -> tuple[str, Float[np.ndarray, "B N D"]]:
    """Return a core's family and the part of its state that this room calls its slots."""
    if isinstance(core, RelationalMemory):
        return "rmc", state
    if isinstance(core, RelationalRNN):
        return "hybrid", state[2]
    return "lstm", state[1][:, None]  # the cell state


def _count(params: dict[str, Array]) -> int:
    return sum(value.size for value in params.values())
