"""Drawing the next token from a distribution."""

from __future__ import annotations

import torch
from torch import Tensor

from relational_rnn.config.checks import check_number, check_size


def check_sampling(
    temperature: float, top_k: int | None, top_p: float, vocabulary: int
) -> tuple[float, int, float]:
    """Check how tokens are to be drawn; without `top_k` it is the whole vocabulary.

    Raises:
        TypeError: a number is none.
        ValueError: one is out of range.

    Example:
        >>> check_sampling(0.8, 50, 1.0, vocabulary=40)
        Traceback (most recent call last):
        ValueError: top_k must be an integer of at most 40, got 50
    """
    if check_number("temperature", temperature) <= 0:
        raise ValueError(f"temperature must be above 0 (top_k = 1 takes the likeliest), got {temperature}")
    if not 0 < check_number("top_p", top_p) <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, got {top_p}")
    most = vocabulary if top_k is None else check_size("top_k", top_k, maximum=vocabulary)
    return float(temperature), most, float(top_p)


def draw_token(
    log_probabilities: Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
) -> int:
    """Draw a token.

        q ∝ p^(1 / temperature), of the top_k likeliest tokens, of which then the fewest that make up top_p

    Source: top_p is nucleus sampling (Holtzman et al. 2020).

    Args:
        log_probabilities: (V,); -inf for what is never drawn.
        temperature: above 0; below 1 likely tokens become likelier.
        top_k: how many tokens can be drawn; None for all.
        top_p: share of q that can be drawn, above 0 up to 1.
        generator: where it is drawn from; None means torch's own.

    Raises:
        TypeError, ValueError: see `check_sampling`.

    Example:
        >>> draw_token(torch.tensor([0.2, 0.5, 0.3]).log(), top_k=1)
        1
    """
    heat, most, share = check_sampling(temperature, top_k, top_p, len(log_probabilities))
    scores, tokens = (log_probabilities.double() / heat).topk(most)
    found = scores.softmax(0)
    before = found.cumsum(0) - found  # of likelier ones
    found = found.where(before < share, 0.0)
    return int(tokens[torch.multinomial(found, 1, generator=generator)])
