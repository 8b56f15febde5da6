"""The whole sequence, backward: the derivative of `forward.sequence_forward`, derived by hand.

The steps are taken in chunks, from the last to the first. What a chunk's steps do not need from each other is
computed for all of them at once: what the forward did not keep before them, the parameters' gradients after.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.kernels.backend import Gradients, KernelOptions, SequenceInputs
from relational_rnn.kernels.fused import rows as rowwise
from relational_rnn.kernels.fused.core import Core, block_sizes
from relational_rnn.kernels.fused.forward import (
    Buffers,
    InputProjection,
    chunks,
    gather_heads,
    input_projection,
    make_buffers,
    shared_shapes,
    split_all,
    split_heads,
    step_forward,
)
from relational_rnn.kernels.fused.parameter_gradients import Factors, Totals
from relational_rnn.kernels.fused.rows import Normed
from relational_rnn.kernels.products import linear, with_weights_in
from relational_rnn.kernels.workspace import carve


class Step(NamedTuple):
    """What one step, or a chunk of steps, left behind."""

    saved: Mapping[str, Tensor]
    """See `forward.step_shapes`; and "before"."""
    norms: Mapping[str, Normed]
    heads: Mapping[int, Tensor]
    """By block: (b, H, M, 2K+V)."""
    squashed: Tensor
    """tanh of the memory before the step (b, N, D)."""
    candidate: Tensor
    """tanh of what the blocks made of it (b, N, D)."""

    def split(self, sizes: list[int]) -> list[Step]:
        """Cut a chunk into its steps."""
        saved = split_all(self.saved, sizes)
        norms = {name: [x.split(sizes) for x in norm] for name, norm in self.norms.items()}
        heads = {block: x.split(sizes) for block, x in self.heads.items()}
        squashed, candidate = self.squashed.split(sizes), self.candidate.split(sizes)
        return [
            Step(
                saved[i],
                {name: Normed(*(x[i] for x in norm)) for name, norm in norms.items()},
                {block: x[i] for block, x in heads.items()},
                squashed[i],
                candidate[i],
            )
            for i in range(len(sizes))
        ]


def sequence_backward(
    given: SequenceInputs,
    options: KernelOptions,
    saved: Mapping[str, Tensor],
    d_results: tuple[Tensor | None, Tensor | None],
    needed: frozenset[str],
) -> Gradients:
    """Back-propagate through time.

    Args:
        given: what the forward had.
        options: same.
        saved: what the forward returned.
        d_results: gradients of the loss with respect to the memories (S, N, D) and to the last memory
            (B, N, D), None for 0.
        needed: which gradients are asked for: "inputs", "memory", "initial", names of parameters.

    Returns:
        The gradients of inputs, memory, initial (None where not asked for) and parameters.
    """
    config, parameters, inputs, batch_sizes, _, _, resets = given
    recompute, compute_dtype = options
    d_memories, d_last = d_results
    core = Core(config, with_weights_in(compute_dtype, parameters))
    saved = carve(saved["saved"], shared_shapes(config, recompute, len(inputs)))
    befores = saved["before"]
    totals = Totals(needed | _parts_needed(config, needed), compute_dtype)
    batch, state = batch_sizes[0], befores.shape[1:]
    d = befores.new_zeros(batch, *state)
    if d_last is not None:
        d.copy_(d_last)
    d_initial = befores.new_zeros(state) if "initial" in needed else None
    d_inputs = torch.empty_like(inputs, memory_format=torch.contiguous_format) if "inputs" in needed else None
    for chunk in chunks(batch_sizes, config.mem_slots):
        begin, end, sizes = chunk
        part = {name: x[begin:end] for name, x in saved.items()}
        if recompute:
            part |= _run_again(core, inputs[begin:end], part["before"])
        unnormed = part.get("unnormed")
        first = None if unnormed is None else core.norm("blocks.0.qkv_norm", unnormed)
        whole = _again(core, part, None if first is None else first.y)
        d_work = _empty_work(config, befores, end - begin, unnormed)
        factors = Factors()
        for step, d_part in zip(reversed(whole.split(sizes)), reversed(d_work.split(sizes))):
            size = len(step.candidate)
            begin = end - size
            d_step = d[:size]
            if d_memories is not None:
                d_step += d_memories[begin:end]
            carried = begin > 0 or not needed.isdisjoint(("memory", "initial"))
            d_before = step_backward(core, step, d_step, d_part, factors, carried)
            end = begin
            if d_before is None:
                continue
            if resets is not None:
                restarted = resets[begin : begin + size, None, None]
                if d_initial is not None:
                    d_initial += torch.where(restarted, d_before, 0).sum(0)
                d_before = torch.where(restarted, 0, d_before)
            d_step.copy_(d_before)
        _add_chunk(core, whole, factors, d_work, totals)
        span = slice(chunk.begin, chunk.end)
        d_some = input_backward(core, inputs[span], part, first, d_work, totals)
        if d_inputs is not None and d_some is not None:
            d_inputs[span] = d_some
    if config.input_fusion == "tile":
        _join_parts(config, totals.found)
    return Gradients(d_inputs, d if "memory" in needed else None, d_initial, totals.found)


def step_backward(
    core: Core,
    step: Step,
    d_after: Tensor,
    d_work: InputProjection,
    factors: Factors,
    carried: bool,
) -> Tensor | None:
    """Carry `d_after` (b, N, D) back through one step.

    Args:
        core: its layers.
        step: what the step left behind.
        d_after: gradient of the loss with respect to the memory after the step.
        d_work: filled with the gradients of the input's part, but for `gates`, `shares` and `unnormed`.
        factors: the gradients of all layers' outputs are added.
        carried: whether the gradient of the memory before the step is needed.

    Returns:
        That gradient (b, N, D), or None.
    """
    config = core.config
    batch, before, saved = len(d_after), step.saved["before"], step.saved
    d_before: Tensor | None = None
    d_rows = d_after
    if config.gate_width:
        gates = saved["gates"]
        input_gate, forget_gate = gates.chunk(2, -1)
        d_gates = torch.empty_like(gates)
        for half, factor in zip(d_gates.chunk(2, -1), (step.candidate, before)):
            if config.gate_style == "unit":
                torch.mul(d_after, factor, out=half)
            else:
                half.copy_((d_after * factor).sum(-1, keepdim=True))
        d_logits = torch.ops.aten.sigmoid_backward(d_gates, gates)
        factors.add("gates", d_logits)
        if carried:
            d_squashed = core.linear_backward("gate_memory", d_logits)
            d_before = rowwise.tanh_backward(d_squashed, step.squashed).addcmul_(d_after, forget_gate)
        d_rows = rowwise.tanh_backward(d_after * input_gate, step.candidate)
    else:
        d_rows = d_after.clone()  # the caller's is overwritten

    sizes = block_sizes(config)
    for block in reversed(range(config.num_blocks)):
        if config.use_mlp:
            d_rows = _mlp_backward(core, block, d_rows, step, factors)
        name = f"blocks.{block}.attention_norm"
        factors.add(name, d_rows)
        d_rows = core.norm_backward(name, d_rows, saved[f"{block}.attended"], step.norms[name])

        size, appended = sizes[block], block == 0 and d_work.first is not None
        d_values = d_rows.new_empty(batch, size.projected, config.projection_width)
        d_first = d_work.first if appended else None
        _mix_backward(config, d_rows, step, block, (d_values, d_first))
        name = f"blocks.{block}.qkv_norm"
        factors.add(name, d_values)
        d_projected = core.norm_backward(name, d_values, saved[f"{block}.projected"], step.norms[name])
        factors.add(f"{block}.projected", d_projected)

        d_mixed = d_rows
        count = size.projected
        if appended and config.num_blocks > 1:
            assert d_work.rows is not None
            if config.use_residual:
                d_work.rows.copy_(d_mixed[:, count:])
            else:
                d_work.rows.zero_()
        if block or carried:
            d_rows = linear(d_projected, core.slot_weight(block).t())
            if config.use_residual:
                through = min(count, size.queries)
                d_rows[:, :through] += d_mixed[:, :through]
    if not carried:
        return None
    return d_rows if d_before is None else d_before.add_(d_rows)


def _run_again(core: Core, inputs: Tensor, before: Tensor) -> Buffers:
    """Run some steps again, all at once, for what a forward with `recompute` did not keep."""
    work = input_projection(core, inputs)
    saved = make_buffers(core.config, before, len(before))
    step_forward(core, before, work, saved, torch.empty_like(before))
    saved["rows"] = work.rows
    if work.unnormed is not None:
        saved["unnormed"] = work.unnormed
    return saved


def _again(core: Core, saved: Buffers, first: Tensor | None) -> Step:
    """Compute again, for some steps at once, what the forward did not keep."""
    config = core.config
    norms: dict[str, Normed] = {}
    heads: dict[int, Tensor] = {}
    rows = saved["before"]
    for block in range(config.num_blocks):
        name = f"blocks.{block}"
        projected = saved[f"{block}.projected"]
        norms[f"{name}.qkv_norm"] = core.norm(f"{name}.qkv_norm", projected)
        if config.use_attention:
            values = norms[f"{name}.qkv_norm"].y
            heads[block] = gather_heads(config, values, first if block == 0 else None)
        parts = {"attention_norm": saved[f"{block}.attended"]}
        if config.use_mlp:
            parts["mlp_norm"] = saved[f"{block}.mixed"]
        for part, x in parts.items():
            norms[f"{name}.{part}"] = core.norm(f"{name}.{part}", x)
            rows = norms[f"{name}.{part}"].y
    squashed = candidate = rows
    if config.gate_width:
        squashed, candidate = rowwise.tanh(saved["before"]), rowwise.tanh(rows)
    return Step(saved, norms, heads, squashed, candidate)


def _mlp_backward(core: Core, block: int, d_y: Tensor, step: Step, factors: Factors) -> Tensor:
    """Carry `d_y` back through a block's MLP, residual and norm."""
    name = f"blocks.{block}.mlp_norm"
    factors.add(name, d_y)
    d_mixed = core.norm_backward(name, d_y, step.saved[f"{block}.mixed"], step.norms[name])
    d_x = d_mixed
    for layer in reversed(range(core.config.attention_mlp_layers)):
        factors.add(f"{block}.mlp.{layer}", d_x)
        d_x = core.linear_backward(f"mlp.{layer}", d_x)
        if layer:
            d_x = torch.ops.aten.threshold_backward(d_x, step.saved[f"{block}.hidden.{layer}"], 0)
    return d_x.add_(d_mixed) if core.config.use_residual else d_x


