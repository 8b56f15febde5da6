"""The core's step and sequence in plain torch: the twin that every faster backend is compared with.

Pure functions; nothing is kept. Parameters come in as a mapping, by the names of `config.parameter_shapes`.
Equations: docs/core.md. Everything that depends only on the input is computed for all steps at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig, Trace, check_parameters
from relational_rnn.kernels.backend import SequenceInputs
from relational_rnn.kernels.dot_product import autocasts, dot_product_attention, layer_norm, plain_attention

EPSILON = 1e-5
"""The authors' layer norm epsilon."""

Parameters = Mapping[str, Tensor]


class InputProjection(NamedTuple):
    """What one step, or all steps, need of the input; leading axes are the input's."""

    rows: Tensor
    """(..., R, D): the projected input."""
    first: Tensor
    """append: (..., R, Q), the normed projection of the input rows in the first block;
    tile: (..., blocks, Q), the input's share of every block's projection, biases included."""
    gates: Tensor | None
    """(..., 1, 2G): the input's share of the gates, all biases included."""

    def split(self, sizes: list[int]) -> list[InputProjection]:
        """Cut the first axis into steps of these sizes."""
        # One split: its backward is one concatenation, where indexing step by step would cost T of them.
        gates = [None] * len(sizes) if self.gates is None else self.gates.split(sizes)
        return [
            InputProjection(*parts) for parts in zip(self.rows.split(sizes), self.first.split(sizes), gates)
        ]


