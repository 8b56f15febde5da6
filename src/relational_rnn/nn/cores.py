"""What the cores have in common, by which they stand beside each other on equal terms."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from relational_rnn.nn.inputs import Resets, Sequence


@runtime_checkable
class Core(Protocol):
    """What a torch module needs to stand beside the others.

    Outputs at a step follow from the inputs up to it and the state before the first, and rows of a batch do
    not know each other. A sequence may be split anywhere: the state after one part goes into the next.

    Example:
        >>> from relational_rnn.nn import GRU
        >>> isinstance(GRU(5, 6), Core)
        True
    """

    batch_first: bool
    """Whether inputs and outputs are (B, T, ...) instead of (T, B, ...)."""

    @property
    def input_size(self) -> int:
        """F, features of an input."""

    @property
    def output_size(self) -> int:
        """Features of an output."""

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before the first step, in whatever form the core keeps it."""

    def __call__(
        self, input: Sequence, state: Any = None, *, resets: Resets | None = None
    ) -> tuple[Sequence, Any]:
        """Run over a sequence (T, B, F), (B, T, F), (T, F) or packed; return the outputs and the last state.

        Args:
            input: floating point, of the parameters' dtype and device.
            state: before the first step; None means `initial_state`.
            resets: bool, the input's leading axes: True restarts that row before that step.
        """