def _mix_backward(
    config: RelationalMemoryConfig,
    d_mixed: Tensor,
    step: Step,
    block: int,
    into: tuple[Tensor, Tensor | None],
) -> None:
    """Carry `d_mixed` (b, queries, D) back through attention, into d_values (b, rows, P) and d_first."""
    d_values, d_first = into
    size = block_sizes(config)[block]
    count = size.projected
    if not config.use_attention:
        d_mean = d_mixed.sum(1, keepdim=True) / size.attended
        d_values.copy_(d_mean.expand_as(d_values))
        if d_first is not None:
            d_first.copy_(d_mean.expand_as(d_first))
        return
    heads, key = config.num_heads, config.key_width
    d_attended = split_heads(d_mixed, heads).flatten(0, 1)  # (b*H, queries, V)
    weights, asked = step.saved[f"{block}.weights"].flatten(0, 1), step.heads[block].flatten(0, 1)
    parts = rowwise.attention_backward(d_attended, weights, asked, key)
    targets = split_heads(d_values, heads), None if d_first is None else split_heads(d_first, heads)
    for part, begin, end in zip(parts, (0, key, 2 * key), (key, 2 * key, 2 * key + config.head_size)):
        d_part = part.view(-1, heads, *part.shape[1:])  # (b, H, rows, features)
        for target, d_some in zip(targets, (d_part[:, :, :count], d_part[:, :, count:])):
            if target is None:
                continue
            asked_rows = d_some.shape[2]
            if asked_rows:
                target[:, :, :asked_rows, begin:end] = d_some
            if asked_rows < target.shape[2]:
                target[:, :, asked_rows:, begin:end] = 0  # rows that did not ask


