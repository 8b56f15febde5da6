"""The whole sequence, forward: input projection for all steps at once, then one step after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig, check_parameters
from relational_rnn.kernels.backend import KernelOptions, SequenceInputs
from relational_rnn.kernels.eager import check_kinds, in_range
from relational_rnn.kernels.fused import rows as rowwise
from relational_rnn.kernels.fused.core import Core, block_sizes
from relational_rnn.kernels.products import linear, with_weights_in
from relational_rnn.kernels.workspace import buffer_for, carve, empties, empty

CHUNK_ROWS = 1024
"""Memory rows in a chunk: enough for products at full speed, few enough to stay in the cache."""

Buffers = dict[str, Tensor]


class Chunk(NamedTuple):
    """Some consecutive steps."""

    begin: int
    """First sample."""
    end: int
    sizes: list[int]
    """Rows of the batch at each step."""


def chunks(batch_sizes: list[int], slots: int) -> Iterator[Chunk]:
    """Cut the steps into chunks, the last chunk first.

    Example:
        >>> [chunk.sizes for chunk in chunks([600, 300, 200, 200], slots=2)]
        [[300, 200, 200], [600]]
    """
    end = begin = sum(batch_sizes)
    sizes: list[int] = []
    for size in reversed(batch_sizes):
        begin -= size
        sizes.append(size)
        if (end - begin) * slots >= CHUNK_ROWS or begin == 0:
            yield Chunk(begin, end, sizes[::-1])
            end, sizes = begin, []


def step_shapes(config: RelationalMemoryConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape, for one row of the batch and one step, of what a step keeps for the backward.

    Kept are what goes into each norm, the MLP's hidden layers, attention weights and gates. What comes out of
    the norms and the tanh is computed again in the backward, for many steps at once.
    """
    width, slots, heads = config.memory_width, config.mem_slots, config.num_heads
    shapes: dict[str, tuple[int, ...]] = {}
    for block, size in enumerate(block_sizes(config)):
        shapes[f"{block}.projected"] = (size.projected, config.projection_width)
        if config.use_attention:
            shapes[f"{block}.weights"] = (heads, size.queries, size.attended)
        shapes[f"{block}.attended"] = (size.queries, width)
        if config.use_mlp:
            for layer in range(1, config.attention_mlp_layers):
                shapes[f"{block}.hidden.{layer}"] = (size.queries, width)
            shapes[f"{block}.mixed"] = (size.queries, width)
    if config.gate_width:
        shapes["gates"] = (slots, 2 * config.gate_width)
    return shapes


def make_buffers(config: RelationalMemoryConfig, like: Tensor, samples: int) -> Buffers:
    """Make the buffers that `step_forward` fills."""
    return empties(like, {name: (samples, *shape) for name, shape in step_shapes(config).items()})


def buffer_shapes(config: RelationalMemoryConfig, recompute: bool) -> dict[str, tuple[int, ...]]:
    """Name and shape, for one sample, of what a whole forward keeps for the backward.

    "before" is the memory before the step; with `recompute` it is all. "rows" and "unnormed" are the input's.
    """
    shapes: dict[str, tuple[int, ...]] = {"before": (config.mem_slots, config.memory_width)}
    if not recompute:
        shapes |= step_shapes(config) | {"rows": (config.input_rows, config.memory_width)}
        if config.input_fusion == "append":
            shapes["unnormed"] = (config.input_rows, config.projection_width)
    return shapes


def shared_shapes(
    config: RelationalMemoryConfig, recompute: bool, samples: int
) -> dict[str, tuple[int, ...]]:
    """The same for all samples of a sequence."""
    return {name: (samples, *shape) for name, shape in buffer_shapes(config, recompute).items()}


def split_all(tensors: Mapping[str, Tensor], sizes: list[int]) -> list[Buffers]:
    """Cut each tensor's first axis into steps of these sizes: one mapping a step."""
    parts = {name: x.split(sizes) for name, x in tensors.items()}
    return [{name: x[i] for name, x in parts.items()} for i in range(len(sizes))]