def linear(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    """Apply the linear layer `name` to the last axis."""
    return F.linear(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"])


def norm(config: RelationalMemoryConfig, parameters: Parameters, name: str, x: Tensor) -> Tensor:
    """Normalise the last axis, row by row; the identity when layer norm is switched off."""
    if not config.use_layer_norm:
        return x
    return layer_norm(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"], EPSILON)


def check_kinds(parameters: Parameters, like: Tensor) -> None:
    """Say so when a parameter is not dense, not on the device of `like`, or a matrix of another dtype.

    Raises:
        TypeError: naming the parameter and what it is.
    """
    casts = autocasts(like.device.type)
    for name, x in parameters.items():
        dense = x.layout is torch.strided and not x.is_nested and x.is_floating_point()
        if not dense or x.device != like.device or (x.ndim == 2 and x.dtype != like.dtype and not casts):
            layout = "nested" if x.is_nested else x.layout
            raise TypeError(
                f"{name} must be dense, {like.dtype} and on {like.device}, "
                f"got {x.dtype}, {layout}, on {x.device}"
            )


def largest_row(dtype: torch.dtype) -> float:
    """Return from which size on a number of a projected input is out of range, see `in_range`.

    Example:
        >>> f"{largest_row(torch.float32):.1e}"
        '1.8e+15'
    """
    wide = torch.promote_types(dtype, torch.float32)  # what norms of smaller floats are computed in
    return float(torch.finfo(wide).max ** 0.5 * 1e-4)


def in_range(config: RelationalMemoryConfig, rows: Tensor) -> Tensor:
    """Turn numbers so large that a layer norm may square them out of range into NaN.

    The rows are a projected input, or the memory that a sequence begins with. Fill values of data files are
    such numbers. Beyond its range a norm's result depends on the order of its sums: some backends would say
    NaN and others a number that means nothing.
    """
    if not config.use_layer_norm:
        return rows
    small = rows.detach().abs() < largest_row(rows.dtype)
    return rows + torch.zeros_like(rows).masked_fill(~small, math.nan)  # a sum: gradients stay as they are


def input_projection(
    config: RelationalMemoryConfig, parameters: Parameters, inputs: Tensor
) -> InputProjection:
    """Compute everything that depends only on the input.

    Args:
        config: the core.
        parameters: its parameters.
        inputs: (..., F), or (..., R, F) with `treat_input_as_matrix`; any leading axes.

    Returns:
        The work, with the input's leading axes.
    """
    width = config.memory_width
    if not config.treat_input_as_matrix:
        inputs = inputs.unsqueeze(-2)  # (..., R = 1, F)
    rows = in_range(config, linear(parameters, "input_projection", inputs))  # (..., R, D)
    flat = rows.flatten(-2)  # (..., R*D)
    gates = None
    if config.gate_width:
        gates = with_offsets(config, linear(parameters, "gate_input", flat)).unsqueeze(-2)
    if config.input_fusion == "append":
        first = norm(config, parameters, "blocks.0.qkv_norm", linear(parameters, "blocks.0.qkv", rows))
    else:
        shares = [
            F.linear(
                flat,
                parameters[f"blocks.{block}.qkv.weight"][:, width:],
                parameters[f"blocks.{block}.qkv.bias"],
            )
            for block in range(config.num_blocks)
        ]
        first = torch.stack(shares, -2)  # (..., blocks, Q)
    return InputProjection(rows, first, gates)


def project(
    config: RelationalMemoryConfig,
    parameters: Parameters,
    block: int,
    rows: Tensor,
    work: InputProjection | None,
) -> Tensor:
    """Compute a block's normed queries, keys and values of the rows: (B, M, D) -> (B, M, Q)."""
    name = f"blocks.{block}.qkv"
    if config.input_fusion == "append":
        projected = linear(parameters, name, rows)
    else:
        # [m_i ; x] W^T = m_i W_m^T + x W_x^T: the second term is made once for all slots and steps.
        weight = parameters[f"{name}.weight"][:, : config.memory_width]
        if work is None:
            projected = F.linear(rows, weight, parameters[f"{name}.bias"])
        else:
            projected = F.linear(rows, weight) + work.first[:, block].unsqueeze(1)
    return norm(config, parameters, f"{name}_norm", projected)


def split_heads(config: RelationalMemoryConfig, projected: Tensor) -> list[Tensor]:
    """Split (B, M, Q) head-major into queries, keys (B, H, M, K) and values (B, H, M, V)."""
    batch, rows, _ = projected.shape
    widths = [config.key_width, config.key_width, config.head_size]
    return list(projected.view(batch, rows, config.num_heads, sum(widths)).transpose(1, 2).split(widths, -1))


def attend(
    config: RelationalMemoryConfig, projected: Tensor, appended: Tensor | None, queries: int, trace: bool
) -> tuple[Tensor, Tensor | None]:
    """Let the first `queries` rows attend to all rows.

    Args:
        config: the core.
        projected: (B, M', Q) queries, keys and values.
        appended: (B, R, Q) of rows that follow them, or None.
        queries: how many of the M = M' + R rows ask.
        trace: also return the attention weights.

    Returns:
        (B, queries, D), and the weights (B, H, queries, M) or None.
    """
    rows = projected if appended is None else torch.cat([projected, appended], 1)  # (B, M, Q)
    if not config.use_attention:
        mean = rows.mean(1, keepdim=True).expand(-1, queries, -1)  # (B, queries, D)
        batch, count = rows.shape[:2]
        weights = rows.new_full((batch, config.num_heads, queries, count), 1 / count) if trace else None
        return mean, weights
    q, k, v = split_heads(config, rows)
    if queries < q.shape[2]:
        q = q[:, :, :queries]
    if trace:
        attended, weights = plain_attention(q, k, v)
    else:
        attended, weights = dot_product_attention(q, k, v), None
    return attended.transpose(1, 2).flatten(-2), weights


def row_mlp(config: RelationalMemoryConfig, parameters: Parameters, rows: Tensor) -> Tensor:
    """Apply the row-wise MLP, ReLU between its layers."""
    for layer in range(config.attention_mlp_layers):
        rows = linear(parameters, f"mlp.{layer}", torch.relu(rows) if layer else rows)
    return rows


def relate(
    config: RelationalMemoryConfig,
    parameters: Parameters,
    memory: Tensor,
    work: InputProjection | None,
    trace: bool,
) -> tuple[Tensor, list[Tensor]]:
    """Run the blocks of attention and MLP: the candidate memory (B, N, D) before the gates.

    The input rows are dropped at the end, so in the last block they neither ask nor pass the MLP.
    """
    slots, attentions = config.mem_slots, []
    append = config.input_fusion == "append" and work is not None
    rows = memory
    for block in range(config.num_blocks):
        projected = project(config, parameters, block, rows, work)
        appended = work.first if append and work is not None and block == 0 else None
        total = rows.shape[1] + (0 if appended is None else appended.shape[1])
        queries = slots if block == config.num_blocks - 1 else total
        attended, weights = attend(config, projected, appended, queries, trace)
        if weights is not None:
            attentions.append(weights[:, :, :slots])
        if queries > rows.shape[1] and work is not None:
            rows = torch.cat([rows, work.rows.to(rows.dtype)], 1)
        rows = attended + rows[:, :queries] if config.use_residual else attended
        rows = norm(config, parameters, f"blocks.{block}.attention_norm", rows)
        if config.use_mlp:
            mixed = row_mlp(config, parameters, rows)
            rows = rows + mixed if config.use_residual else mixed
            rows = norm(config, parameters, f"blocks.{block}.mlp_norm", rows)
    return rows, attentions


def with_offsets(config: RelationalMemoryConfig, gates: Tensor) -> Tensor:
    """Add what opens or closes the gates (..., 2G) from the start: `input_bias` and `forget_bias`."""
    if not (config.input_bias or config.forget_bias):
        return gates
    return gates + gate_offsets(gates, config.gate_width, config.input_bias, config.forget_bias)


def gate_offsets(like: Tensor, width: int, input_bias: float, forget_bias: float) -> Tensor:
    """Return the constants of the input and of the forget gates side by side, (2G,)."""
    return torch.cat([like.new_full((width,), input_bias), like.new_full((width,), forget_bias)])


def blend(gates: Tensor, new: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Let the gates choose between what is new and the memory.

    Args:
        gates: (B, N, 2G), before the sigmoid, all biases included.
        new: (B, N, D).
        memory: (B, N, D).

    Returns:
        The next memory (B, N, D), and the input and the forget gate (B, N, G).
    """
    take, keep = torch.sigmoid(gates).chunk(2, -1)
    return torch.addcmul(keep * memory, take, torch.tanh(new)), take, keep


def gated_update(
    memory: Tensor, new: Tensor, entered: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Blend the memory with what is new, by gates of what the memory holds and of what entered.

    Args:
        memory: (B, N, D).
        new: (B, N, D).
        entered: (B, 1, 2G) or (2G,), the input's share of the gates, their constants included.
        weight, bias: of the memory's share, (2G, D) and (2G,) or None.

    Returns:
        As `blend`.
    """
    return blend(F.linear(torch.tanh(memory), weight, bias) + entered, new, memory)


def step(
    config: RelationalMemoryConfig,
    parameters: Parameters,
    memory: Tensor,
    work: InputProjection | None,
    trace: bool = False,
) -> tuple[Tensor, Trace | None]:
    """Advance the memory by one step.

    Args:
        config: the core.
        parameters: its parameters.
        memory: (B, N, D).
        work: the step's `input_projection`, or None for a step without input.
        trace: also return attention and gates.

    Returns:
        The next memory (B, N, D), and the trace or None: a `config.Trace` without its T axis.
    """
    new, attentions = relate(config, parameters, memory, work, trace)
    input_gate = forget_gate = None
    if config.gate_width:
        entered = None if work is None else work.gates
        if entered is None:
            entered = gate_offsets(memory, config.gate_width, config.input_bias, config.forget_bias)
        weight, bias = parameters["gate_memory.weight"], parameters["gate_memory.bias"]
        new, input_gate, forget_gate = gated_update(memory, new, entered, weight, bias)
    return new, Trace(torch.stack(attentions, 1), input_gate, forget_gate) if trace else None


def cell(
    config: RelationalMemoryConfig,
    parameters: Parameters,
    inputs: Tensor | None,
    memory: Tensor,
    trace: bool = False,
) -> tuple[Tensor, Trace | None]:
    """Advance the memory by one step, input projection included.

    Args:
        config: the core.
        parameters: its parameters.
        inputs: (B, F), or (B, R, F) with `treat_input_as_matrix`; None for a step without input.
        memory: (B, N, D).
        trace: also return attention and gates.

    Returns:
        As `step`.
    """
    check_parameters(config, parameters)
    check_kinds(parameters, memory)
    memory = in_range(config, memory)
    work = None if inputs is None else input_projection(config, parameters, inputs)
    return step(config, parameters, memory, work, trace)


def read(
    config: RelationalMemoryConfig, parameters: Parameters, memory: Tensor, query: Tensor | None = None
) -> Tensor:
    """Turn memories (..., N, D) into outputs: (..., N*D) for the flatten head, else (..., D).

    Args:
        config: of the core.
        parameters: at least the read head's own.
        memory: after each step.
        query: (..., D), what `ask` returns, for the head "query".
    """
    if config.read_head == "flatten":
        return memory.flatten(-2)
    if config.read_head == "mean":
        return memory.mean(-2)
    if config.read_head == "weighted":
        weights = torch.softmax(parameters["read_weights"], 0)  # (N,)
    else:
        asked = (
            parameters["read_query"].unsqueeze(-1) if query is None else query.unsqueeze(-1)
        )  # (..., D, 1)
        scores = (memory @ asked).squeeze(-1) * config.memory_width**-0.5
        weights = torch.softmax(scores, -1)  # (..., N)
    output = (weights.unsqueeze(-1) * memory).sum(-2)
    return output if query is None else output + query


def ask(parameters: Parameters, inputs: Tensor | None, memory: Tensor) -> Tensor:
    """Return the query (..., D) of the read head "query": a projection of the input (..., F).

    Args:
        parameters: the core's.
        inputs: None for a step without input, which asks with the bias alone.
        memory: (..., N, D), says how many ask then.
    """
    if inputs is None:
        return parameters["read_projection.bias"].expand(memory[..., 0, :].shape)
    return linear(parameters, "read_projection", inputs)


def sequence(given: SequenceInputs, trace: bool = False) -> tuple[Tensor, Tensor, Trace | None]:
    """Run the core over a sequence.

    Args:
        given: the core and the sequence.
        trace: also return attention and gates of every step.

    Returns:
        Memories after each step (S, N, D); the last memory of each row (B, N, D); the trace
        (batch first, NaN where a row has ended) or None.
    """
    config, parameters, inputs, batch_sizes, memory, initial, resets = given
    check_parameters(config, parameters)
    check_kinds(parameters, memory)
    memory = in_range(config, memory)
    steps = input_projection(config, parameters, inputs).split(batch_sizes)
    restarts = [None] * len(steps) if resets is None else resets.split(batch_sizes)
    memories: list[Tensor] = []
    traces: list[Trace] = []
    ended: list[Tensor] = []  # the last memories of rows that have ended, the longest row last
    for running, work, restart in zip(batch_sizes, steps, restarts):
        if running < memory.shape[0]:
            ended.append(memory[running:])
            memory = memory[:running]
        if restart is not None:
            memory = torch.where(restart[:, None, None], initial.to(memory.dtype), memory)
        memory, report = step(config, parameters, memory, work, trace)
        memories.append(memory)
        if report is not None:
            traces.append(report)
    last = torch.cat([memory, *reversed(ended)]) if ended else memory
    return torch.cat(memories), last, stack_traces(traces, batch_sizes[0]) if trace else None


def stack_traces(traces: list[Trace], rows: int) -> Trace:
    """Put the steps' traces side by side on axis 1, NaN where a row has ended."""

    def column(parts: list[Tensor]) -> Tensor:
        return torch.stack(
            [F.pad(p, (0, 0) * (p.ndim - 1) + (0, rows - p.shape[0]), value=math.nan) for p in parts], 1
        )

    attention = column([report.attention for report in traces])
    gates = [
        (r.input_gate, r.forget_gate)
        for r in traces
        if r.input_gate is not None and r.forget_gate is not None
    ]
    if not gates:
        return Trace(attention, None, None)
    return Trace(attention, column([i for i, _ in gates]), column([f for _, f in gates]))
