"""The Differentiable Neural Computer as a torch module: an LSTM controller that reads and writes a memory."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from relational_rnn.config.checks import check_bool, check_size
from relational_rnn.nn.dnc.memory import Memory, access, interface_widths, parse_interface
from relational_rnn.nn.factory import FactoryKwargs, make_factory_kwargs
from relational_rnn.nn.initialise import initialise_gates_, initialise_linear_
from relational_rnn.nn.inputs import Resets, Sequence, check_parts, open_sequence, refuse_sparse_gradients
from relational_rnn.nn.sublayers import like_of, lstm_step
from relational_rnn.nn.unroll import unroll


class DNCState(NamedTuple):
    """All that one step hands to the next; the first axis of every part is the batch."""

    h: Tensor
    """(B, layers, hidden)"""
    c: Tensor
    """(B, layers, hidden)"""
    words: Tensor
    """(B, N, W); this and what follows, but for the reads, is the memory's."""
    usage: Tensor
    """(B, N)"""
    links: Tensor
    """(B, N, N)"""
    precedence: Tensor
    """(B, N)"""
    write_weights: Tensor
    """(B, N)"""
    read_weights: Tensor
    """(B, H, N)"""
    reads: Tensor
    """(B, H, W): what the heads read, which the controller sees at the next step."""


_AXES = {
    "h": ("B", "layers", "hidden"),
    "c": ("B", "layers", "hidden"),
    "words": ("B", "N", "W"),
    "usage": ("B", "N"),
    "links": ("B", "N", "N"),
    "precedence": ("B", "N"),
    "write_weights": ("B", "N"),
    "read_weights": ("B", "H", "N"),
    "reads": ("B", "H", "W"),
}


