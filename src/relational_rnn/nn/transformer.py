"""A causal Transformer behind the interface of the cores; its state is what earlier steps left to look at."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from relational_rnn.config.checks import check_bool, check_choice, check_number, check_size
from relational_rnn.kernels import dot_product_attention, transformed
from relational_rnn.nn.factory import FactoryKwargs, make_factory_kwargs
from relational_rnn.nn.initialise import initialise_linear_
from relational_rnn.nn.inputs import Resets, Sequence, check_tensor, open_sequence, refuse_sparse_gradients
from relational_rnn.nn.positions import POSITIONS, rotate, sinusoids
from relational_rnn.nn.sublayers import call_norm, like_of


class TransformerState(NamedTuple):
    """Keys and values of the P steps so far, of every layer."""

    keys: Tensor
    """(B, layers, H, P, K)"""
    values: Tensor
    """(B, layers, H, P, K)"""
    valid: Tensor
    """(B, P) bool: which of the steps the row's next one sees: its own, since its last reset."""


class _Layer(nn.Module):
    """Attention to what came before, then an MLP; each beside a residual connection, behind a layer norm."""

    def __init__(
        self, width: int, num_heads: int, mlp_size: int, dropout: float, factory_kwargs: FactoryKwargs
    ) -> None:
        super().__init__()
        linear = partial(skip_init, nn.Linear, **factory_kwargs)
        self.num_heads, self.dropout = num_heads, dropout
        self.attention_norm = nn.LayerNorm(width, **factory_kwargs)
        self.qkv = linear(width, 3 * width)
        self.attention_output = linear(width, width)
        self.mlp_norm = nn.LayerNorm(width, **factory_kwargs)
        self.widen = linear(width, mlp_size)
        self.narrow = linear(mlp_size, width)

    def forward(
        self,
        rows: Tensor,
        keys: Tensor,
        values: Tensor,
        visible: Tensor | None,
        turned_by: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run over the new steps.

        Args:
            rows: (B, T, D).
            keys, values: (B, H, P, K) of earlier steps.
            visible: (B, 1, T, P + T) bool, what each new step may look at; None where P = 0 and all new
                steps up to itself are.
            turned_by: (T,) or (B, T), positions by which queries and keys are turned; None for not at all.

        Returns:
            The steps' features (B, T, D), and keys and values with the new ones, (B, H, P + T, K).
        """
        projected = self.qkv(call_norm(self.attention_norm, rows)).unflatten(-1, (3, self.num_heads, -1))
        q, k, v = projected.permute(2, 0, 3, 1, 4)  # (B, H, T, K) each
        if turned_by is not None:
            q, k = rotate(q, turned_by), rotate(k, turned_by)
        if keys.shape[2]:
            k, v = torch.cat([keys, k], 2), torch.cat([values, v], 2)
        dropout = self.dropout if self.training else 0.0
        found = dot_product_attention(q, k, v, mask=visible, causal=visible is None, dropout=dropout)
        rows = rows + F.dropout(self.attention_output(found.transpose(1, 2).flatten(2)), dropout)
        mixed = self.narrow(F.relu(self.widen(call_norm(self.mlp_norm, rows))))
        return rows + F.dropout(mixed, dropout), k, v


class CausalTransformer(nn.Module):
    """A Transformer in which no step sees a later one, called like `torch.nn.LSTM`.

        x = linear(input) + position(t);  for each layer: x = x + attention(LN(x)), x = x + MLP(LN(x))
        output = LN(x)

    Source: Vaswani et al. 2017; the layer norm before each part, and one at the end, as in Xiong et al. 2020.
    Positions count from the row's last reset, and no length is too long. The state holds keys and values of
    all steps so far: it grows with the sequence, and so does a step's work.

    Args:
        input_size: F, features of an input.
        head_size: K, features of an attention head; the width is D = head_size * num_heads.
        num_heads: H, attention heads.
        num_layers: layers of attention and MLP.
        mlp_size: hidden features of the MLP (ReLU); None means 4 D.
        dropout: share of attention weights, and of what each part adds, that training drops (drawn from
            torch's own generator).
        positions: "sinusoidal" (added to the first layer's input, as in Vaswani et al. 2017), "learned" (rows
            of a table instead), "rotary" (queries and keys of every layer are turned, Su et al. 2021) or
            "none": the causal mask alone tells the order, which reaches further than the others beyond the
            length of training (NoPE, Kazemnejad et al. 2023).
        learned_positions: rows of the table; all later steps have its last row.
        batch_first: inputs and outputs are (B, T, ...) instead of (T, B, ...); the state has B first always.
        device, dtype: as everywhere in torch.
        generator: where initial values are drawn from (as for `RelationalMemory`); None means torch's own.

    Raises:
        TypeError: a size is no integer, a dtype that is not floating point.
        ValueError: a size below 1, dropout outside 0 to 1, unknown positions.

    Example:
        >>> transformer = CausalTransformer(input_size=5, head_size=4, num_heads=2, batch_first=True)
        >>> outputs, state = transformer(torch.zeros(7, 11, 5))
        >>> outputs.shape, state.keys.shape
        (torch.Size([7, 11, 8]), torch.Size([7, 2, 2, 11, 4]))
    """

    def __init__(
        self,
        input_size: int,
        head_size: int,
        num_heads: int = 4,
        num_layers: int = 2,
        mlp_size: int | None = None,
        dropout: float = 0.0,
        *,
        positions: str = "sinusoidal",
        learned_positions: int = 128,
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
        self.positions = check_choice("positions", positions, POSITIONS)
        learned_positions = check_size("learned_positions", learned_positions)
        self.batch_first = check_bool("batch_first", batch_first)
        width = self.head_size * self.num_heads
        mlp_size = 4 * width if mlp_size is None else check_size("mlp_size", mlp_size)
        dropout = check_number("dropout", dropout, 0.0, 1.0)
        factory_kwargs = make_factory_kwargs(device, dtype)
        self.input_projection = skip_init(nn.Linear, self.input_size, width, **factory_kwargs)
        self.layers = nn.ModuleList(
            _Layer(width, self.num_heads, mlp_size, dropout, factory_kwargs) for _ in range(self.num_layers)
        )
        self.output_norm = nn.LayerNorm(width, **factory_kwargs)
        if self.positions == "learned":
            self.position_table = nn.Parameter(torch.empty(learned_positions, width, **factory_kwargs))
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all initial values anew."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                initialise_linear_(module, generator)
            elif isinstance(module, nn.LayerNorm):
                module.reset_parameters()
        if self.positions == "learned":
            nn.init.normal_(self.position_table, std=0.02, generator=generator)  # as in GPT-2

    @property
    def output_size(self) -> int:
        """Features of an output, D."""
        return self.head_size * self.num_heads

    def initial_state(self, batch_size: int) -> TransformerState:
        """Return the state before the first step: no steps, P = 0.

        Raises:
            TypeError: `batch_size` is no integer.
            ValueError: it is below 1.
        """
        batch = check_size("batch_size", batch_size)
        like = like_of(self, self.input_projection)
        sizes = batch, self.num_layers, self.num_heads, 0, self.head_size
        nothing = torch.empty(sizes, dtype=like.dtype, device=like.device)
        return TransformerState(nothing, nothing, torch.ones(batch, 0, dtype=torch.bool, device=like.device))

    def forward(
        self, input: Sequence, state: TransformerState | None = None, *, resets: Resets | None = None
    ) -> tuple[Sequence, TransformerState]:
        """Run over a sequence.

        Args:
            input: (T, B, F), (B, T, F) with `batch_first`, (T, F) for one sequence, or a PackedSequence.
            state: before the first step (B = 1 for one sequence); None means `initial_state`.
            resets: bool, the input's leading axes: True lets that row forget all before that step. For
                packed input a PackedSequence or a padded one, as for `RelationalMemory`.

        Returns:
            The outputs in the input's layout with `output_size` features, and the state after the sequence.

        Raises:
            TypeError: not a tensor, not floating point, or another dtype or device than the parameters'.
            ValueError: wrong shape, an empty batch or sequence.
        """
        like = like_of(self, self.input_projection)
        opened = open_sequence(input, self.batch_first, ("F",), {"F": self.input_size}, like)
        batch, steps = opened.batch, opened.steps
        past = self.initial_state(batch) if state is None else self._check_state(state, batch)
        past = TransformerState(*map(opened.sort, past))
        own = opened.pad(torch.ones(len(opened.data), dtype=torch.bool, device=like.device))  # (B, T)
        positions = torch.arange(steps, device=like.device)
        if resets is None and past.valid.shape[1] == 0:
            visible, valid = None, own  # and positions are the same for all rows
        else:
            flags = torch.zeros_like(own) if resets is None else opened.pad(opened.match(resets))
            first = _first_step_seen(past.valid, flags)  # (B, T)
            visible, valid = _visible(past.valid, first), _valid_after(past.valid, first, own)
            positions = positions - first

        rows = self.input_projection(opened.pad(opened.data))
        if self.positions == "sinusoidal":
            exact = torch.promote_types(rows.dtype, torch.float32)  # smaller floats cannot count far
            rows = rows + sinusoids(positions, self.output_size, exact).to(rows.dtype)
        elif self.positions == "learned":
            last_row = len(self.position_table) - 1
            rows = rows + F.embedding(positions.clamp(max=last_row), self.position_table)
        turned_by = positions if self.positions == "rotary" else None
        all_keys, all_values = [], []
        for layer, keys, values in zip(self.layers, past.keys.unbind(1), past.values.unbind(1), strict=True):
            rows, keys, values = layer(rows, keys, values, visible, turned_by)
            all_keys.append(keys)
            all_values.append(values)

        last = TransformerState(torch.stack(all_keys, 1), torch.stack(all_values, 1), valid)
        counted = not torch.compiler.is_compiling() and not transformed((valid,))
        if resets is not None and counted:  # what no row sees any more is let go
            gone = int(valid.any(0).int().argmax())
            last = TransformerState(last.keys[..., gone:, :], last.values[..., gone:, :], valid[:, gone:])
        outputs = opened.close(opened.unpad(call_norm(self.output_norm, rows)))
        last = TransformerState(*map(opened.unsort, last))
        refuse_sparse_gradients(self, outputs, *last)
        return outputs, last

    def extra_repr(self) -> str:
        """Show the number of heads and the positions when printed; the layers say all other sizes."""
        return f"num_heads={self.num_heads}, positions={self.positions!r}"

    def _check_state(self, state: object, batch: int) -> TransformerState:
        if not isinstance(state, tuple) or len(state) != 3:
            raise TypeError(f"state must be a tuple (keys, values, valid), got {type(state).__name__}")
        keys, values, valid = state
        like = like_of(self, self.input_projection)
        if not isinstance(valid, Tensor) or valid.dtype != torch.bool or valid.device != like.device:
            raise TypeError(f"state's valid must be a bool tensor on {like.device}, got {valid!r}")
        if valid.ndim != 2 or len(valid) != batch:
            raise ValueError(
                f"state's valid must have shape (B, P) with B = {batch}, got {tuple(valid.shape)}"
            )
        wanted = (batch, self.num_layers, self.num_heads, valid.shape[1], self.head_size)
        for name, part in (("keys", keys), ("values", values)):
            check_tensor(f"state's {name}", part, like)
            if part.shape != wanted:
                raise ValueError(
                    f"state's {name} must have shape (B, layers, H, P, K) = {wanted}, got {tuple(part.shape)}"
                )
        return TransformerState(keys, values, valid)


def _first_step_seen(valid: Tensor, resets: Tensor) -> Tensor:
    """Return the first step that each new step sees, counted from the first new one: (B, T).

    It is the last reset so far, or before any reset minus the number of steps in the state: below 0, steps of
    the state are seen. A step's distance from it is its position.

    Args:
        valid: (B, P), of the state.
        resets: (B, T).
    """
    now = torch.arange(resets.shape[1], device=resets.device)
    return torch.where(resets, now, -valid.sum(1, keepdim=True)).cummax(1).values


def _visible(valid: Tensor, first: Tensor) -> Tensor:
    """Return which steps, of the state's P and the T new ones, each new step sees: (B, 1, T, P + T).

    What stands after a row's end is seen by nothing before it, so it needs no mask.

    Args:
        valid: (B, P), of the state.
        first: (B, T), see `_first_step_seen`.
    """
    now = torch.arange(first.shape[1], device=first.device)
    first = first.unsqueeze(2)
    of_state = valid.unsqueeze(1) & (first < 0)  # (B, T, P)
    new = (now >= first) & (now <= now.unsqueeze(1))  # (B, T, T)
    return torch.cat([of_state, new], 2).unsqueeze(1)


def _valid_after(valid: Tensor, first: Tensor, own: Tensor) -> Tensor:
    """Return which of all steps a row's next one will see, which are those that its last one saw: (B, P + T).

    Args:
        valid: (B, P), of the state.
        first: (B, T), see `_first_step_seen`.
        own: (B, T), which of the new steps are the row's.
    """
    now = torch.arange(first.shape[1], device=first.device)
    first = first.gather(1, own.sum(1, keepdim=True) - 1)  # (B, 1), of the last step
    return torch.cat([valid & (first < 0), own & (now >= first)], 1)
