"""R2Gen's relational memory from R2Gen's weights, and its decoding with a memory that is carried.

R2Gen (Chen et al. 2020, github.com/zhjohnchan/R2Gen) writes radiology reports; many copies of its
`modules/encoder_decoder.py` are in use. For every token they run the memory again from the first one. Here
the memory is a state, so a token costs one step. docs/r2gen.md shows how to swap it in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from relational_rnn.nn.r2gen import ConditionalLayerNorm, R2GenMemory

__all__ = ["PREFIX", "ConditionalLayerNorm", "R2GenMemory", "carry_memory", "export_r2gen", "load_r2gen"]

PREFIX: Final = "encoder_decoder.model.rm."
"""What stands before the names of the memory's weights in a checkpoint of R2Gen."""

_LAYERS: Final = {
    "qkv": ("attn.linears.0", "attn.linears.1", "attn.linears.2"),
    "attention_output": ("attn.linears.3",),
    "mlp.0": ("mlp.0",),
    "mlp.1": ("mlp.2",),
    "gate_input": ("W",),
    "gate_memory": ("U",),
}
"""Our layer -> theirs, which lie below each other in it."""
_LEAVES: Final = ("weight", "bias")
_THEIRS: Final = [f"{layer}.{leaf}" for layers in _LAYERS.values() for layer in layers for leaf in _LEAVES]


def load_r2gen(
    state_dict: Mapping[str, Tensor],
    num_heads: int,
    num_slots: int | None = None,
    *,
    prefix: str | None = None,
) -> R2GenMemory:
    """Make the memory that a checkpoint of R2Gen holds, with its dtype and device, ready for decoding.

    Args:
        state_dict: of R2Gen's whole model (the checkpoint's "state_dict") or of its memory alone.
        num_heads: R2Gen's `--rm_num_heads` (8 unless it was set); the weights do not say it.
        num_slots: R2Gen's `--rm_num_slots`; None reads it off the conditional layer norms, if they are there.
        prefix: what stands before the names of the memory's weights; None finds it.

    Returns:
        The memory, in evaluation mode (`train()` turns the dropout of its attention on, 0.1 as in R2Gen).

    Raises:
        TypeError: a weight that is no tensor; sizes that are no integers.
        ValueError: no such memory or several, a weight that is missing, unknown or of another shape, a number
            of slots that is not told or is not that of the layer norms.

    Example:
        >>> memory = R2GenMemory(8, num_slots=3, num_heads=2)
        >>> again = load_r2gen(export_r2gen(memory), num_heads=2, num_slots=3)
        >>> again(torch.ones(1, 4, 8))[0].equal(memory.eval()(torch.ones(1, 4, 8))[0])
        True
    """
    prefix = _find_prefix(state_dict) if prefix is None else prefix
    theirs = {name.removeprefix(prefix): x for name, x in state_dict.items() if name.startswith(prefix)}
    if prefix == "":  # nothing says where the memory's names end and others' begin
        theirs = {name: x for name, x in theirs.items() if name.split(".")[0] in ("attn", "mlp", "W", "U")}
    missing, unknown = sorted(set(_THEIRS) - set(theirs)), sorted(set(theirs) - set(_THEIRS))
    if missing or unknown:
        raise ValueError(
            f"weights under {prefix!r} are not those of R2Gen's RelationalMemory: "
            f"missing {missing}, unknown {unknown}"
        )
    for name, x in theirs.items():
        if not isinstance(x, Tensor):
            raise TypeError(f"{prefix}{name} must be a torch.Tensor, got {type(x).__name__}")
    like = theirs["W.weight"]
    if like.ndim != 2:
        raise ValueError(f"{prefix}W.weight must have shape (2 D, D), got {tuple(like.shape)}")
    width = like.shape[1]
    slots = _slots(state_dict, width, num_slots)
    memory = R2GenMemory(width, slots, num_heads, device=like.device, dtype=like.dtype)
    ours = dict(memory.named_parameters())
    for layer, parts in _LAYERS.items():
        for leaf in _LEAVES:
            rows = len(ours[f"{layer}.{leaf}"]) // len(parts)
            wanted = (rows, width) if leaf == "weight" else (rows,)
            for part in parts:
                got = tuple(theirs[f"{part}.{leaf}"].shape)
                if got != wanted:
                    raise ValueError(f"{prefix}{part}.{leaf} must have shape {wanted}, got {got}")
    with torch.no_grad():
        for layer, parts in _LAYERS.items():
            for leaf in _LEAVES:
                ours[f"{layer}.{leaf}"].copy_(torch.cat([theirs[f"{part}.{leaf}"] for part in parts]))
    return memory.eval()


def export_r2gen(memory: R2GenMemory, *, prefix: str = PREFIX) -> dict[str, Tensor]:
    """Copy a memory's weights under R2Gen's names.

    Args:
        memory: trained here, or loaded and trained further.
        prefix: what to put before the names: `PREFIX` for R2Gen's whole model, "" for its memory alone.

    Returns:
        The memory's part of a state dict; `load_state_dict(model.state_dict() | export_r2gen(memory))` puts
        it into R2Gen's model.

    Raises:
        TypeError: `memory` is no `R2GenMemory`.

    Example:
        >>> list(export_r2gen(R2GenMemory(8, num_slots=3, num_heads=2), prefix=""))[:2]
        ['attn.linears.0.weight', 'attn.linears.1.weight']
    """
    if not isinstance(memory, R2GenMemory):
        raise TypeError(f"memory must be an R2GenMemory, got {type(memory).__name__}")
    ours = memory.state_dict()
    return {
        f"{prefix}{part}.{leaf}": share.clone()
        for layer, parts in _LAYERS.items()
        for leaf in _LEAVES
        for part, share in zip(parts, ours[f"{layer}.{leaf}"].chunk(len(parts)), strict=True)
    }


