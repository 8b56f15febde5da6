"""Attention and layer norm that can be differentiated as often as asked, at the price of torch's own.

torch's fused attention has a first derivative only: neither a second one, nor forward mode, nor a rule for
vmap. Plain products have all of them and are slower. So the first derivative is the fused one's, and whatever
goes beyond it is left to the plain formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _get_current_dispatch_mode

_flash = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
_flash_backward = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu_backward", None)
"""What `F.scaled_dot_product_attention` is made of on a CPU, if this torch has it under these names."""


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
    if (
        torch.compiler.is_compiling()
    ):  # a tracer sees plain operations anyway, and cannot follow these questions
        return False
    if forward_ad._current_level >= 0 or torch._C._are_functorch_transforms_active():
        return True
    if _differentiated_again.get():
        return True
    # What `torch.autograd.grad(..., is_grads_batched=True)` makes.
    return any(torch._C._functorch.is_legacy_batchedtensor(x) for x in tensors)


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
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = torch.softmax(scores, -1)
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
    if torch.compiler.is_compiling():
        return F.scaled_dot_product_attention(q, k, v, mask, dropout, causal)
    if dropout or transformed((q, k, v)):
        values, weights = plain_attention(q, k, v, mask, causal)
        return F.dropout(weights, dropout) @ v if dropout else values
    left_alone = torch._C._get_tracing_state() is not None or _get_current_dispatch_mode() is not None
    if (
        left_alone
        or not torch.is_grad_enabled()
        or not (q.requires_grad or k.requires_grad or v.requires_grad)
    ):
        return F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal)
    kind = q.device.type
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind) and q.dtype != torch.float64:
        q, k, v = (x.to(torch.get_autocast_dtype(kind)) for x in (q, k, v))  # as torch's own does
    return _Attention.apply(q, k, v, mask, causal)  # type: ignore[no-any-return, no-untyped-call]


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        found: Tensor
        ctx.causal, ctx.flash = causal, mask is None and _has_flash(q, k, v)
        if ctx.flash:
            found, normaliser = _flash(q, k, v, 0.0, causal)  # type: ignore[misc]
            ctx.save_for_backward(q, k, v, found, normaliser)
        else:
            found = F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal)
            ctx.save_for_backward(q, k, v, mask)
        return found

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, *more = ctx.saved_tensors
        again = torch.is_grad_enabled()
        if ctx.flash and not again and not transformed((d,)):
            # Whoever packed and unpacked them may have laid them out in another way.
            found, normaliser = (x.contiguous() for x in more)
            q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v))
            gradients = _flash_backward(d, q, k, v, found, normaliser, 0.0, ctx.causal)  # type: ignore[misc]
            return *gradients, None, None
        needed = ctx.needs_input_grad[:3]
        with torch.enable_grad(), _without_autocast(q.device.type):
            # As views: one tensor may be queries and keys at once, and each has a gradient of its own.
            parts = q.view_as(q), k.view_as(k), v.view_as(v)
            found, _ = plain_attention(*parts, None if ctx.flash else more[0], ctx.causal)
        wanted = [x for x, need in zip(parts, needed, strict=True) if need]
        slopes = iter(torch.autograd.grad(found, wanted, d, create_graph=again))
        return *(next(slopes) if need else None for need in needed), None, None


def _without_autocast(kind: str) -> AbstractContextManager[object]:
    return torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()


def _has_flash(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Say whether torch's fused attention of the CPU takes these tensors."""
    return (
        _flash is not None
        and _flash_backward is not None
        and q.device.type == "cpu"
        and q.shape[-1] == v.shape[-1]
        and q.ndim == 4
        and q.stride(-1) == k.stride(-1) == v.stride(-1) == 1
    )
