"""How gradients become new parameters: SGD with momentum, Adam, and clipping by the global norm."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from relational_rnn.config.checks import check_number
from relational_rnn.reference.arrays import Array

Arrays = Mapping[str, Array]
"""Arrays by name: a model's `params` or `grads`."""


def clip_gradients(grads: Arrays, max_norm: float) -> tuple[dict[str, Array], float]:
    """Scale all gradients by one factor so that their joint norm is at most `max_norm`.

    `g ← g · min(1, max_norm / norm)` with `norm = sqrt(Σ g²)` over all entries of all arrays (Pascanu et al.
    2013, section 3.2).

    Args:
        grads: gradients by name; left as they are.
        max_norm: the largest norm allowed, above 0.

    Returns:
        The gradients by name, and the norm before clipping.

    Raises:
        TypeError: `max_norm` is no number.
        ValueError: `max_norm` is not above 0.

    Example:
        >>> clipped, norm = clip_gradients({"a": np.array([3.0]), "b": np.array([4.0])}, max_norm=1.0)
        >>> norm, round(float(clipped["b"][0]), 6)
        (5.0, 0.8)
    """
    if check_number("max_norm", max_norm, minimum=0) == 0:
        raise ValueError("max_norm must be above 0, got 0")
    norm = global_norm(grads)
    factor = min(1.0, max_norm / norm) if norm > 0 else 1.0
    return {name: gradient * factor for name, gradient in grads.items()}, norm


def global_norm(grads: Arrays) -> float:
    """Return `sqrt(Σ g²)` over all entries of all arrays.

    Example:
        >>> global_norm({"a": np.array([3.0]), "b": np.array([4.0])})
        5.0
    """
    # float64: the sum of many squares of a float32 gradient would lose digits or overflow.
    return math.sqrt(sum(float(np.square(g, dtype=np.float64).sum()) for g in grads.values()))


class SGD:
    """Gradient descent with momentum: `v ← momentum · v + g`, `p ← p − learning_rate · v`.

    Source: Polyak 1964 in the form of Sutskever et al. 2013, with the rate outside of v, as in torch.

    Args:
        learning_rate: may be changed between steps, by a schedule for example.
        momentum: 0..1; 0 for plain gradient descent.

    Raises:
        TypeError: an argument that is no number.
        ValueError: one out of range.

    Example:
        >>> params = {"w": np.array([1.0])}
        >>> SGD(learning_rate=0.1).step(params, {"w": np.array([2.0])})
        >>> params["w"].tolist()
        [0.8]
    """

    def __init__(self, learning_rate: float, momentum: float = 0.0) -> None:
        self.learning_rate = check_number("learning_rate", learning_rate, minimum=0)
        self.momentum = check_number("momentum", momentum, minimum=0, maximum=1)
        self._velocity: dict[str, Array] = {}

    def step(self, params: Arrays, grads: Arrays) -> None:
        """Change `params` in place.

        Raises:
            ValueError: gradients under other names or of other shapes than the parameters.
        """
        _check_match(params, grads)
        for name, value in params.items():
            velocity = self._velocity.get(name, 0) * self.momentum + grads[name]
            self._velocity[name] = velocity
            value -= self.learning_rate * velocity

    def state_dict(self) -> dict[str, Array]:
        """Return copies of what the next step depends on besides the gradients: `velocity.<name>`."""
        return {f"velocity.{name}": value.copy() for name, value in self._velocity.items()}

    def load_state_dict(self, state: Arrays) -> None:
        """Go on from a `state_dict`; parameters it does not name start anew.

        Raises:
            ValueError: a name that no `state_dict` of this class holds.
        """
        (self._velocity,) = _split(state, ("velocity",))


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1).

        m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²
        p ← p − learning_rate · m / (1 − β₁ᵗ) / (sqrt(v / (1 − β₂ᵗ)) + ε)

    Args:
        learning_rate: may be changed between steps, by a schedule for example.
        beta1: β₁, 0 up to but not 1.
        beta2: β₂, 0 up to but not 1.
        epsilon: ε, above 0.

    Raises:
        TypeError: an argument that is no number.
        ValueError: one out of range.

    Example:
        >>> params = {"w": np.array([1.0])}
        >>> Adam(learning_rate=0.1).step(params, {"w": np.array([2.0])})
        >>> round(float(params["w"][0]), 6)  # the first step has the size of the rate
        0.9
    """

    def __init__(
        self, learning_rate: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
    ) -> None:
        self.learning_rate = check_number("learning_rate", learning_rate, minimum=0)
        self.beta1, self.beta2 = (
            check_number(name, beta, minimum=0, maximum=math.nextafter(1, 0))
            for name, beta in (("beta1", beta1), ("beta2", beta2))
        )
        self.epsilon = check_number("epsilon", epsilon, minimum=math.ulp(0.0))
        self._steps = 0
        self._mean: dict[str, Array] = {}
        self._square: dict[str, Array] = {}

    def step(self, params: Arrays, grads: Arrays) -> None:
        """Change `params` in place.

        Raises:
            ValueError: gradients under other names or of other shapes than the parameters.
        """
        _check_match(params, grads)
        self._steps += 1
        mean_share, square_share = 1 - self.beta1**self._steps, 1 - self.beta2**self._steps
        for name, value in params.items():
            gradient = grads[name]
            mean = self.beta1 * self._mean.get(name, 0) + (1 - self.beta1) * gradient
            square = self.beta2 * self._square.get(name, 0) + (1 - self.beta2) * gradient * gradient
            self._mean[name], self._square[name] = mean, square
            size = np.sqrt(square / square_share) + self.epsilon
            value -= self.learning_rate * (mean / mean_share) / size

    def state_dict(self) -> dict[str, Array]:
        """Return copies of what the next step depends on besides the gradients.

        `steps`, and for each parameter `mean.<name>` and `square.<name>`.
        """
        state: dict[str, Array] = {"steps": np.array(self._steps)}
        for name in self._mean:
            state[f"mean.{name}"] = self._mean[name].copy()
            state[f"square.{name}"] = self._square[name].copy()
        return state

    def load_state_dict(self, state: Arrays) -> None:
        """Go on from a `state_dict`.

        Raises:
            ValueError: `steps` is missing, or a name that no `state_dict` of this class holds.
        """
        if "steps" not in state:
            raise ValueError(f"Adam's state must hold 'steps', got {', '.join(state) or 'nothing'}")
        rest = {name: value for name, value in state.items() if name != "steps"}
        self._mean, self._square = _split(rest, ("mean", "square"))
        self._steps = int(state["steps"])


def _check_match(params: Arrays, grads: Arrays) -> None:
    """Say so when gradients and parameters are not of the same names and shapes."""
    if params.keys() != grads.keys():
        odd = sorted(params.keys() ^ grads.keys())
        raise ValueError(f"grads must have the names of params; only one of the two has {', '.join(odd)}")
    for name, value in params.items():
        if value.shape != grads[name].shape:
            raise ValueError(f"grads[{name!r}] must have shape {value.shape}, got {grads[name].shape}")


def _split(state: Arrays, kinds: tuple[str, ...]) -> list[dict[str, Array]]:
    """Return copies of the arrays `kind.name` by name, for each kind."""
    parts: dict[str, dict[str, Array]] = {kind: {} for kind in kinds}
    for key, value in state.items():
        kind, _, name = key.partition(".")
        if kind not in parts or not name:
            allowed = " or ".join(f"{kind}.<name>" for kind in kinds)
            raise ValueError(f"names in the state must be {allowed}, got {key!r}")
        parts[kind][name] = np.array(value)
    return list(parts.values())