def carry_memory(encoder_decoder: Any) -> R2GenMemory:
    """Let R2Gen's own `EncoderDecoder` carry its memory from token to token when it decodes.

    Its memory is replaced by an `R2GenMemory` of the same weights, and its methods `core` and
    `model.decode` by ones that advance that memory by the newest token. Greedy and beam search stay as they
    are, and so do the reports. Call it after the weights are loaded: from then on the memory's names in
    `state_dict()` are ours (`export_r2gen` has theirs). Such a model is saved by its state dict, not whole.

    Args:
        encoder_decoder: R2Gen's `EncoderDecoder` (`R2GenModel(...).encoder_decoder`), changed in place.

    Returns:
        The memory that it now has.

    Raises:
        TypeError: it does not have what R2Gen's has; nothing is changed then.

    Example:
        >>> memory = carry_memory(model.encoder_decoder)  # doctest: +SKIP
        >>> carry_memory(torch.nn.Linear(2, 2))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        TypeError: encoder_decoder must be R2Gen's EncoderDecoder, got Linear without ...
    """
    lacking = [name for name in _USED if not _has(encoder_decoder, name)]
    if lacking:
        raise TypeError(
            f"encoder_decoder must be R2Gen's EncoderDecoder, got {type(encoder_decoder).__name__} without "
            f"{', '.join(lacking)}"
        )
    model = encoder_decoder.model
    theirs = model.rm
    memory = load_r2gen(theirs.state_dict(), theirs.num_heads, theirs.num_slots, prefix="")
    memory.dropout = float(theirs.attn.dropout.p)
    model.rm = memory.train(theirs.training)
    _override(model, decode=_decode)
    _override(encoder_decoder, core=_core)
    return memory


_USED: Final = (
    *("core", "model.decode", "model.decoder", "model.tgt_embed", "model.rm.num_heads"),
    *("model.rm.num_slots", "model.rm.attn.dropout.p"),
)


def _has(thing: Any, path: str) -> bool:
    for name in path.split("."):
        if not hasattr(thing, name):
            return False
        thing = getattr(thing, name)
    return True


def _override(module: Any, **methods: Any) -> None:
    """Give one module other methods, by a class of its own: so copies and replicas have theirs."""
    kind = type(module)
    module.__class__ = type(kind.__name__, (kind,), methods)


def _decode(model: Any, hidden_states: Tensor, src_mask: Tensor, tgt: Tensor, tgt_mask: Tensor) -> Any:
    """Do what `Transformer.decode` of R2Gen does: all tokens at once, as in training."""
    read, _ = model.rm(model.tgt_embed(tgt))  # embedded twice, as there: each draws its own dropout
    return model.decoder(model.tgt_embed(tgt), hidden_states, src_mask, tgt_mask, read)


def _core(
    encoder_decoder: Any,
    it: Tensor,
    fc_feats_ph: Tensor,
    att_feats_ph: Tensor,
    memory: Tensor,
    state: list[Tensor],
    mask: Tensor,
) -> tuple[Tensor, list[Tensor]]:
    """Do what `EncoderDecoder.core` of R2Gen does, with two things more in the state.

    `it` (B,) are the newest tokens and `memory` the encoder's output, as R2Gen calls it. The state holds the
    tokens so far (1, B, T), the slots (1, B, N, D) and the memory after every token (1, B, T, N D). B is the
    second axis because R2Gen's beam search picks rows there.
    """
    model = encoder_decoder.model
    tokens = it.unsqueeze(1) if not state else torch.cat([state[0][0], it.unsqueeze(1)], 1)
    embedded = model.tgt_embed(tokens)
    read, slots = model.rm(embedded[:, -1:], state[1][0] if state else None)
    reads = read if not state else torch.cat([state[2][0], read], 1)
    visible = torch.ones(1, tokens.shape[1], tokens.shape[1], dtype=torch.bool, device=memory.device).tril()
    out = model.decoder(embedded, memory, mask, visible, reads)
    return out[:, -1], [tokens.unsqueeze(0), slots.unsqueeze(0), reads.unsqueeze(0)]


def _find_prefix(state_dict: Mapping[str, Tensor]) -> str:
    """Return what stands before the names of the one relational memory in a state dict."""
    last = "attn.linears.3.weight"
    ends = [name.removesuffix(last) for name in state_dict if name.endswith(last)]
    found = [start for start in ends if {f"{start}W.weight", f"{start}U.weight"} <= set(state_dict)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"state_dict holds several memories of R2Gen: choose one by prefix, {found}")
    inner = "; hand over its entry 'state_dict'" if "state_dict" in state_dict else ""
    raise ValueError(f"state_dict must hold the weights of R2Gen's RelationalMemory, holds none{inner}")


def _slots(state_dict: Mapping[str, Tensor], width: int, num_slots: int | None) -> int:
    """Return the number of slots, which only the conditional layer norms know: they read all slots."""
    read = {x.shape[-1] / width for name, x in state_dict.items() if name.endswith("norm.mlp_gamma.0.weight")}
    if num_slots is None and not read:
        raise ValueError("num_slots must be given: state_dict has no conditional layer norms to tell it")
    slots = read.pop() if num_slots is None else num_slots
    if read - {slots} or slots % 1:
        told = sorted({*read, slots})
        raise ValueError(f"num_slots and all conditional layer norms must agree, got {told} slots")
    return int(slots)