class InputProjection(NamedTuple):
    """What depends only on the input; samples of one step, or of some steps, along the first axis."""

    rows: Tensor
    """(S, R, D), the projected input."""
    unnormed: Tensor | None
    """(S, R, P) with append fusion: the input rows' projection in the first block."""
    first: Tensor | None
    """(S, R, P) the same after the norm."""
    shares: Tensor | None
    """(S, blocks, P) with tile fusion: the input's share of every block's projection, biases included."""
    gates: Tensor | None
    """(S, 1, 2G): the input's share of the gates, with all that does not depend on the memory."""

    def split(self, sizes: list[int]) -> list[InputProjection]:
        """Cut the samples into steps."""
        none = (None,) * len(sizes)
        parts = [none if x is None else x.split(sizes) for x in self]
        return [InputProjection(*(x[i] for x in parts)) for i in range(len(sizes))]  # type: ignore[arg-type]


def input_projection(core: Core, inputs: Tensor) -> InputProjection:
    """Compute what depends only on the inputs (S, F) or (S, R, F)."""
    config, parameters = core
    inputs = inputs.reshape(len(inputs), config.input_rows, config.input_size)
    rows = in_range(config, core.linear("input_projection", inputs))
    flat = rows.flatten(1)  # (S, R*D)
    unnormed = first = shares = gates = None
    if config.input_fusion == "append":
        unnormed = core.linear("blocks.0.qkv", rows)
        first = core.norm("blocks.0.qkv_norm", unnormed).y
    else:
        parts = []
        for block in range(config.num_blocks):
            parts.append(linear(flat, core.input_weight(block), parameters[f"blocks.{block}.qkv.bias"]))
        shares = torch.stack(parts, 1)
    if config.gate_width:
        gates = core.linear("gate_input", flat).unsqueeze(1)
        gates += parameters["gate_memory.bias"]
        gates[..., : config.gate_width] += config.input_bias
        gates[..., config.gate_width :] += config.forget_bias
    return InputProjection(rows, unnormed, first, shares, gates)


def step_forward(core: Core, before: Tensor, work: InputProjection, saved: Buffers, out: Tensor) -> None:
    """Advance memories by one step; of one step or, independent as they are, of several.

    Args:
        core: its layers.
        before: (b, N, D) memories before the step.
        work: the input's part.
        saved: buffers that are filled, see `step_shapes`.
        out: (b, N, D), filled with the memories after the step.
    """
    config, parameters = core
    rows, batch = before, len(before)
    for block, size in enumerate(block_sizes(config)):
        projected = saved[f"{block}.projected"]
        weight = core.slot_weight(block)
        if work.shares is None:
            projected.copy_(linear(rows, weight, parameters[f"blocks.{block}.qkv.bias"]))
        else:
            torch.add(linear(rows, weight), work.shares[:, block].unsqueeze(1), out=projected)
        values = core.norm(f"blocks.{block}.qkv_norm", projected).y
        first = work.first if block == 0 else None
        attended = saved[f"{block}.attended"]
        if config.use_attention:
            heads = gather_heads(config, values, first)  # (b, H, M, 2K+V)
            weights, mixed = rowwise.attention(heads.flatten(0, 1), size.queries, config.key_width)
            saved[f"{block}.weights"].copy_(weights.view(batch, config.num_heads, *weights.shape[1:]))
            split_heads(attended, config.num_heads).copy_(
                mixed.view(batch, config.num_heads, size.queries, -1)
            )
        else:
            total = values.sum(1, keepdim=True)
            if first is not None:
                total += first.sum(1, keepdim=True)
            attended.copy_(total / size.attended)
        if config.use_residual:
            attended[:, : rows.shape[1]] += rows[:, : size.queries]
            if size.queries > rows.shape[1]:
                attended[:, rows.shape[1] :] += work.rows
        rows = core.norm(f"blocks.{block}.attention_norm", attended).y
        if config.use_mlp:
            rows = _mlp(core, block, rows, saved)
    if not config.gate_width:
        out.copy_(rows)
        return
    assert work.gates is not None
    gates = saved["gates"]
    torch.add(
        linear(rowwise.tanh(before), parameters["gate_memory.weight"]), work.gates, out=gates
    ).sigmoid_()
    input_gate, forget_gate = gates.chunk(2, -1)
    torch.mul(forget_gate, before, out=out).addcmul_(input_gate, rowwise.tanh(rows))


