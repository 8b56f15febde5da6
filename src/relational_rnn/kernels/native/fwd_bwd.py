"""A whole sequence in one call of the native library, forward and backward (float32 on the CPU)."""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig, check_parameters, parameter_shapes
from relational_rnn.kernels import workspace
from relational_rnn.kernels.backend import Gradients, SequenceInputs
from relational_rnn.kernels.eager import check_kinds
from relational_rnn.kernels.native.library import LAYERS, MAX_LAYERS, Layers, Library, Problem


class NativeSequence:
    """Forward and backward, see `SequenceKernel`, on one instruction set.

    Args:
        library: the compiled library.
        variant: which of `library.variants`; 0 is the fastest that this processor has.
        threads: how many threads share the batch; None means torch's number at the time of the call.
        recompute: keep only the memories; `backward` computes the steps again.
    """

    def __init__(
        self, library: Library, variant: int = 0, threads: int | None = None, recompute: bool = False
    ) -> None:
        self.library, self.variant, self.threads, self.recompute = library, variant, threads, recompute

    def forward(self, given: SequenceInputs, keep: bool) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Run the sequence."""
        config, _, inputs, batch_sizes, memory, initial, _ = given
        call = _Call(self, given, keep)
        slots = config.mem_slots, config.memory_width
        memories = inputs.new_empty(len(inputs), *slots)
        last = inputs.new_empty(batch_sizes[0], *slots)
        saved = workspace.empty(inputs, saved_size(config, len(inputs), self.recompute) if keep else 0)
        call.point("memory", memory, last.shape)
        call.point("initial", initial, slots)
        call.keep(saved)
        call.write(memories=memories, last=last)
        call.run(self.library.forward)
        return memories, last, {"saved": saved} if keep else {}

    def backward(
        self,
        given: SequenceInputs,
        saved: Mapping[str, Tensor],
        d_memories: Tensor | None,
        d_last: Tensor | None,
        needed: frozenset[str],
    ) -> Gradients:
        """Back-propagate; all gradients are computed, as leaving some out would save little."""
        config, inputs = given.config, given.inputs
        call = _Call(self, given, keep=True)
        slots = config.mem_slots, config.memory_width
        d_inputs = inputs.new_empty(inputs.shape)
        d_memory = inputs.new_empty(given.batch_sizes[0], *slots)
        d_initial = inputs.new_empty(slots)
        gradients = {name: inputs.new_empty(shape) for name, shape in zip(call.names, call.shapes)}
        call.problem.gradients = call.pointers(list(gradients.values()))
        call.keep(saved["saved"])
        call.write(d_inputs=d_inputs, d_memory=d_memory, d_initial=d_initial)
        if d_memories is not None:
            call.point("d_memories", d_memories, (len(inputs), *slots))
        if d_last is not None:
            call.point("d_last", d_last, d_memory.shape)
        call.run(self.library.backward)
        return Gradients(d_inputs, d_memory, d_initial, gradients)


def saved_size(config: RelationalMemoryConfig, samples: int, recompute: bool) -> int:
    """Return how many numbers a forward may keep for its backward; at most some hundred more than it does.

    The library's own answer (buffers.h) is no formula, which a compiler needs for a number of samples that it
    does not know.
    """
    slots, width, projection = config.mem_slots, config.memory_width, config.projection_width
    rows, gates = config.input_rows, 2 * config.gate_width
    counts = [slots * width]  # the memory before the step
    if not recompute:
        counts += [slots * projection, slots, config.num_heads * slots * config.attended_rows]
        counts += [slots * width, slots] * 2 + [slots * width] * (config.attention_mlp_layers - 1)
        counts += [slots * gates, rows * width, rows * projection, rows, gates]
    return samples * sum(counts) + 32 * len(counts)  # each begins on a cache line of its own


class _Call:
    """What both passes tell the library; it holds the tensors that the problem points at.

    This is the gate: the address of a tensor from outside goes to C only through `point` and `layers`, which
    see that it has the shape that C takes for granted, and memory in which its numbers lie side by side.
    (That all are plain tensors of one dtype and device `left_to_eager` has seen.)

    Raises:
        ValueError: a tensor of another shape or without memory, or batch sizes that do not fit the inputs.
    """

    def __init__(self, native: NativeSequence, given: SequenceInputs, keep: bool) -> None:
        config, parameters, inputs, batch_sizes, _, _, resets = given
        steps, batch, total = len(batch_sizes), batch_sizes[0], len(inputs)
        falling = steps == 1 or all(map(operator.ge, batch_sizes, batch_sizes[1:]))
        if sum(batch_sizes) != total or not falling or batch_sizes[-1] < 1:
            raise ValueError(f"batch sizes must fall to 1 or more and sum to {total}, got {batch_sizes}")
        threads = torch.get_num_threads() if native.threads is None else native.threads
        sizes = (ctypes.c_int64 * steps)(*batch_sizes)
        self.held: list[Any] = [sizes]
        self.variant, self.config = native.variant, config
        self.names, self.shapes, self.places = _layers(config)
        self.problem = Problem(
            config.input_size,
            config.mem_slots,
            config.input_rows,
            config.num_heads,
            config.key_width,
            config.head_size,
            config.gate_width,
            config.attention_mlp_layers,
            steps,
            batch,
            total,
            min(threads, batch),
            (1 if native.recompute else 2) if keep else 0,
            config.input_bias,
            config.forget_bias,
            ctypes.addressof(sizes),
        )
        self.like = inputs
        self.problem.values = self.layers(parameters)
        self.point("inputs", inputs, (total, *config.input_sizes.values()))
        if resets is not None:
            self.point("resets", resets, (total,), torch.bool)
        self.buffer_sizes = (ctypes.c_int64 * 3)()  # what is saved; the workspaces of forward and backward
        native.library.sizes(
            native.variant, ctypes.addressof(self.problem), ctypes.addressof(self.buffer_sizes)
        )

    def point(
        self, field: str, x: Tensor, shape: tuple[int, ...], dtype: torch.dtype = torch.float32
    ) -> None:
        """Let a field of the problem point at a tensor that is read."""
        setattr(self.problem, field, self._address(field, x, shape, dtype))

    def write(self, **tensors: Tensor) -> None:
        """Let fields of the problem point at tensors that were made for them."""
        for field, x in tensors.items():
            self.held.append(x)
            setattr(self.problem, field, x.data_ptr())

    def keep(self, saved: Tensor) -> None:
        """Point at what goes from forward to backward."""
        if saved.numel() < self.buffer_sizes[0]:
            raise ValueError(f"saved must have {self.buffer_sizes[0]} numbers, got {saved.numel()}")
        if self.buffer_sizes[0]:
            self.point("saved", saved, saved.shape)

    def layers(self, tensors: Mapping[str, Tensor]) -> Any:
        """Point at all layers' tensors, which are read."""
        # As `_address`, for all at once: a step of one sample takes little longer than a look at them.
        values = [tensors[name] for name in self.names]
        if [x.shape for x in values] != self.shapes:
            check_parameters(self.config, dict(zip(self.names, values)))
        if True in [x.is_neg() for x in values]:
            values = [x.resolve_neg() for x in values]
        try:
            values = [x.contiguous() for x in values]
        except RuntimeError:  # not dense
            check_kinds(tensors, self.like)
            raise
        return self.pointers(values)

    def pointers(self, values: list[Tensor]) -> Any:
        """Return the addresses of all layers' tensors."""
        self.held.append(values)
        found, addresses = Layers(), [x.data_ptr() for x in values]
        if 0 in addresses:
            raise ValueError(f"the memory of {self.names[addresses.index(0)]} was given back")
        for place, address in zip(self.places, addresses):
            found[place] = address
        return found

    def _address(self, name: str, x: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> int:
        """Return where a tensor's numbers lie side by side; those of a copy where they do not."""
        if x.shape != shape:
            raise ValueError(f"{name} must have shape {tuple(shape)}, got {tuple(x.shape)}")
        if x.dtype is not dtype or not x.is_cpu:
            raise ValueError(f"{name} must be {dtype} on the CPU, got {x.dtype} on {x.device}")
        x = x.contiguous().resolve_neg()  # with the negative bit set memory holds the opposite of what counts
        self.held.append(x)
        address = x.data_ptr()
        if not address:
            raise ValueError(f"the memory of {name} was given back")
        return address

    def run(self, function: Any) -> None:
        """Call the library with a workspace."""
        _, forward, backward = self.buffer_sizes
        # One size for both passes of a training step, so that they use the same memory.
        size = max(forward, backward) if self.problem.keep else forward
        self.write(workspace=workspace.empty(self.like, size))
        function(self.variant, ctypes.addressof(self.problem))


@lru_cache(maxsize=64)
def _layers(config: RelationalMemoryConfig) -> tuple[list[str], list[tuple[int, ...]], list[int]]:
    """Return the parameters' names, their shapes, and their places in `Layers`."""
    shapes, found = parameter_shapes(config), []
    for number, layer in enumerate((*LAYERS, *(f"mlp.{i}" for i in range(MAX_LAYERS)))):
        for kind, part in enumerate(("weight", "bias")):
            name = f"{layer}.{part}"
            if name in shapes:
                found.append((name, shapes[name], 2 * number + kind))
    names, all_shapes, places = map(list, zip(*found))
    return names, all_shapes, places