def _add_chunk(core: Core, whole: Step, factors: Factors, d_work: InputProjection, totals: Totals) -> None:
    """Add a chunk's part of the parameters' gradients; fill the rest of the input projection's gradients."""
    config, saved, norms = core.config, whole.saved, whole.norms
    rows = saved["before"]
    for block in range(config.num_blocks):
        name = f"blocks.{block}"
        d_projected = factors.take(f"{block}.projected")
        qkv = f"{name}.qkv" if d_work.shares is None else f"{name}.qkv.slots"
        totals.linear(qkv, d_projected, rows)
        if d_work.shares is not None:
            torch.sum(d_projected, 1, out=d_work.shares[:, block])
        places = {"qkv_norm": "projected", "attention_norm": "attended"}
        if config.use_mlp:
            places["mlp_norm"] = "mixed"
        for part, place in places.items():
            full, x = f"{name}.{part}", saved[f"{block}.{place}"]
            totals.norm(core, full, factors.take(full), x, norms[full])
        rows = norms[f"{name}.attention_norm"].y
        if config.use_mlp:
            x = rows
            for layer in range(config.attention_mlp_layers):
                x = saved[f"{block}.hidden.{layer}"] if layer else x
                totals.linear(f"mlp.{layer}", factors.take(f"{block}.mlp.{layer}"), x)
            rows = norms[f"{name}.mlp_norm"].y
    if config.gate_width:
        d_gates = factors.take("gates")
        totals.linear("gate_memory", d_gates, whole.squashed)
        assert d_work.gates is not None
        torch.sum(d_gates, 1, keepdim=True, out=d_work.gates)