def gather_heads(config: RelationalMemoryConfig, values: Tensor, first: Tensor | None) -> Tensor:
    """Put each head's rows side by side: (b, rows, P) and the input's (b, R, P) -> (b, H, M, 2K+V)."""
    batch, count, width = values.shape
    more = 0 if first is None else first.shape[1]
    heads = values.new_empty(batch, config.num_heads, count + more, width // config.num_heads)
    heads[:, :, :count] = split_heads(values, config.num_heads)
    if first is not None:
        heads[:, :, count:] = split_heads(first, config.num_heads)
    return heads


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Return a view: (b, rows, width) -> (b, H, rows, width / H)."""
    batch, rows, width = x.shape
    return x.view(batch, rows, heads, width // heads).transpose(1, 2)


def sequence_forward(
    given: SequenceInputs, options: KernelOptions, keep: bool
) -> tuple[Tensor, Tensor, Buffers]:
    """Run the core over a sequence.

    Args:
        given: the core and the sequence.
        options: with `recompute` only the memories are kept; the backward runs each step again.
        keep: whether a backward follows. If not, the steps share the buffers of one.

    Returns:
        The memories after each step (S, N, D), the last memory of each row (B, N, D), and as "saved" what
        `sequence_backward` needs besides the arguments: `buffer_shapes` side by side (nothing with
        `keep=False`).
    """
    config, parameters, inputs, batch_sizes, memory, initial, resets = given
    recompute, compute_dtype = options
    check_parameters(config, parameters)
    check_kinds(parameters, memory)
    core = Core(config, with_weights_in(compute_dtype, parameters))
    samples, batch = len(inputs), batch_sizes[0]
    memory, initial = in_range(config, memory.contiguous()), initial.contiguous()
    state = memory.shape[1:]
    memories = empty(memory, samples, *state)
    last = torch.empty_like(memory, memory_format=torch.contiguous_format)
    everything = keep and not recompute
    shapes = shared_shapes(config, recompute, samples)
    whole = buffer_for(memory, shapes) if keep else None
    shared = {} if whole is None else carve(whole, shapes)
    befores = shared.pop("before", memories)
    saved = shared if everything else make_buffers(config, memory, batch)
    running = batch
    for begin, end, sizes in reversed(list(chunks(batch_sizes, config.mem_slots))):
        work = input_projection(core, inputs[begin:end])
        if everything:
            saved["rows"][begin:end] = work.rows
            if work.unnormed is not None:
                saved["unnormed"][begin:end] = work.unnormed
        restarts = None if resets is None else resets[begin:end, None, None].split(sizes)
        places = memories[begin:end].split(sizes), befores[begin:end].split(sizes), work.split(sizes)
        buffers = (
            split_all({n: x[begin:end] for n, x in saved.items()}, sizes)
            if everything
            else [saved] * len(sizes)
        )
        for step, (size, after, before, part, buffer) in enumerate(zip(sizes, *places, buffers)):
            if size < running:
                last[size:running] = memory[size:]
                memory, running = memory[:size], size
            if restarts is not None:
                memory = torch.where(restarts[step], initial, memory)
            if keep:
                memory = before.copy_(memory)
            if not everything and size < batch:
                buffer = {name: x[:size] for name, x in buffer.items()}
            step_forward(core, memory, part, buffer, after)
            memory = after
    last[:running] = memory
    return memories, last, {} if whole is None else {"saved": whole}


def _mlp(core: Core, block: int, rows: Tensor, saved: Buffers) -> Tensor:
    """Apply the MLP with its residual and norm; fill the hidden layers and what goes into the norm."""
    config = core.config
    hidden, last = rows, config.attention_mlp_layers - 1
    for layer in range(last):
        activated = saved[f"{block}.hidden.{layer + 1}"]
        hidden = torch.clamp_min(core.linear(f"mlp.{layer}", hidden), 0, out=activated)
    mixed = saved[f"{block}.mixed"]
    mixed.copy_(core.linear(f"mlp.{last}", hidden))
    if config.use_residual:
        mixed += rows
    return core.norm(f"blocks.{block}.mlp_norm", mixed).y
