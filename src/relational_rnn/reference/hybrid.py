"""What the one-step and the sequence form of the hybrid relational RNN share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float

from relational_rnn.config.checks import check_choice, check_shape, check_size
from relational_rnn.config.core import SLOT_UPDATES
from relational_rnn.reference.activations import tanh_backward, tanh_forward
from relational_rnn.reference.arrays import (
    Array,
    as_floats,
    check_dtype,
    check_parameters,
    make_generator,
    shapes_of,
)
from relational_rnn.reference.initialise import xavier_uniform
from relational_rnn.reference.linear import LinearCache, linear_backward, linear_forward
from relational_rnn.reference.lstm_unroll import (
    LSTMCache,
    initial_lstm_parameters,
    lstm_unroll_backward,
    lstm_unroll_forward,
)
from relational_rnn.reference.slots import SlotsCache, slots_backward, slots_forward

HybridState = tuple[Array, Array, Array]
"""h and c, each (B, hidden), and the memory (B, N, S)."""


class HybridCache(NamedTuple):
    """What the way back needs."""

    lstm: LSTMCache
    memory_input: LinearCache | None
    """None where the hidden state enters the memory as it is."""
    slots: SlotsCache
    readout: LinearCache
    combine: LinearCache
    outputs: Array
    """(T, B, hidden), after the tanh."""
    starts_from_initial: bool
    """Whether the memory started at the parameter `initial_memory`."""


class HybridCore:
    """Parameters and both passes of `RelationalRNN` and `RelationalRNNCell`, which see to the axes."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_slots: int,
        slot_size: int,
        num_heads: int,
        slot_update: str,
        dtype: npt.DTypeLike,
        seed: int | np.random.Generator,
    ) -> None:
        self.input_size = check_size("input_size", input_size)
        self.hidden_size = check_size("hidden_size", hidden_size)
        self.num_slots = check_size("num_slots", num_slots)
        self.slot_size = check_size("slot_size", slot_size)
        self.num_heads = check_size("num_heads", num_heads)
        if self.slot_size % self.num_heads:
            raise ValueError(
                f"num_heads must divide slot_size, got num_heads={num_heads} and slot_size={slot_size}"
            )
        self.slot_update = check_choice("slot_update", slot_update, SLOT_UPDATES)
        self.dtype = check_dtype(dtype)
        params = self._initial_parameters(make_generator(seed))
        self.params: dict[str, Array] = {name: value.astype(self.dtype) for name, value in params.items()}
        self._shapes = shapes_of(self.params)
        self.grads: dict[str, Array] = {}  # filled by `backward`
        self._cache: HybridCache | None = None

    def initial_state(self, batch_size: int) -> HybridState:
        """Return the state before the first step: h and c of zeros, and `initial_memory` for every sample.

        Raises:
            TypeError: `batch_size` is no integer.
            ValueError: it is below 1.
        """
        shape = (check_size("batch_size", batch_size), self.hidden_size)
        check_parameters(self.params, self._shapes, self.dtype)
        memory = np.repeat(self.params["initial_memory"][None], batch_size, axis=0)
        return np.zeros(shape, self.dtype), np.zeros(shape, self.dtype), memory

    def _initial_parameters(self, generator: np.random.Generator) -> dict[str, Array]:
        """Draw the parameters (docs/hybrid.md, "Start")."""
        hidden, size = self.hidden_size, self.slot_size
        of_lstm = initial_lstm_parameters(self.input_size, hidden, generator)
        params = {f"lstm.{name}": value for name, value in of_lstm.items()}
        widths = {"memory_input": (size, hidden)} if hidden != size else {}
        widths |= dict.fromkeys(
            ("update", "gate_memory", "gate_input", "W_q", "W_k", "W_v", "W_o"), (size, size)
        )
        widths |= {"readout": (hidden, size), "combine": (hidden, 2 * hidden)}
        for layer, (outputs, inputs) in widths.items():
            params[f"{layer}.weight"] = xavier_uniform(generator, outputs, inputs)
            params[f"{layer}.bias"] = np.zeros(outputs)
        del params["gate_memory.bias"]  # the gate's one bias is gate_input's
        params["gate_input.bias"] += 1  # the forget gate starts open
        params["initial_memory"] = generator.standard_normal((self.num_slots, size)) / np.sqrt(size)
        return params

    def _check_array(self, name: str, value: npt.ArrayLike, batch: int) -> Array:
        """Return h, c or memory (the last word of `name`) as an array of the layer's dtype."""
        array = as_floats(name, value, self.dtype)
        if name.endswith("memory"):
            check_shape(name, array.shape, ("B", "N", "D"), B=batch, N=self.num_slots, D=self.slot_size)
        else:
            check_shape(name, array.shape, ("B", "D"), B=batch, D=self.hidden_size)
        return array

    def _check_state(self, name: str, state: object, batch: int) -> HybridState:
        if not isinstance(state, tuple | list) or len(state) != 3:
            raise ValueError(
                f"{name} must be three arrays (h, c, memory) of (B, hidden), (B, hidden) and "
                f"(B, num_slots, slot_size), got {type(state).__name__}"
            )
        parts = ("h", "c", "memory")
        h, c, memory = (
            self._check_array(f"{name}'s {part}", x, batch) for part, x in zip(parts, state, strict=True)
        )
        return h, c, memory

    def _zero_state(self, batch: int) -> HybridState:
        h, c, memory = self.initial_state(batch)
        return h, c, np.zeros_like(memory)

    def _forward_cache(self) -> HybridCache:
        if self._cache is None:
            raise RuntimeError(f"{type(self).__name__}.backward needs a forward before it")
        return self._cache

    def _linear(self, layer: str, x: Array) -> tuple[Array, LinearCache]:
        return linear_forward(x, self.params[f"{layer}.weight"], self.params[f"{layer}.bias"])

    def _run(
        self, inputs: Float[np.ndarray, "T B F"], state: HybridState, starts_from_initial: bool
    ) -> tuple[Float[np.ndarray, "T B hidden"], HybridState]:
        """Run over checked arrays and keep what `_run_backward` needs; `inputs` are the layer's own."""
        check_parameters(self.params, self._shapes, self.dtype)
        h, c, memory = state
        hiddens, (h, c), of_lstm = lstm_unroll_forward(inputs, (h, c), _of_lstm(self.params))
        u, of_input = hiddens, None
        if "memory_input.weight" in self.params:
            u, of_input = self._linear("memory_input", hiddens)  # (T, B, S)
        memories, of_slots = slots_forward(u, memory.copy(), self.num_heads, self.slot_update, self.params)
        read, of_readout = self._linear("readout", memories.mean(axis=2))  # (T, B, hidden)
        combined, of_combine = self._linear("combine", np.concatenate([hiddens, read], axis=2))
        outputs, _ = tanh_forward(combined)  # (T, B, hidden)
        self._cache = HybridCache(
            of_lstm, of_input, of_slots, of_readout, of_combine, outputs, starts_from_initial
        )
        # Copies, so that changing the state cannot change what backward needs.
        return outputs, (h.copy(), c.copy(), memories[-1].copy())

    def _run_backward(
        self, d_outputs: Float[np.ndarray, "T B hidden"], d_state: HybridState
    ) -> tuple[Float[np.ndarray, "T B F"], HybridState]:
        """Go back through `_run` over checked arrays and overwrite its parameters' `grads`."""
        cache, grads = self._forward_cache(), {}
        d_h, d_c, d_memory = d_state

        def back(layer: str, d_y: Array, of_layer: LinearCache) -> Array:
            d_x, grads[f"{layer}.weight"], grads[f"{layer}.bias"] = linear_backward(d_y, of_layer)
            return d_x

        d_combined = back("combine", tanh_backward(d_outputs, cache.outputs), cache.combine)
        d_hiddens, d_read = np.split(d_combined, 2, axis=2)
        d_mean = back("readout", d_read, cache.readout)[:, :, None] / self.num_slots  # (T, B, 1, S)
        d_memories = np.broadcast_to(d_mean, (*d_mean.shape[:2], self.num_slots, self.slot_size))
        d_u, d_memory, of_slots = slots_backward(d_memories, d_memory, cache.slots, self.params)
        if cache.memory_input is not None:
            d_u = back("memory_input", d_u, cache.memory_input)
        d_inputs, (d_h, d_c), of_lstm = lstm_unroll_backward(
            d_hiddens + d_u, (d_h, d_c), cache.lstm, _of_lstm(self.params)
        )
        grads |= of_slots | {f"lstm.{name}": gradient for name, gradient in of_lstm.items()}
        reached = d_memory if cache.starts_from_initial else np.zeros_like(d_memory)
        grads["initial_memory"] = reached.sum(axis=0)
        self.grads = self.grads | grads
        return d_inputs, (d_h, d_c, d_memory)


def _of_lstm(params: Mapping[str, Array]) -> dict[str, Array]:
    """Return the LSTM's part of the parameters under its own names."""
    return {name[5:]: value for name, value in params.items() if name.startswith("lstm.")}


def check_gradients_came(gradients: Sequence[object]) -> None:
    """Say so when `backward` got no gradient at all."""
    if all(gradient is None for gradient in gradients):
        raise ValueError("backward needs the gradient of the outputs, of the state, or both; got neither")
