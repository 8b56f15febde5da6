"""The one table of tolerances: how far two computations of the same thing may differ."""

import numpy as np

ABSOLUTE = {"float64": 1e-10, "float32": 3e-5, "bfloat16": 3e-2}
"""Largest difference, as a share of max(1, largest reference value), by dtype."""

CENTRAL_DIFFERENCE = 1e-7
"""For a hand-written gradient against central differences in float64."""


def difference(actual: object, reference: object) -> float:
    """Largest absolute difference as a share of max(1, max |reference|); NaN must meet NaN."""
    a, r = np.asarray(actual, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    assert a.shape == r.shape, f"shape {a.shape} against {r.shape}"
    np.testing.assert_array_equal(np.isnan(a), np.isnan(r))
    scale = max(1.0, float(np.nanmax(np.abs(r), initial=0.0)))
    return float(np.nanmax(np.abs(a - r), initial=0.0)) / scale


def assert_close(actual: object, reference: object, dtype: str = "float64", what: str = "") -> None:
    """Assert that two arrays agree within the table's tolerance for `dtype`."""
    gap = difference(actual, reference)
    assert gap <= ABSOLUTE[dtype], f"{what}: differs by {gap:.3g}, allowed {ABSOLUTE[dtype]:.3g} ({dtype})"
