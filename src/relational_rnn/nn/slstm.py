"""The sLSTM of xLSTM behind the interface of the cores: an LSTM with exponential gates and a normaliser."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from relational_rnn.config.checks import check_bool, check_size
from relational_rnn.nn.factory import FactoryKwargs, make_factory_kwargs
from relational_rnn.nn.inputs import Resets, Sequence, check_parts, open_sequence, refuse_sparse_gradients
from relational_rnn.nn.sublayers import like_of
from relational_rnn.nn.unroll import unroll


class SLSTMState(NamedTuple):
    """All that one step hands to the next, each part (B, layers, hidden)."""

    h: Tensor
    """The outputs."""
    c: Tensor
    """The cells, divided by exp(m)."""
    n: Tensor
    """The normalisers, divided by exp(m); 0 before the first step and nowhere else."""
    m: Tensor
    """The stabilisers."""


_AXES = dict.fromkeys(SLSTMState._fields, ("B", "layers", "hidden"))


def slstm_step(raw: Tensor, c: Tensor, n: Tensor, m: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Advance the cells by one step.

        m_t = max(log σ(f) + m, i);  i' = exp(i - m_t);  f' = exp(log σ(f) + m - m_t)
        c_t = f' c + i' tanh(z);  n_t = f' n + i';  h_t = σ(o) c_t / n_t

    Source: Beck et al. 2024, "xLSTM", equations 8 to 17; the forget gate is a sigmoid, as in the authors'
    code. m changes no output: it keeps the exponentials from overflowing. At the first step m_t = i.

    Args:
        raw: i, f, z and o before their gates, (..., 4, E).
        c, n, m: the state, (..., E).

    Returns:
        h, c, n, m after the step.

    Example:
        >>> zero = torch.zeros(1)
        >>> h, c, n, m = slstm_step(torch.tensor([[900.0], [0.0], [9.0], [9.0]]), zero, zero, zero)
        >>> round(h.item(), 3), n.item(), m.item()
        (1.0, 1.0, 900.0)
    """
    i, f, z, o = raw.unbind(-2)
    kept = F.logsigmoid(f) + m
    m = torch.where(n == 0, i, torch.maximum(kept, i))
    write, keep = torch.exp(i - m), torch.exp((kept - m).clamp(max=0))
    c = keep * c + write * torch.tanh(z)
    n = keep * n + write
    return torch.sigmoid(o) * c / n, c, n, m


