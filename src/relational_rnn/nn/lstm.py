"""`torch.nn.LSTM` behind the interface of the cores: the baseline on equal terms."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from relational_rnn.nn.inputs import OpenSequence, Resets, Sequence, check_dtype, check_tensor, open_sequence
from relational_rnn.spec.checks import check_bool, check_choice, check_size

INITIALISATIONS: Final = ("torch", "orthogonal")

State = tuple[Tensor, Tensor]


class LSTM(nn.Module):
    """`torch.nn.LSTM` with the cores' interface: `initial_state`, `output_size`, `resets`, checked input.

    Args:
        input_size: F, features of an input.
        hidden_size: features of an output.
        num_layers: stacked layers.
        batch_first: inputs and outputs are (B, T, ...) instead of (T, B, ...).
        initialisation: "torch" (uniform, 1/sqrt(hidden_size)) or "orthogonal" (orthogonal recurrent and
            Xavier input weights for each gate, forget bias 1, as in `relational_rnn.reference.LSTM`).
        device, dtype: as everywhere in torch.
        generator: where initial values are drawn from; None means torch's own.

    Raises:
        TypeError: a size is no integer, a dtype that is not floating point.
        ValueError: a size below 1, an unknown initialisation.

    Example:
        >>> outputs, (h, c) = LSTM(5, 6, batch_first=True)(torch.zeros(7, 11, 5))
        >>> outputs.shape, h.shape
        (torch.Size([7, 11, 6]), torch.Size([1, 7, 6]))
    """

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
        self.lstm = nn.LSTM(
            self.input_size,
            self.hidden_size,
            self.num_layers,
            batch_first=self.batch_first,
            device="meta",
            dtype=check_dtype(dtype),
        ).to_empty(device=torch.get_default_device() if device is None else device)
        self.reset_parameters(generator)

    @property
    def output_size(self) -> int:
        """Features of an output."""
        return self.hidden_size

    @property
    def _like(self) -> Tensor:
        """A parameter: its dtype and device are the inputs'."""
        return next(self.lstm.parameters())

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all initial values anew."""
        bound = self.hidden_size**-0.5
        for name, parameter in self.lstm.named_parameters():
            if self.initialisation == "torch":
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
            elif name.startswith("bias"):
                nn.init.zeros_(parameter)
                if name.startswith("bias_ih"):
                    parameter[self.hidden_size : 2 * self.hidden_size] = 1.0  # gates: i, f, g, o
            else:
                draw = nn.init.orthogonal_ if name.startswith("weight_hh") else nn.init.xavier_uniform_
                for gate in parameter.chunk(4):
                    # At least float32: torch has no orthogonal matrices of smaller floats.
                    drawn = torch.empty_like(gate, dtype=torch.promote_types(gate.dtype, torch.float32))
                    gate.copy_(draw(drawn, generator=generator))

    def initial_state(self, batch_size: int) -> State:
        """Return (h, c), each (num_layers, B, hidden_size), zero."""
        shape = (self.num_layers, check_size("batch_size", batch_size), self.hidden_size)
        return self._like.new_zeros(shape), self._like.new_zeros(shape)

    def forward(
        self, input: Sequence, state: State | None = None, *, resets: Resets | None = None
    ) -> tuple[Sequence, State]:
        """Run over a sequence.

        Args:
            input: (T, B, F), (B, T, F) with `batch_first`, (T, F) for one sequence, or a PackedSequence.
            state: (h, c), each (num_layers, B, hidden_size); None means zeros. B = 1 for one sequence.
            resets: bool, the input's leading axes: True restarts that row from zeros before that step. For
                packed input a PackedSequence or a padded one, as for `RelationalMemory`.

        Returns:
            The outputs in the input's layout with `hidden_size` features, and the last (h, c).

        Raises:
            TypeError: not a tensor, not floating point, or another dtype or device than the parameters'.
            ValueError: wrong shape, an empty batch or sequence.
        """
        opened = open_sequence(input, self.batch_first, ("F",), {"F": self.input_size}, self._like)
        if state is None:
            state = self.initial_state(opened.batch_sizes[0])
        else:
            self._check_state(state, opened.batch_sizes[0])
        if resets is not None:
            return self._run_with_resets(opened, state, opened.match(resets))
        if opened.layout != "one":
            return self.lstm(input, state)  # type: ignore[no-any-return]
        outputs, state = self.lstm(input.unsqueeze(0 if self.batch_first else 1), state)  # type: ignore[union-attr]
        return outputs.squeeze(0 if self.batch_first else 1), state

    def extra_repr(self) -> str:
        """Show the initialisation when printed."""
        return f"initialisation={self.initialisation!r}"

    def _check_state(self, state: Any, batch: int) -> None:
        if not isinstance(state, tuple) or len(state) != 2:
            raise TypeError(f"state must be a tuple (h, c), got {type(state).__name__}")
        wanted = (self.num_layers, batch, self.hidden_size)
        for name, x in zip(("h", "c"), state, strict=True):
            check_tensor(f"state's {name}", x, self._like)
            if tuple(x.shape) != wanted:
                raise ValueError(
                    f"state's {name} must have shape (num_layers, B, hidden_size) = {wanted}, "
                    f"got {tuple(x.shape)}"
                )

    def _run_with_resets(self, opened: OpenSequence, state: State, resets: Tensor) -> tuple[Sequence, State]:
        """Run from reset to reset: between two steps that restart a row, torch runs all steps at once."""
        sizes = opened.batch_sizes
        restarts = list(resets.split(sizes))
        starts = [t for t, flags in enumerate(restarts) if t == 0 or bool(flags.any())]
        data = opened.data.split(sizes)
        h, c = (opened.sort(x.transpose(0, 1)).transpose(0, 1) for x in state)
        outputs, ended = [], []
        for first, end in zip(starts, [*starts[1:], len(sizes)], strict=True):
            running = sizes[first]
            ended.append((h[:, running:], c[:, running:]))
            restart = restarts[first][None, :, None]
            h, c = (x[:, :running].masked_fill(restart, 0) for x in (h, c))
            part = PackedSequence(torch.cat(data[first:end]), torch.tensor(sizes[first:end]))
            packed, (h, c) = self.lstm(part, (h, c))
            outputs.append(packed.data)
        last = (torch.cat(parts, 1) for parts in zip((h, c), *reversed(ended), strict=True))
        h, c = (opened.unsort(x.transpose(0, 1)).transpose(0, 1) for x in last)
        return opened.close(torch.cat(outputs)), (h, c)
