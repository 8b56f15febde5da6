"""Whether a layer's parameters may be used without calling it, and the core by calling all of them.

Kernels read weights where they lie. What acts through a layer's call (hooks, pruning, adapters, quantised or
sharded layers) would be passed over in silence there, so such a core calls its layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from relational_rnn.config import Trace
from relational_rnn.kernels import autocasts, eager, layer_norm, transformed
from relational_rnn.nn.unroll import unroll

if TYPE_CHECKING:
    from relational_rnn.nn.relational_memory import RelationalMemory, RelationalMemoryCell

_LINEAR, _NORM, _CELL = nn.Linear.forward, nn.LayerNorm.forward, nn.LSTMCell.forward
_CALL = nn.Module.__call__
"""Of the layers whose parameters say all, as this module found them: a patched one is another."""


def why_called(layer: nn.Module) -> str | None:
    """Say why a layer has to be called, or None where its parameters say all that it does.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> why_called(layer)
        >>> hook = layer.register_forward_hook(lambda layer, inputs, output: output)
        >>> why_called(layer)
        'has hooks'
        >>> why_called(nn.Identity())
        'is of type Identity'
    """
    kind = type(layer)
    forward = kind.forward
    if forward is not _LINEAR and forward is not _NORM and forward is not _CELL:
        return f"is of type {kind.__name__}"
    exporting = torch.compiler.is_compiling  # it patches the call of all modules, to take notes
    if kind.__call__ is not _CALL and not (exporting() and kind.__call__ is nn.Module.__call__):
        return f"is called in its own way by {kind.__name__}"
    if has_hooks(layer):
        return "has hooks"
    if forward is _NORM and layer.eps != eager.EPSILON:
        return "has another eps"
    return None


def has_hooks(layer: nn.Module) -> bool:
    """Say whether a call of a layer does more than its class says: hooks, or a `forward` of its own."""
    return bool(
        layer._forward_hooks
        or layer._forward_pre_hooks
        or layer._backward_hooks
        or layer._backward_pre_hooks
        or "forward" in layer.__dict__
    )


def like_of(model: nn.Module, layer: nn.Module) -> Tensor:
    """Return a tensor of a model's dtype and device: the weight of one of its layers, if that has one still.

    A layer that was replaced may have its weight elsewhere, or packed.
    """
    weight = getattr(layer, "weight", None)
    if isinstance(weight, Tensor) and weight.is_floating_point():
        return weight
    found = (x for x in (*model.parameters(), *model.buffers()) if x.is_floating_point())
    return next(found, torch.empty(0, device="cpu"))


def hooks_everywhere() -> bool:
    """Say whether there are hooks on all modules, such as `register_module_forward_hook` adds."""
    return _has_any_global_hook()  # type: ignore[no-any-return]


def lstm_step(cell: nn.Module, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Call a cell, or compute what it does by plain operations where torch's has no rule: vmap, forward mode.

    Args:
        cell: an LSTM cell with biases, or what stands for one.
        x: (B, F).
        state: h and c, each (B, hidden).

    Returns:
        h and c after the step.
    """
    h, c = state
    if why_called(cell) is not None or hooks_everywhere() or not transformed((x, h, c)):
        return cell(x, state)  # type: ignore[no-any-return]
    assert isinstance(cell, nn.LSTMCell)
    gates = F.linear(x, cell.weight_ih, cell.bias_ih) + F.linear(h, cell.weight_hh, cell.bias_hh)
    i, f, g, o = gates.chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def lacks_lstm(kind: str) -> bool:
    """Say whether torch's own LSTM cannot run under the autocast at work on a type of devices.

    On a CPU it is oneDNN's, which for bfloat16 and float16 needs a processor that has them, and else fails.
    """
    if torch.compiler.is_compiling() or kind != "cpu" or not autocasts(kind):
        return False
    known = {
        torch.bfloat16: torch.ops.mkldnn._is_mkldnn_bf16_supported,
        torch.float16: torch.ops.mkldnn._is_mkldnn_fp16_supported,
    }
    supported = known.get(torch.get_autocast_dtype(kind))
    return torch.backends.mkldnn.is_available() and supported is not None and not supported()