def _empty_work(
    config: RelationalMemoryConfig, like: Tensor, samples: int, unnormed: Tensor | None
) -> InputProjection:
    """Make room for the gradients of the input projection; `rows` only where a step sees the rows."""
    first = shares = gates = None
    if unnormed is not None:
        first = torch.empty_like(unnormed)
    else:
        shares = like.new_empty(samples, config.num_blocks, config.projection_width)
    if config.gate_width:
        gates = like.new_empty(samples, 1, 2 * config.gate_width)
    rows = like.new_empty(samples, config.input_rows, config.memory_width)
    return InputProjection(rows, None, first, shares, gates)


def _parts_needed(config: RelationalMemoryConfig, needed: frozenset[str]) -> frozenset[str]:
    """With tile fusion the two parts of a projection have names of their own here."""
    names = set()
    for block in range(config.num_blocks):
        qkv = f"blocks.{block}.qkv"
        if f"{qkv}.weight" in needed:
            names |= {f"{qkv}.slots.weight", f"{qkv}.inputs.weight"}
        if f"{qkv}.bias" in needed:
            names.add(f"{qkv}.inputs.bias")
    return frozenset(names)


def _join_parts(config: RelationalMemoryConfig, found: dict[str, Tensor]) -> None:
    """Put the parts that `_parts_needed` names together."""
    for block in range(config.num_blocks):
        qkv = f"blocks.{block}.qkv"
        if f"{qkv}.slots.weight" in found:
            slots, inputs = found.pop(f"{qkv}.slots.weight"), found.pop(f"{qkv}.inputs.weight")
            found[f"{qkv}.weight"] = torch.cat([slots, inputs], 1)
        if f"{qkv}.inputs.bias" in found:
            found[f"{qkv}.bias"] = found.pop(f"{qkv}.inputs.bias")


def input_backward(
    core: Core,
    inputs: Tensor,
    saved: Mapping[str, Tensor],
    first: Normed | None,
    d_work: InputProjection,
    totals: Totals,
) -> Tensor | None:
    """Carry the gradients of the input projection of some steps back to the inputs and the parameters."""
    config = core.config
    rows, needed = saved["rows"], totals.needed
    flat = rows.flatten(1)  # (S, R*D)
    onward = not needed.isdisjoint(("inputs", "input_projection.weight", "input_projection.bias"))
    d_rows = d_work.rows
    if config.num_blocks == 1 or config.input_fusion == "tile":
        d_rows.zero_()
    d_flat = d_rows.view_as(flat)  # adding to it adds to d_rows
    if d_work.gates is not None:
        d_gates = d_work.gates.squeeze(1)
        totals.linear("gate_input", d_gates, flat)
        if onward:
            d_flat += core.linear_backward("gate_input", d_gates)
    if first is not None:
        assert d_work.first is not None
        name, x = "blocks.0.qkv_norm", saved["unnormed"]
        totals.norm(core, name, d_work.first, x, first)
        d_projected = core.norm_backward(name, d_work.first, x, first)
        totals.linear("blocks.0.qkv", d_projected, rows)
        if onward:
            d_rows += core.linear_backward("blocks.0.qkv", d_projected)
    else:
        assert d_work.shares is not None
        for block in range(config.num_blocks):
            name, d_share = f"blocks.{block}.qkv", d_work.shares[:, block]
            totals.linear(f"{name}.inputs", d_share, flat)
            if onward:
                d_flat += linear(d_share, core.input_weight(block).t())
    totals.linear("input_projection", d_rows, inputs.reshape(*rows.shape[:2], -1))
    if "inputs" not in needed:
        return None
    return core.linear_backward("input_projection", d_rows).view_as(inputs)
