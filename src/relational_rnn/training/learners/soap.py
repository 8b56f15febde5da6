"""SOAP: Adam in the eigenbases of Shampoo's preconditioner (Vyas et al. 2024, arXiv:2409.11321)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import torch
from torch import Tensor

ROWS: Final = 64
"""Rows of a covariance that are computed at once: only what stands from their diagonal on."""


class SOAP(torch.optim.Optimizer):
    """Adam in the eigenbases of the gradients' covariances.

    Source: Vyas et al. 2024, algorithm 3. For a weight W (m, n) with the gradient G at step t:

        G' = Q_L^T G Q_R
        M <- b1 M + (1 - b1) G'          V <- b2 V + (1 - b2) G'^2
        W <- W - rate sqrt(1 - b2^t) / (1 - b1^t)  Q_L (M / (sqrt(V) + eps)) Q_R^T
        L <- b2 L + (1 - b2) G G^T       R <- b2 R + (1 - b2) G^T G
        every `frequency` steps          Q_L <- QR(L Q_L),  Q_R <- QR(R Q_R)

    The first step only measures: it sets L and R, and their eigenvectors are the first bases. The columns of
    the bases are in falling order of the eigenvalues, and V's elements move with them. Vectors have no bases
    (that is Adam), nor have sides longer than `longest_side`; a tensor of more axes has a basis for each.

    M is kept in the bases and turned when they turn: but for rounding the same as an M that is kept outside
    and turned at every step, as the algorithm is written. Of the products of the symmetric L and R only what
    stands above the diagonal is computed; what stands below is written when the bases turn.

    Args:
        parameters: what it trains.
        lr: the rate.
        betas: b1 and b2.
        eps: as in Adam.
        frequency: steps from one turn of the bases to the next.
        longest_side: sides up to this length have a basis.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(3, 2))
        >>> optimiser = SOAP([weight], lr=0.1)
        >>> for _ in range(2):
        ...     weight.grad = torch.tensor([[1.0, 0.0], [0.0, 5.0], [0.0, 0.0]])
        ...     optimiser.step()
        >>> weight.detach()
        tensor([[-0.1000,  0.0000],
                [ 0.0000, -0.1000],
                [ 0.0000,  0.0000]])
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        *,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        frequency: int = 10,
        longest_side: int = 512,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "frequency": frequency}
        super().__init__(parameters, settings | {"longest_side": longest_side, "step": 0})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters that have gradients.

        Args:
            closure: computes the loss and the gradients first, as for every optimiser of torch.

        Returns:
            What the closure returned; None without one.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            for p in parameters:
                if p not in self.state:
                    self.state[p] = _measured(p.grad, group)
            if group["step"]:
                self._change(parameters, group)
            group["step"] += 1
        return loss

    def _change(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        (beta1, beta2), step = group["betas"], group["step"]
        states = [self.state[p] for p in parameters]
        gradients = [p.grad for p in parameters if p.grad is not None]
        bases = [state["bases"] for state in states]
        turned = list(map(_turn, gradients, bases))
        means, squares = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        torch._foreach_lerp_(means, turned, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, turned, turned, 1 - beta2)
        divisors = torch._foreach_sqrt(squares)
        torch._foreach_add_(divisors, group["eps"])
        changes = list(map(_turn_back, torch._foreach_div(means, divisors), bases))
        rate = group["lr"] * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
        torch._foreach_add_(parameters, changes, alpha=-rate)
        for gradient, state in zip(gradients, states):
            _measure(gradient, state["covariances"], 1 - beta2)
            if step % group["frequency"] == 0:
                _turn_bases(state)


def _measured(gradient: Tensor, group: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a parameter whose first gradient has come."""
    sides = gradient.shape if gradient.ndim > 1 else ()
    covariances = [
        gradient.new_zeros(side, side) if side <= group["longest_side"] else None for side in sides
    ]
    _measure(gradient, covariances, 1 - group["betas"][1])
    vectors = [None if c is None else _eigenvectors(_whole(c)) for c in covariances]
    return {
        "exp_avg": torch.zeros_like(gradient),
        "exp_avg_sq": torch.zeros_like(gradient),
        "covariances": covariances,
        "bases": vectors,
    }


def _measure(gradient: Tensor, covariances: Sequence[Tensor | None], share: float) -> None:
    """Move the covariance of each axis towards this gradient's, from the diagonal on."""
    for axis, covariance in enumerate(covariances):
        if covariance is None:
            continue
        lines = gradient.movedim(axis, 0).flatten(1)
        for first in range(0, gradient.shape[axis], ROWS):
            part = covariance[first : first + ROWS, first:]
            part.addmm_(lines[first : first + ROWS], lines[first:].T, beta=1 - share, alpha=share)


def _eigenvectors(covariance: Tensor) -> Tensor:
    """Return its eigenvectors as columns, that of the largest eigenvalue first."""
    # In float32 LAPACK's iteration does not end on some covariances of low rank, as first gradients have.
    vectors: Tensor = torch.linalg.eigh(covariance.double())[1]
    return vectors.flip(1).to(covariance.dtype)


def _whole(covariance: Tensor) -> Tensor:
    """Write what stands below the diagonal, and return the covariance."""
    for first in range(0, covariance.shape[0], ROWS):
        end = first + ROWS
        covariance[end:, first:end] = covariance[first:end, end:].T
    return covariance


def _turn(x: Tensor, bases: Sequence[Tensor | None]) -> Tensor:
    """Return a tensor's coordinates in the bases of its axes: Q_L^T X Q_R."""
    for basis in bases:  # each turns the first axis and makes it the last
        x = x.movedim(0, -1) if basis is None else _product(x, basis)
    return x


def _turn_back(x: Tensor, bases: Sequence[Tensor | None]) -> Tensor:
    """Return the tensor that has these coordinates: Q_L X Q_R^T."""
    return _turn(x, [None if basis is None else basis.T for basis in bases])


def _product(x: Tensor, matrix: Tensor) -> Tensor:
    """Return x (n, ...) times a matrix (n, n) along its first axis, which becomes the last."""
    return (x.flatten(1).T @ matrix).view(*x.shape[1:], -1)


def _turn_bases(state: dict[str, Any]) -> None:
    """Turn the bases towards the eigenvectors by a step of power iteration, and the averages with them."""
    bases = state["bases"]
    mean = _turn_back(state["exp_avg"], bases)
    for axis, (covariance, basis) in enumerate(zip(state["covariances"], bases)):
        if basis is None:
            continue
        product = _whole(covariance) @ basis
        order = (basis * product).sum(0).argsort(descending=True)
        state["exp_avg_sq"] = state["exp_avg_sq"].index_select(axis, order)
        bases[axis] = torch.linalg.qr(product.index_select(1, order))[0]
    state["exp_avg"].copy_(_turn(mean, bases))
