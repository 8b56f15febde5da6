"""What `LSTM` and `GRU` share: torch's recurrent networks behind the interface of the cores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Final, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from relational_rnn.config.checks import check_bool, check_choice, check_size
from relational_rnn.nn.factory import check_dtype
from relational_rnn.nn.initialise import initialise_gates_
from relational_rnn.nn.inputs import Resets, Sequence, check_parts, open_sequence
from relational_rnn.nn.unroll import State, run_between_resets

S = TypeVar("S", bound=Sequence)

INITIALISATIONS: Final = ("torch", "orthogonal")


class Recurrent(nn.Module, ABC):
    """One of torch's recurrent networks, kept as the submodule that is named like it, in lower case."""

    _kind: ClassVar[type[nn.LSTM | nn.GRU]]
    """The network."""
    _parts: ClassVar[tuple[str, ...]]
    """The names of its state's parts."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        initialisation: str = "torch",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.input_size = check_size("input_size", input_size)
        self.hidden_size = check_size("hidden_size", hidden_size)
        self.num_layers = check_size("num_layers", num_layers)
        self.batch_first = check_bool("batch_first", batch_first)
        self.initialisation = check_choice("initialisation", initialisation, INITIALISATIONS)
        # Made without memory first, so that torch draws no values that are thrown away.
        network = self._kind(
            self.input_size,
            self.hidden_size,
            self.num_layers,
            batch_first=self.batch_first,
            device="meta",
            dtype=check_dtype(dtype),
        ).to_empty(device=torch.get_default_device() if device is None else device)
        self.add_module(self._kind.__name__.lower(), network)
        self.reset_parameters(generator)

    @property
    def output_size(self) -> int:
        """Features of an output."""
        return self.hidden_size

    @property
    def _like(self) -> Tensor:
        """A parameter: its dtype and device are the inputs'."""
        return next(self.parameters())

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all initial values anew."""
        if self.initialisation == "torch":
            bound = self.hidden_size**-0.5
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
        else:
            parameters = list(self.parameters())  # four of each layer
            for first in range(0, len(parameters), 4):
                initialise_gates_(parameters[first : first + 4], generator)

    def extra_repr(self) -> str:
        """Show the initialisation when printed."""
        return f"initialisation={self.initialisation!r}"

    def _zeros(self, batch_size: int) -> State:
        shape = (self.num_layers, check_size("batch_size", batch_size), self.hidden_size)
        like = self._like
        return tuple(torch.zeros(shape, dtype=like.dtype, device=like.device) for _ in self._parts)

    @abstractmethod
    def _network(self, input: S, state: State) -> tuple[S, State]:
        """Call torch's network; the outputs are of the input's kind."""

    def _run(self, input: Sequence, state: State | None, resets: Resets | None) -> tuple[Sequence, State]:
        """Check what came and run over it."""
        opened = open_sequence(input, self.batch_first, ("F",), {"F": self.input_size}, self._like)
        batch = opened.batch
        if state is None:
            state = self._zeros(batch)
        else:
            axes = ("num_layers", "B", "hidden_size")
            sizes = {"num_layers": self.num_layers, "B": batch, "hidden_size": self.hidden_size}
            check_parts(state, dict.fromkeys(self._parts, axes), sizes, self._like)
        if resets is not None:
            state = tuple(opened.sort(part, 1) for part in state)
            data, state = run_between_resets(
                self._run_packed, opened.data, opened.batch_sizes, state, opened.match(resets)
            )
            return opened.close(data), tuple(opened.unsort(part, 1) for part in state)
        if opened.layout != "one":
            return self._network(input, state)
        batch_axis = 0 if self.batch_first else 1
        outputs, state = self._network(opened.data.unsqueeze(batch_axis), state)
        return outputs.squeeze(batch_axis), state

    def _run_packed(self, data: Tensor, batch_sizes: Tensor, state: State) -> tuple[Tensor, State]:
        outputs, state = self._network(PackedSequence(data, batch_sizes), state)
        return outputs.data, state
