"""The memory, the attention and the gates of a NumPy model at every step of some sequences."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from relational_rnn.config import Trace
from relational_rnn.config.checks import check_shape, check_size
from relational_rnn.reference import LSTM, Classifier, RelationalMemory, RelationalRNN
from relational_rnn.reference.arrays import Array, as_floats
from relational_rnn.reference.lstm_unroll import lstm_unroll_forward


@dataclass(frozen=True, eq=False)
class RecordedMemory:
    """What a core held, attended to and let through while it read a batch of sequences.

    Example:
        >>> memories = np.zeros((5, 6, 3, 4))  # B, T, N, D
        >>> recorded = RecordedMemory("rmc", memories, memories[:, 0], memories[:, :, 0], 900, 700)
        >>> recorded.memories.shape, recorded.attention is None
        ((5, 6, 3, 4), True)
    """

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
    attention: Float[np.ndarray, "B T blocks H N M"] | None = None
    """Weights of each slot over the slots and then the input; None for a core without attention."""
    input_gate: Float[np.ndarray, "B T N G"] | None = None
    """How much of what is new each slot took in, 0 to 1; None for a core without gates."""
    forget_gate: Float[np.ndarray, "B T N G"] | None = None
    """How much of what it held each slot kept, 0 to 1."""

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
        if self.attention is not None:
            axes = ("B", "T", "blocks", "H", "N", "M")
            check_shape("attention", self.attention.shape, axes, B=batch, T=length, N=slots)
        for name in ("input_gate", "forget_gate"):
            gate = getattr(self, name)
            if gate is not None:
                check_shape(name, gate.shape, ("B", "T", "N", "G"), B=batch, T=length, N=slots)
        check_size("core_parameters", self.core_parameters, minimum=0)
        check_size("parameters", self.parameters, minimum=self.core_parameters)


def record_memory(
    model: LSTM | RelationalRNN | RelationalMemory | Classifier, inputs: npt.ArrayLike
) -> RecordedMemory:
    """Run a model over sequences from its initial state; keep memory, attention and gates of every step.

    The slots are the RMC's and the hybrid's memory; the LSTM's cell state counts as a single slot, its input
    and forget gates as that slot's. The run
    is made on a shallow copy with the same parameters: the model's own last `forward` stays what its
    `backward` goes back through.

    Args:
        model: a core of `relational_rnn.reference`, with any read head, or a `Classifier` on one.
        inputs: what the core reads: (B, T, F) floats, for a matrix input (B, T, R, F). All sequences should
            be of one length: steps of padding are recorded like others.

    Returns:
        Memories (B, T, N, D), the initial one, the core's outputs (B, T, O), the numbers of parameters, and
        attention (B, T, blocks, H, N, M) and gates (B, T, N, G) of a core that has them.

    Raises:
        TypeError: another model, or inputs that hold no floats.
        ValueError: wrong shape, or an empty batch or sequence.

    Example:
        >>> core = RelationalMemory(input_size=5, mem_slots=3, head_size=4, num_heads=2, read_head="mean")
        >>> recorded = record_memory(core, np.zeros((7, 6, 5)))
        >>> recorded.memories.shape, recorded.outputs.shape, recorded.attention.shape
        ((7, 6, 3, 8), (7, 6, 8), (7, 6, 1, 2, 3, 4))
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
    traces = [_lstm_trace(core, x, state)] if isinstance(core, LSTM) else []
    memories, outputs = [], []
    for t in range(x.shape[1]):
        step = x[:, t : t + 1]
        if isinstance(core, RelationalMemory):
            output, state, trace = core.forward(step, state, return_trace=True)
            traces.append(trace)
        elif isinstance(core, RelationalRNN):
            output, *state, trace = core.forward(step, return_state=True, state=state, return_trace=True)
            traces.append(trace)
        else:
            output, state = core.forward(step, return_state=True, state=state)
        memories.append(_slots(core, state)[1])
        outputs.append(output[:, 0])
    attention, input_gate, forget_gate = (
        None if parts[0] is None else np.concatenate(parts, axis=1) for parts in zip(*traces)
    )
    return RecordedMemory(
        model=family,
        memories=np.stack(memories, axis=1),
        initial=initial,
        outputs=np.stack(outputs, axis=1),
        parameters=_count(model.params),
        core_parameters=_count(kept.params),
        attention=attention,
        input_gate=input_gate,
        forget_gate=forget_gate,
    )


def _lstm_trace(core: LSTM, x: Float[np.ndarray, "B T F"], state: Any) -> Trace:
    """Return the gates of an LSTM over a sequence, those of one slot that attends to nothing."""
    _, _, cache = lstm_unroll_forward(x.swapaxes(0, 1), state, core.params)
    input_gate, forget_gate = (
        np.stack([getattr(step, gate) for step in cache.steps], axis=1)[:, :, None] for gate in "if"
    )
    return Trace(None, input_gate, forget_gate)


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
