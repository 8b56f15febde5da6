"""The authors' recorded configurations, as arguments and arrays."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FOLDER = Path(__file__).parent / "sonnet"
NAMES = sorted(path.stem for path in FOLDER.glob("p*.json"))


class Recorded(NamedTuple):
    """One recorded configuration."""

    arguments: dict[str, Any]
    """Constructor arguments of our cores."""
    arrays: dict[str, np.ndarray]

    def variables(self, prefix: str = "var/") -> dict[str, np.ndarray]:
        """The variables, or the gradients with `prefix="grad/"`, by TensorFlow name."""
        return {
            key.removeprefix(prefix): value
            for key, value in self.arrays.items()
            if key.startswith(prefix) and "/" in key.removeprefix(prefix)
        }


def load(name: str) -> Recorded:
    """Read one of `NAMES`."""
    described = json.loads((FOLDER / f"{name}.json").read_text())
    with np.load(FOLDER / f"{name}.npz") as file:
        arrays = dict(file)
    matrix = described["call_kwargs"]["treat_input_as_matrix"]
    *rows, features = described["step_input_shape"]
    if not matrix:  # the authors' code flattens the inputs of a step
        rows, features = [], math.prod((*rows, features))
        for key in ("inputs", "grad/inputs", "grad_f32/inputs"):
            arrays[key] = arrays[key].reshape(*arrays[key].shape[:2], features)
    arguments = described["constructor"] | {
        "input_size": features,
        "treat_input_as_matrix": matrix,
        "input_rows": rows[0] if matrix else 1,
    }
    return Recorded(arguments, arrays)
