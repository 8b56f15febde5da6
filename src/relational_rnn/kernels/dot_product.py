"""Attention and layer norm that can be differentiated as often as asked, at the price of torch's own.

torch's fused attention has a first derivative only: neither a second one, nor forward mode, nor a rule for
vmap. Plain products have all of them and are slower. So the first derivative is the fused one's, and whatever
goes beyond it is left to the plain formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad

_differentiated_again: ContextVar[bool] = ContextVar("_differentiated_again", default=False)


@contextmanager
def plain_formulas() -> Iterator[None]:
    """Let `transformed` say yes: what is computed here will be differentiated more than once."""
    token = _differentiated_again.set(True)
    try:
        yield
    finally:
        _differentiated_again.reset(token)


def transformed(tensors: Iterable[Tensor]) -> bool:
    """Say whether torch.func, vmap or forward-mode differentiation is at work on these tensors."""
    if forward_ad._current_level >= 0 or torch._C._are_functorch_transforms_active():
        return True
    if torch.compiler.is_compiling():  # a tracer cannot follow the other questions, nor needs their answers
        return False
    if _differentiated_again.get():
        return True
    # What `torch.autograd.grad(..., is_grads_batched=True)` makes.
    return any(map(torch._C._functorch.is_legacy_batchedtensor, tensors))


def autocasts(kind: str) -> bool:
    """Say whether autocast is at work on a type of devices.

    Example:
        >>> autocasts("cpu")
        False
    """
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """Normalise the last axis by torch's layer norm, or by its formula where more than a slope is asked.

    Of torch's own (2.13) the third derivatives are wrong, and forward mode inside forward mode.

    Example:
        >>> layer_norm(torch.tensor([1.0, 3.0]), torch.ones(2), torch.zeros(2), 0.0).tolist()
        [-1.0, 1.0]
    """
    if not transformed((x,)):
        return F.layer_norm(x, weight.shape, weight, bias, epsilon)
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    centred = wide - wide.mean(-1, keepdim=True)
    deviation = (centred.square().mean(-1, keepdim=True) + epsilon).sqrt()
    return (centred / deviation * weight + bias).to(x.dtype)


def plain_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, causal: bool = False
) -> tuple[Tensor, Tensor]:
    """Compute attention by its formula, softmax(q kᵀ / √K) v; arguments as in `dot_product_attention`.

    Returns:
        The values (..., L, V) and the weights (..., L, M).

    Example:
        >>> x = torch.zeros(1, 2, 4)
        >>> plain_attention(x, x, x, causal=True)[1].tolist()
        [[[1.0, 0.0], [0.5, 0.5]]]
    """
    scores = q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)
    if causal:
        size = scores.shape[-2:]
        mask = torch.ones(size, dtype=torch.bool, device=q.device).tril()
    if mask is None:
        weights = torch.softmax(scores, -1)
    else:  # the smallest number, not -inf: a query that sees no key gets 0, as from torch's own
        smallest = torch.finfo(scores.dtype).min
        weights = torch.softmax(scores.masked_fill(~mask, smallest), -1) * mask
    return weights @ v, weights


def dot_product_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, causal: bool = False, dropout: float = 0.0
) -> Tensor:
    """Let every query attend to the keys: softmax(q kᵀ / √K) v.

    Args:
        q: (B, H, L, K).
        k: (B, H, M, K).
        v: (B, H, M, V).
        mask: bool, broadcast to (B, H, L, M): which keys a query sees; None for all.
        causal: query i sees keys 0 to i alone; not with a mask.
        dropout: share of the weights that are dropped, drawn from torch's own generator.

    Returns:
        (B, H, L, V).

    Example:
        >>> x = torch.zeros(1, 1, 2, 4)
        >>> dot_product_attention(x, x, x + 1).shape
        torch.Size([1, 1, 2, 4])
    """
    changed = transformed((q,))
    if not changed and torch.compiler.is_compiling():
        return F.scaled_dot_product_attention(q, k, v, mask, dropout, causal)
    # Whoever packs what a graph saves (checkpoints, offloading) would miss what the hook below holds.
    if changed or dropout or _packing(False) is not None:
        values, weights = plain_attention(q, k, v, mask, causal)
        return F.dropout(weights, dropout) @ v if dropout else values
    found: Tensor = F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal)
    node = found.grad_fn
    if node is not None and node.name().startswith("ScaledDotProduct"):  # fused: no plain products
        if found.dtype != q.dtype:  # autocast
            q, k, v = q.to(found.dtype), k.to(found.dtype), v.to(found.dtype)
        node.register_hook(_Again(q, k, v, mask, causal))
    return found


class _Again:
    """Put the plain formula's gradients in place of the fused ones where they are differentiated in turn."""

    def __init__(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> None:
        self.saved: tuple[Tensor, Tensor, Tensor] | None = (q, k, v)
        self.mask, self.causal = mask, causal

    def __call__(
        self, gradients: tuple[Tensor | None, ...], d: tuple[Tensor | None, ...]
    ) -> tuple[Tensor | None, ...] | None:
        """Return the gradients of q, k and v, or None: those that are there stay."""
        again, slope = torch.is_grad_enabled(), d[0]
        if slope is None:  # 0
            return None
        if self.saved is None or not (again or transformed((slope,))):
            if not _graph_is_kept():
                self.saved = None  # as the graph lets go of what it saved
            return None
        with torch.enable_grad(), without_autocast(slope.device.type):
            # As views: one tensor may be queries and keys at once, and each has a gradient of its own.
            parts = [x.view_as(x) for x in self.saved]
            q, k, v = parts
            found, _ = plain_attention(q, k, v, self.mask, self.causal)
            wanted = [x for x, there in zip(parts, gradients, strict=False) if there is not None]
            plain = iter(torch.autograd.grad(found, wanted, slope, create_graph=again))
        return *(None if there is None else next(plain) for there in gradients[:3]), *gradients[3:]


_packing = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", lambda _: None)
"""Says what packs and unpacks the tensors that a graph saves now, or None."""

_graph_is_kept = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)
"""Says whether the graph that a backward runs through stays for another one."""


def without_autocast(kind: str) -> AbstractContextManager[object]:
    """Turn autocast off inside this, on a type of devices.

    Example:
        >>> with torch.autocast("cpu", torch.bfloat16), without_autocast("cpu"):
        ...     autocasts("cpu")
        False
    """
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
