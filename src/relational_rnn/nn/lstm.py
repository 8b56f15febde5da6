"""`torch.nn.LSTM` behind the interface of the cores: the baseline on equal terms."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from relational_rnn.nn.inputs import Resets, Sequence, refuse_sparse_gradients
from relational_rnn.nn.recurrent import Recurrent, S
from relational_rnn.nn.sublayers import lacks_lstm

State = tuple[Tensor, Tensor]


class LSTM(Recurrent):
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

    _kind = nn.LSTM
    _parts = ("h", "c")
    lstm: nn.LSTM

    def initial_state(self, batch_size: int) -> State:
        """Return (h, c), each (num_layers, B, hidden_size), zero."""
        h, c = self._zeros(batch_size)
        return h, c

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
        outputs, (h, c) = self._run(input, state, resets)
        refuse_sparse_gradients(self, outputs, h, c)
        return outputs, (h, c)

    def _network(self, input: S, state: tuple[Tensor, ...]) -> tuple[S, State]:
        kind, dtype = self._like.device.type, self._like.dtype
        if lacks_lstm(kind):
            input = input.to(dtype)  # type: ignore[assignment]
            state = tuple(part.to(dtype) for part in state)
            with torch.autocast(kind, enabled=False):
                return self._network(input, state)
        return self.lstm(input, state)  # type: ignore[no-any-return]