class _Layer(nn.Module):
    """One layer: the input's share of the gates for all steps at once, then step by step."""

    def __init__(self, input_size: int, hidden: int, num_heads: int, factory_kwargs: FactoryKwargs) -> None:
        super().__init__()
        head = hidden // num_heads
        self.gate_input = skip_init(nn.Linear, input_size, 4 * hidden, **factory_kwargs)
        self.gate_hidden = nn.Parameter(torch.empty(num_heads, 4, head, head, **factory_kwargs))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None) -> None:
        """Draw all initial values anew, see `SLSTM`."""
        weight, bias = self.gate_input.weight, self.gate_input.bias
        for gate in weight.chunk(4):
            nn.init.xavier_uniform_(gate, generator=generator)
        for head in self.gate_hidden:
            for gate in head:
                # At least float32: torch has no orthogonal matrices of smaller floats.
                drawn = torch.empty_like(gate, dtype=torch.promote_types(gate.dtype, torch.float32))
                gate.copy_(nn.init.orthogonal_(drawn, generator=generator))
        nn.init.zeros_(bias)
        bias.chunk(4)[1].fill_(1)

    def step(self, shares: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run one step: the input's share (B, 4, hidden) and the state, (B, hidden) each."""
        h, *cells = state
        heads = h.unflatten(-1, (len(self.gate_hidden), -1))
        seen = torch.einsum("bhd,hged->bghe", heads, self.gate_hidden).flatten(2)
        after = slstm_step(shares + seen, *cells)
        return after[0], after


class SLSTM(nn.Module):
    """Layers of sLSTM cells, called like `torch.nn.LSTM`.

        i, f, z, o = W x + R h + b, R within each head;  see `slstm_step`

    Source: Beck et al. 2024, "xLSTM: Extended Long Short-Term Memory", section 2.2. These are the cells
    alone, without the paper's blocks around them (norms, short convolution, MLP), as the LSTM is here: what
    differs from it is the exponential input gate, the normaliser and the heads.

    Args:
        input_size: F, features of an input.
        head_size: features of a head; `hidden`, the features of an output, are head_size * num_heads.
        num_heads: heads; h reaches the gates of its own head alone.
        num_layers: stacked layers.
        batch_first: inputs and outputs are (B, T, ...) instead of (T, B, ...); the state has B first always.
        device, dtype: as everywhere in torch.
        generator: where initial values are drawn from; None means torch's own. They are those of `LSTM` with
            initialisation="orthogonal": R orthogonal, W Xavier's, biases 0, but 1 for the forget gate.

    Raises:
        TypeError: a size is no integer, a dtype that is not floating point.
        ValueError: a size below 1.

    Example:
        >>> core = SLSTM(input_size=5, head_size=3, num_heads=2, batch_first=True)
        >>> outputs, state = core(torch.zeros(7, 11, 5))
        >>> outputs.shape, state.c.shape
        (torch.Size([7, 11, 6]), torch.Size([7, 1, 6]))
    """

    def __init__(
        self,
        input_size: int,
        head_size: int,
        num_heads: int = 4,
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.input_size = check_size("input_size", input_size)
        self.head_size = check_size("head_size", head_size)
        self.num_heads = check_size("num_heads", num_heads)
        self.num_layers = check_size("num_layers", num_layers)
        self.batch_first = check_bool("batch_first", batch_first)
        factory_kwargs, hidden = make_factory_kwargs(device, dtype), self.output_size
        below = [self.input_size, *[hidden] * (self.num_layers - 1)]
        self.layers = nn.ModuleList(_Layer(size, hidden, self.num_heads, factory_kwargs) for size in below)
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all initial values anew."""
        for layer in self.layers:
            assert isinstance(layer, _Layer)
            layer.reset_parameters(generator)

    @property
    def output_size(self) -> int:
        """Features of an output."""
        return self.head_size * self.num_heads

    def initial_state(self, batch_size: int) -> SLSTMState:
        """Return the state before the first step: zeros everywhere.

        Raises:
            TypeError: `batch_size` is no integer.
            ValueError: it is below 1.
        """
        shape = check_size("batch_size", batch_size), self.num_layers, self.output_size
        like = self._like
        return SLSTMState(*(torch.zeros(shape, dtype=like.dtype, device=like.device) for _ in _AXES))

    def forward(
        self, input: Sequence, state: SLSTMState | None = None, *, resets: Resets | None = None
    ) -> tuple[Sequence, SLSTMState]:
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
        opened = open_sequence(input, self.batch_first, ("F",), {"F": self.input_size}, self._like)
        if state is None:
            state = self.initial_state(opened.batch)
        else:
            sizes = {"B": opened.batch, "layers": self.num_layers, "hidden": self.output_size}
            check_parts(state, _AXES, sizes, self._like)
        restarts = None if resets is None else opened.match(resets)
        rows, ends = opened.data, []
        of_layers = zip(*(opened.sort(part).unbind(1) for part in state), strict=True)
        for layer, part in zip(self.layers, of_layers, strict=True):
            assert isinstance(layer, _Layer)
            shares = layer.gate_input(rows).unflatten(-1, (4, -1))
            fresh = tuple(torch.zeros_like(one[:1]) for one in part)
            rows, last = unroll(layer.step, shares, opened.batch_sizes, part, fresh, restarts)
            ends.append(last)
        after = (opened.unsort(torch.stack(parts, 1)) for parts in zip(*ends, strict=True))
        outputs, last = opened.close(rows), SLSTMState(*after)
        refuse_sparse_gradients(self, outputs, *last)
        return outputs, last

    def extra_repr(self) -> str:
        """Show the number of heads when printed."""
        return f"num_heads={self.num_heads}"

    @property
    def _like(self) -> Tensor:
        """A parameter: its dtype and device are the inputs'."""
        first = self.layers[0]
        assert isinstance(first, _Layer)
        return like_of(self, first.gate_input)
