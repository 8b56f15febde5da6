"""`torch.nn.GRU` behind the interface of the cores: a baseline on equal terms."""

from __future__ import annotations

from torch import Tensor, nn

from relational_rnn.nn.inputs import Resets, Sequence, refuse_sparse_gradients
from relational_rnn.nn.recurrent import Recurrent, S


class GRU(Recurrent):
    """`torch.nn.GRU` with the cores' interface: `initial_state`, `output_size`, `resets`, checked input.

    Args:
        input_size: F, features of an input.
        hidden_size: features of an output.
        num_layers: stacked layers.
        batch_first: inputs and outputs are (B, T, ...) instead of (T, B, ...).
        initialisation: "torch" (uniform, 1/sqrt(hidden_size)) or "orthogonal" (orthogonal recurrent and
            Xavier input weights for each gate; biases 0, but 1 for the update gate, which keeps the old h
            where it is open, as the forget gate does for `LSTM`).
        device, dtype: as everywhere in torch.
        generator: where initial values are drawn from; None means torch's own.

    Raises:
        TypeError: a size is no integer, a dtype that is not floating point.
        ValueError: a size below 1, an unknown initialisation.

    Example:
        >>> outputs, h = GRU(5, 6, batch_first=True)(torch.zeros(7, 11, 5))
        >>> outputs.shape, h.shape
        (torch.Size([7, 11, 6]), torch.Size([1, 7, 6]))
    """

    _kind = nn.GRU
    _parts = ("h",)
    gru: nn.GRU

    def initial_state(self, batch_size: int) -> Tensor:
        """Return h, (num_layers, B, hidden_size), zero."""
        (h,) = self._zeros(batch_size)
        return h

    def forward(
        self, input: Sequence, state: Tensor | None = None, *, resets: Resets | None = None
    ) -> tuple[Sequence, Tensor]:
        """Run over a sequence.

        Args:
            input: (T, B, F), (B, T, F) with `batch_first`, (T, F) for one sequence, or a PackedSequence.
            state: h, (num_layers, B, hidden_size); None means zeros. B = 1 for one sequence.
            resets: bool, the input's leading axes: True restarts that row from zeros before that step. For
                packed input a PackedSequence or a padded one, as for `RelationalMemory`.

        Returns:
            The outputs in the input's layout with `hidden_size` features, and the last h.

        Raises:
            TypeError: not a tensor, not floating point, or another dtype or device than the parameters'.
            ValueError: wrong shape, an empty batch or sequence.
        """
        outputs, (h,) = self._run(input, None if state is None else (state,), resets)
        refuse_sparse_gradients(self, outputs, h)
        return outputs, h

    def _network(self, input: S, state: tuple[Tensor, ...]) -> tuple[S, tuple[Tensor]]:
        outputs, h = self.gru(input, *state)
        return outputs, (h,)
