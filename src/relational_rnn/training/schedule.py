"""Learning-rate schedules as factors of the peak rate."""

from __future__ import annotations

import math

from relational_rnn.config.checks import check_size


def warmup_cosine(step: int, progress: float, warmup_steps: int, final_share: float) -> float:
    """Linear warm-up over steps, then half a cosine over the run down to `final_share`.

    The two are multiplied, so the decay is counted from the start of the run.

    Args:
        step: 0-based.
        progress: share of the run that is over, 0..1.
        warmup_steps: steps until the full rate; 0 for none.
        final_share: factor at the end, 0..1.

    Returns:
        The factor, 0..1.

    Example:
        >>> warmup_cosine(step=1000, progress=0.5, warmup_steps=500, final_share=0.0)
        0.5
    """
    warm = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    decay = final_share + (1 - final_share) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return warm * decay


def step_decay(step: int, every: int, factor: float) -> float:
    """Multiply the rate by `factor` each time `every` steps are over.

    Args:
        step: 0-based.
        every: steps at one rate, at least 1.
        factor: from one rate to the next, 0..1.

    Returns:
        The factor of the peak rate, 0..1.

    Raises:
        TypeError: `every` is no integer.
        ValueError: `every` is below 1.

    Example:
        >>> [step_decay(step, every=2, factor=0.5) for step in range(5)]
        [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    return float(factor ** (step // check_size("every", every)))