class DNC(nn.Module):
    """The Differentiable Neural Computer over a sequence, called like `torch.nn.LSTM`.

        χ_t = [x_t ; r_{t−1}];  h_t = LSTM(χ_t, h_{t−1});  ξ_t = W_ξ h_t;  r_t = access(ξ_t)
        y_t = W_y [h_t ; r_t]

    Source: Graves et al. 2016, Methods. Upper layers of the controller see χ_t beside the layer below, and
    h_t is all layers' side by side. W_y is the paper's W_y and W_r in one; both it and W_ξ have a bias, which
    the paper leaves out. Everything starts at 0.

    Args:
        input_size: F, features of an input.
        hidden_size: features of each layer of the controller.
        output_size: O, features of an output; None for `hidden_size`.
        mem_slots: N, words of the memory.
        word_size: W, features of a word.
        read_heads: H, read heads; there is one write head.
        num_layers: stacked LSTM layers of the controller.
        batch_first: inputs and outputs are (B, T, ...) instead of (T, B, ...); the state has B first always.
        device, dtype: as everywhere in torch.
        generator: where initial values are drawn from (for the controller as `LSTM`'s "orthogonal", else as
            for `RelationalMemory`); None means torch's own.

    Raises:
        TypeError: a size is no integer, a dtype that is not floating point.
        ValueError: a size below 1.

    Example:
        >>> dnc = DNC(input_size=5, hidden_size=6, mem_slots=3, word_size=8, read_heads=2, batch_first=True)
        >>> outputs, state = dnc(torch.zeros(7, 11, 5))
        >>> outputs.shape, state.words.shape
        (torch.Size([7, 11, 6]), torch.Size([7, 3, 8]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int | None = None,
        mem_slots: int = 16,
        word_size: int = 16,
        read_heads: int = 2,
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.input_size = check_size("input_size", input_size)
        self.hidden_size = check_size("hidden_size", hidden_size)
        self.output_size = hidden_size if output_size is None else check_size("output_size", output_size)
        self.mem_slots = check_size("mem_slots", mem_slots)
        self.word_size = check_size("word_size", word_size)
        self.read_heads = check_size("read_heads", read_heads)
        self.num_layers = check_size("num_layers", num_layers)
        self.batch_first = check_bool("batch_first", batch_first)
        factory_kwargs = make_factory_kwargs(device, dtype)
        read = self.read_heads * self.word_size
        seen = self.input_size + read  # of χ
        below = [seen] + [seen + self.hidden_size] * (self.num_layers - 1)
        self.controller = nn.ModuleList(
            skip_init(nn.LSTMCell, inputs, self.hidden_size, **factory_kwargs) for inputs in below
        )
        hidden = self.num_layers * self.hidden_size
        interface = sum(interface_widths(self.word_size, self.read_heads))
        self.interface = skip_init(nn.Linear, hidden, interface, **factory_kwargs)
        self.output = skip_init(nn.Linear, hidden + read, self.output_size, **factory_kwargs)
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all initial values anew."""
        for cell in self.controller:
            initialise_gates_(cell.parameters(), generator)
        initialise_linear_(self.interface, generator)
        initialise_linear_(self.output, generator)

    def initial_state(self, batch_size: int) -> DNCState:
        """Return the state before the first step: zeros everywhere.

        Raises:
            TypeError: `batch_size` is no integer.
            ValueError: it is below 1.
        """
        sizes = self._sizes(check_size("batch_size", batch_size))
        shapes, like = ([sizes[axis] for axis in axes] for axes in _AXES.values()), like_of(self, self.output)
        factory_kwargs: FactoryKwargs = {"device": like.device, "dtype": like.dtype}
        return DNCState(*(torch.zeros(shape, **factory_kwargs) for shape in shapes))

    def forward(
        self, input: Sequence, state: DNCState | None = None, *, resets: Resets | None = None
    ) -> tuple[Sequence, DNCState]:
        """Run over a sequence.

        Args:
            input: (T, B, F), (B, T, F) with `batch_first`, (T, F) for one sequence, or a PackedSequence.
            state: before the first step (B = 1 for one sequence); None means `initial_state`.
            resets: bool, the input's leading axes: True restarts that row from `initial_state` before that
                step. For packed input a PackedSequence or a padded one, as for `RelationalMemory`.

        Returns:
            The outputs in the input's layout with `output_size` features, and the last state of each row.

        Raises:
            TypeError: not a tensor, not floating point, or another dtype or device than the parameters'.
            ValueError: wrong shape, an empty batch or sequence.
        """
        like = like_of(self, self.output)
        opened = open_sequence(input, self.batch_first, ("F",), {"F": self.input_size}, like)
        batch = opened.batch
        if state is None:
            state = self.initial_state(batch)
        else:
            check_parts(state, _AXES, self._sizes(batch), like)
        found, last = unroll(
            self._step,
            opened.data,
            opened.batch_sizes,
            tuple(map(opened.sort, state)),
            self.initial_state(1),
            None if resets is None else opened.match(resets),
        )
        outputs, state = opened.close(self.output(found)), DNCState(*map(opened.unsort, last))
        refuse_sparse_gradients(self, outputs, *state)
        return outputs, state

    def extra_repr(self) -> str:
        """Show the memory's sizes when printed; the layers say the others."""
        return f"mem_slots={self.mem_slots}, word_size={self.word_size}, read_heads={self.read_heads}"

    def _sizes(self, batch: int) -> dict[str, int]:
        return {
            "B": batch,
            "layers": self.num_layers,
            "hidden": self.hidden_size,
            "N": self.mem_slots,
            "W": self.word_size,
            "H": self.read_heads,
        }

    def _step(self, x: Tensor, parts: tuple[Tensor, ...]) -> tuple[Tensor, DNCState]:
        """Run one step: (B, F) -> [h ; r], (B, layers hidden + H W), and the next state."""
        h, c, *of_memory, reads = parts
        seen = torch.cat([x, reads.flatten(1)], 1)  # χ
        below, hiddens, cells = seen, [], []
        for layer, lstm in enumerate(self.controller):
            hidden, cell = lstm_step(lstm, below, (h[:, layer], c[:, layer]))
            hiddens.append(hidden)
            cells.append(cell)
            below = torch.cat([seen, hidden], 1)
        hidden = torch.cat(hiddens, 1)
        interface = parse_interface(self.interface(hidden), self.word_size, self.read_heads)
        reads, memory = access(Memory(*of_memory), interface)
        state = DNCState(torch.stack(hiddens, 1), torch.stack(cells, 1), *memory, reads)
        return torch.cat([hidden, reads.flatten(1)], 1), state