def call_norm(layer: nn.Module, x: Tensor) -> Tensor:
    """Call a layer norm, or compute what it does by its formula where torch's own derivatives are wrong."""
    if (
        transformed((x,))
        and isinstance(layer, nn.LayerNorm)
        and not (why_called(layer) or hooks_everywhere())
    ):
        return layer_norm(x, layer.weight, layer.bias, layer.eps)
    return layer(x)  # type: ignore[no-any-return]


def called_step(
    core: RelationalMemory | RelationalMemoryCell,
    memory: Tensor,
    rows: Tensor | None,
    gates: Tensor | None,
    trace: bool,
) -> tuple[Tensor, Trace | None]:
    """Advance the memory by one step with every layer called, as docs/core.md writes the equations.

    Args:
        core: whose layers are called.
        memory: (B, N, D).
        rows: (B, R, D), the projected input, or None for a step without input.
        gates: (B, 1, 2G), the input's share of the gates and their offsets, or None where there is no input
            or no gate.
        trace: also return attention and gates.

    Returns:
        The next memory (B, N, D), and the trace or None: a `config.Trace` without its T axis.
    """
    config, slots = core.config, core.config.mem_slots
    attentions, new = [], memory
    mlp = list(core.mlp) if config.use_mlp else []
    if config.input_fusion == "tile":
        nothing = memory.new_zeros(len(memory), config.row_width - config.memory_width)
        tiled = (nothing if rows is None else rows.flatten(1)).unsqueeze(1).expand(-1, slots, -1)
    for number, block in enumerate(core.blocks):
        seen = new
        if config.input_fusion == "tile":
            seen = torch.cat([new, tiled.to(new.dtype)], 2)  # [m_i ; x]
        elif number == 0 and rows is not None:
            seen = torch.cat([new, rows.to(new.dtype)], 1)
        queries = slots if number == config.num_blocks - 1 else seen.shape[1]
        new, weights = block(seen, mlp, queries, trace)
        if weights is not None:
            attentions.append(weights[:, :, :slots])
    input_gate = forget_gate = None
    if config.gate_width:
        both = core.gate_memory(torch.tanh(memory))  # (B, N, 2G)
        both = eager.with_offsets(config, both) if gates is None else both + gates
        new, input_gate, forget_gate = eager.blend(both, new, memory)
    return new, Trace(torch.stack(attentions, 1), input_gate, forget_gate) if trace else None


def called_input(
    core: RelationalMemory | RelationalMemoryCell, inputs: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Project inputs (S, F) or (S, R, F): rows (S, R, D) and the gates' share (S, 1, 2G) or None."""
    rows = core.input_projection(inputs if core.config.treat_input_as_matrix else inputs.unsqueeze(1))
    rows = eager.in_range(core.config, rows)
    if not core.config.gate_width:
        return rows, None
    return rows, eager.with_offsets(core.config, core.gate_input(rows.flatten(1))).unsqueeze(1)


def called_sequence(
    core: RelationalMemory,
    inputs: Tensor,
    batch_sizes: list[int],
    memory: Tensor,
    initial: Tensor,
    resets: Tensor | None,
    trace: bool,
) -> tuple[Tensor, Tensor, Trace | None]:
    """Run over a sequence with every layer called: those of the input once, all others once a step.

    Arguments and results are those of `kernels.eager.sequence`.
    """
    rows, gates = called_input(core, inputs)
    memory, traces = eager.in_range(core.config, memory), []

    def step(row: Tensor, *more: Any) -> tuple[Tensor, tuple[Tensor]]:
        *share, state = more
        after, report = called_step(core, state[0], row, share[0] if share else None, trace)
        if report is not None:
            traces.append(report)
        return after, (after,)

    entered = (rows,) if gates is None else (rows, gates)
    memories, (last,) = unroll(step, entered, batch_sizes, (memory,), (initial[None],), resets)
    return memories, last, eager.stack_traces(traces, batch_sizes[0]) if trace else None
