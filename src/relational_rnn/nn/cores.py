"""The models on equal terms: what they have in common, and one builder for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable

from relational_rnn.config.checks import check_choice
from relational_rnn.nn.dnc import DNC
from relational_rnn.nn.gru import GRU
from relational_rnn.nn.inputs import Resets, Sequence
from relational_rnn.nn.lstm import LSTM
from relational_rnn.nn.relational_memory import RelationalMemory
from relational_rnn.nn.relational_rnn import RelationalRNN
from relational_rnn.nn.transformer import CausalTransformer


@runtime_checkable
class Core(Protocol):
    """What a torch module needs to stand beside the others.

    Outputs at a step follow from the inputs up to it and the state before the first, and rows of a batch do
    not know each other. A sequence may be split anywhere: the state after one part goes into the next.

    Example:
        >>> core: Core = GRU(input_size=5, hidden_size=6, batch_first=True)
        >>> inputs = torch.randn(7, 11, 5)
        >>> whole, _ = core(inputs)
        >>> first, state = core(inputs[:, :4])
        >>> second, _ = core(inputs[:, 4:], state)
        >>> torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-6)
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


AnyCore = RelationalMemory | RelationalRNN | LSTM | GRU | CausalTransformer | DNC
"""What `build_core` may return; each is a `Core`."""

CORES: Final[dict[str, tuple[Callable[..., AnyCore], str]]] = {
    "rmc": (RelationalMemory, "head_size"),
    "hybrid": (RelationalRNN, "hidden_size"),
    "lstm": (LSTM, "hidden_size"),
    "gru": (GRU, "hidden_size"),
    "transformer": (CausalTransformer, "head_size"),
    "dnc": (DNC, "hidden_size"),
}
"""Name -> the core, and its argument that widens it and so is free to match a number of parameters."""


def build_core(name: str, input_size: int, size: int, **options: object) -> AnyCore:
    """Build a core by name.

    The number of parameters rises with `size`, so a search over it finds the core of a budget (the hybrid has
    a layer less, and so a dent, where its `hidden_size` is its `slot_size`). On torch's device "meta" the
    cores to count cost no memory and no time.

    Args:
        name: "rmc", "hybrid", "lstm", "gru", "transformer" or "dnc".
        input_size: F, features of an input.
        size: `head_size` of the RMC and the Transformer, `hidden_size` of the others.
        options: further arguments of the core, by name: `batch_first`, `generator`, its own sizes.

    Raises:
        TypeError: an option that the core does not have, or of the wrong type.
        ValueError: an unknown name, or a value out of range.

    Example:
        >>> core = build_core("dnc", input_size=5, size=6, mem_slots=3, batch_first=True)
        >>> outputs, state = core(torch.zeros(7, 11, 5))
        >>> outputs.shape
        torch.Size([7, 11, 6])
        >>> with torch.device("meta"):
        ...     sum(parameter.numel() for parameter in build_core("gru", 5, 100_000).parameters())
        30002100000
    """
    kind, argument = CORES[check_choice("name", name, CORES)]
    return kind(input_size=input_size, **{argument: size}, **options)
