"""Central differences, against which every hand-written gradient is held."""

from collections.abc import Callable

import numpy as np

from tolerances import CENTRAL_DIFFERENCE

STEP = 1e-5
"""Rounding costs about 1e-16 / STEP, a bend of the function STEP² times its third derivative."""


def check_gradient(
    loss: Callable[[], float],
    x: np.ndarray,
    gradient: np.ndarray,
    what: str,
    entries: int | None = None,
) -> None:
    """Assert that `gradient` is d loss / d x; `loss` must read `x`, which is changed in place.

    All entries are checked, or so many of them and one direction through all, drawn at random.
    """
    assert gradient.shape == x.shape, f"{what}: shape {gradient.shape} for {x.shape}"
    allowed = CENTRAL_DIFFERENCE * max(1.0, float(np.abs(gradient).max()))
    rng = np.random.default_rng(0)
    directions = np.arange(x.size)
    if entries is not None and entries < x.size:
        directions = rng.choice(x.size, entries, replace=False)
        through_all = rng.standard_normal(x.shape)
        through_all /= np.linalg.norm(through_all)
        _check_along(loss, x, gradient, through_all, allowed, f"{what} along a random direction")
    for entry in directions:
        direction = np.zeros(x.shape)
        direction.flat[entry] = 1
        _check_along(loss, x, gradient, direction, allowed, f"{what} in entry {entry}")


def _check_along(loss, x, gradient, direction, allowed, what):
    start = x.copy()

    def slope(step):
        x[...] = start + step * direction
        above = loss()
        x[...] = start - step * direction
        return (above - loss()) / (2 * step)

    expected = np.vdot(direction, gradient)
    gap = abs(slope(STEP) - expected)
    if gap > allowed:  # the layer norm of a nearly constant row bends strongly: take its bend out
        gap = abs((4 * slope(STEP) - slope(2 * STEP)) / 3 - expected)
    x[...] = start
    assert gap <= allowed, f"{what}: differs by {gap:.3g}, allowed {allowed:.3g}"
