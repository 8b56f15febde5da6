"""The package's own central differences, with which every hand-written gradient must agree."""

from collections.abc import Callable

import numpy as np

from relational_rnn.reference import gradient_check
from tolerances import CENTRAL_DIFFERENCE


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
    check = gradient_check.check_gradient(loss, x, gradient, what, entries=entries)
    allowed = CENTRAL_DIFFERENCE * max(1.0, float(np.abs(gradient).max()))
    assert check.difference <= allowed, f"{what}: differs by {check.difference:.3g}, allowed {allowed:.3g}"
