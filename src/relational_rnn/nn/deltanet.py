"""Gated DeltaNet behind the interface of the cores: a linear recurrence that writes by the delta rule."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from relational_rnn.config.checks import check_bool, check_size
from relational_rnn.nn.factory import FactoryKwargs, make_factory_kwargs
from relational_rnn.nn.initialise import truncated_normal_
from relational_rnn.nn.inputs import Resets, Sequence, check_parts, open_sequence, refuse_sparse_gradients
from relational_rnn.nn.sublayers import like_of
from relational_rnn.nn.unroll import unroll

EPSILON = 1e-6
"""Keeps the length of queries, keys and outputs away from 0."""


class DeltaState(NamedTuple):
    """All that one step hands to the next; the first axis of every part is the batch."""

    memory: Tensor
    """(B, layers, H, K, V): S, what each layer's heads have written."""
    recent: Tensor
    """(B, layers, W - 1, C): the last inputs of each layer's short convolution; C = 2HK + HV."""


_AXES = {"memory": ("B", "layers", "H", "K", "V"), "recent": ("B", "layers", "W - 1", "C")}


def gated_delta_step(
    memory: Tensor, queries: Tensor, keys: Tensor, values: Tensor, strengths: Tensor, decays: Tensor
) -> tuple[Tensor, Tensor]:
    """Forget, correct what the memory says of a key, and read: one step of the gated delta rule.

        S = α S_(t-1);  S_t = S + β k (v - kᵀ S)ᵀ;  o = S_tᵀ q / sqrt(K)

    Source: Yang, Kautz & Hatamizadeh 2024, "Gated Delta Networks", equation 10, S transposed. With keys of
    length 1 the matrix α (I - β k kᵀ) that S is multiplied by has the eigenvalues α and α (1 - β).

    Args:
        memory: S_(t-1), (B, H, K, V).
        queries: q, (B, H, K).
        keys: k, (B, H, K).
        values: v, (B, H, V).
        strengths: β, (B, H).
        decays: α, (B, H).

    Returns:
        o, (B, H, V), and S_t.

    Example:
        >>> memory, key = torch.zeros(1, 1, 2, 1), torch.tensor([[[1.0, 0.0]]])
        >>> for value in (5.0, 3.0):  # the second replaces the first
        ...     told = torch.full((1, 1, 1), value)
        ...     read, memory = gated_delta_step(memory, key * 2**0.5, key, told, *torch.ones(2, 1, 1))
        ...     print(round(read.item(), 4))
        5.0
        3.0
    """
    kept = decays[..., None, None] * memory
    wrong = values - (keys.unsqueeze(-2) @ kept).squeeze(-2)
    memory = kept + keys.unsqueeze(-1) * (strengths.unsqueeze(-1) * wrong).unsqueeze(-2)
    return (queries.unsqueeze(-2) @ memory).squeeze(-2) * queries.shape[-1] ** -0.5, memory


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    """Return x / sqrt(mean(x²) + ε) * weight, over the last axis.

    Source: Zhang & Sennrich 2019. By plain operations, of which torch has every derivative.
    """
    return x * (x.square().mean(-1, keepdim=True) + EPSILON).rsqrt() * weight


def _unit(x: Tensor) -> Tensor:
    """Return vectors of length 1."""
    return x * (x.square().sum(-1, keepdim=True) + EPSILON).rsqrt()


class _Layer(nn.Module):
    """The delta rule in place of attention, then a gated MLP; each beside a residual connection."""

    def __init__(
        self,
        width: int,
        sizes: tuple[int, int, int],
        window: int,
        mlp_size: int,
        most: float,
        factory_kwargs: FactoryKwargs,
    ) -> None:
        super().__init__()
        self.num_heads, self.head_size, self.value_size = sizes
        self.most = most
        self.parts = [self.num_heads * size for size in (self.head_size, self.head_size, self.value_size)]
        linear = partial(skip_init, nn.Linear, bias=False, **factory_kwargs)
        make = partial(torch.empty, **factory_kwargs)
        self.mixer_norm = nn.Parameter(make(width))
        self.qkv = linear(width, sum(self.parts))
        self.convolution = nn.Parameter(make(window, sum(self.parts)))
        self.gates = linear(width, 2 * self.num_heads)
        self.log_rate = nn.Parameter(make(self.num_heads))
        self.step_bias = nn.Parameter(make(self.num_heads))
        self.output_gate = linear(width, self.parts[2])
        self.head_norm = nn.Parameter(make(self.value_size))
        self.mixer_output = linear(self.parts[2], width)
        self.mlp_norm = nn.Parameter(make(width))
        self.widen = linear(width, 2 * mlp_size)
        self.narrow = linear(mlp_size, width)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None) -> None:
        """Draw all initial values anew, see `GatedDeltaNet`."""
        for layer in (self.qkv, self.gates, self.output_gate, self.mixer_output, self.widen, self.narrow):
            truncated_normal_(layer.weight, layer.in_features, generator)
        bound = len(self.convolution) ** -0.5
        self.convolution.uniform_(-bound, bound, generator=generator)
        for norm in (self.mixer_norm, self.head_norm, self.mlp_norm):
            norm.fill_(1)
        self.log_rate.uniform_(1e-3, 16, generator=generator).log_()
        steps = self.step_bias.uniform_(-6.9078, -2.3026, generator=generator).exp_()  # 0.001 to 0.1
        steps.add_(torch.log(-torch.expm1(-steps)))  # so that softplus of it is that step

    def forward(
        self,
        rows: Tensor,
        batch_sizes: list[int],
        state: tuple[Tensor, ...],
        resets: Tensor | None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run over a sequence as `unroll` stores it: rows (S, D), and the layer's part of the state."""
        seen = rms_norm(rows, self.mixer_norm)
        strengths, steps = self.gates(seen).chunk(2, -1)
        strengths = self.most * torch.sigmoid(strengths)
        decays = torch.exp(-self.log_rate.exp() * F.softplus(steps + self.step_bias))
        nothing = tuple(torch.zeros_like(part[:1]) for part in state)
        found, last = unroll(
            self._step, (self.qkv(seen), strengths, decays), batch_sizes, state, nothing, resets
        )
        gate = F.silu(self.output_gate(seen)).unflatten(-1, (self.num_heads, -1))
        rows = rows + self.mixer_output((rms_norm(found, self.head_norm) * gate).flatten(1))
        wide, gate = self.widen(rms_norm(rows, self.mlp_norm)).chunk(2, -1)
        return rows + self.narrow(wide * F.silu(gate)), last

    def _step(
        self, qkv: Tensor, strengths: Tensor, decays: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        memory, recent = state
        window = torch.cat([recent, qkv.unsqueeze(1)], 1)  # (B, W, C)
        qkv = F.silu((window * self.convolution).sum(1))
        heads = (part.unflatten(-1, (self.num_heads, -1)) for part in qkv.split(self.parts, -1))
        queries, keys, values = heads
        read, memory = gated_delta_step(memory, _unit(queries), _unit(keys), values, strengths, decays)
        return read, (memory, window[:, 1:])


class GatedDeltaNet(nn.Module):
    """Layers of the gated delta rule and of an MLP, called like `torch.nn.LSTM`.

        x = linear(input);  for each layer: x = x + mix(RMS(x)), x = x + MLP(RMS(x));  output = RMS(x)
        q, k, v = SiLU(convolution(W x));  q, k of length 1;  β = σ(W_β x);
        α = exp(-exp(A) softplus(W_α x + b));  o = delta rule, see `gated_delta_step`;
        mix = W_o (RMS(o) SiLU(W_g x))

    Source: Yang, Kautz & Hatamizadeh 2024, "Gated Delta Networks", section 3.4; sizes of a head and initial
    values of A, b and the convolution as in flash-linear-attention. The MLP is SwiGLU. With
    `negative_eigenvalues` β is 2 σ(.), so that a step can also turn over what is stored (Grazzi et al. 2024,
    "Unlocking State-Tracking in Linear RNNs Through Negative Eigenvalues"). The steps run one after the
    other: exact, and slower on a GPU than the authors' kernels, which take them in chunks.

    Args:
        input_size: F, features of an input.
        hidden_size: D, features of an output.
        num_heads: H.
        num_layers: layers of mixing and MLP.
        head_size: K, features of a head's queries and keys; None means 3/4 D / H, rounded.
        value_size: V, features of a head's values; None means 2 K.
        window: W, steps that the short convolution sees, the present one with them; at least 2.
        mlp_size: hidden features of the MLP; None means 8/3 D, for as many parameters as 4 D without a gate.
        negative_eigenvalues: whether β reaches 2 instead of 1.
        batch_first: inputs and outputs are (B, T, ...) instead of (T, B, ...); the state has B first always.
        device, dtype: as everywhere in torch.
        generator: where initial values are drawn from (as for `RelationalMemory`); None means torch's own.

    Raises:
        TypeError: a size is no integer, a dtype that is not floating point.
        ValueError: a size below 1.

    Example:
        >>> net = GatedDeltaNet(input_size=5, hidden_size=8, num_heads=2, batch_first=True)
        >>> outputs, state = net(torch.zeros(7, 11, 5))
        >>> outputs.shape, state.memory.shape
        (torch.Size([7, 11, 8]), torch.Size([7, 2, 2, 3, 6]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_heads: int = 4,
        num_layers: int = 2,
        head_size: int | None = None,
        value_size: int | None = None,
        window: int = 4,
        mlp_size: int | None = None,
        *,
        negative_eigenvalues: bool = False,
        batch_first: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.input_size = check_size("input_size", input_size)
        width = self.hidden_size = check_size("hidden_size", hidden_size)
        self.num_heads = check_size("num_heads", num_heads)
        self.num_layers = check_size("num_layers", num_layers)
        usual = max(1, round(0.75 * width / self.num_heads))
        self.head_size = usual if head_size is None else check_size("head_size", head_size)
        self.value_size = 2 * self.head_size if value_size is None else check_size("value_size", value_size)
        self.window = check_size("window", window, minimum=2)
        self.negative_eigenvalues = check_bool("negative_eigenvalues", negative_eigenvalues)
        self.batch_first = check_bool("batch_first", batch_first)
        mlp_size = -(-8 * width // 3) if mlp_size is None else check_size("mlp_size", mlp_size)
        sizes = self.num_heads, self.head_size, self.value_size
        factory_kwargs = make_factory_kwargs(device, dtype)
        self.input_projection = skip_init(nn.Linear, self.input_size, width, **factory_kwargs)
        self.layers = nn.ModuleList(
            _Layer(width, sizes, self.window, mlp_size, 1.0 + self.negative_eigenvalues, factory_kwargs)
            for _ in range(self.num_layers)
        )
        self.output_norm = nn.Parameter(torch.empty(width, **factory_kwargs))
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all initial values anew."""
        truncated_normal_(self.input_projection.weight, self.input_size, generator)
        # No other layer has a bias: with 0 here an input of zeros, as models get where they answer, would
        # close the output gate and stay 0 whatever the memory holds.
        bound = self.input_size**-0.5
        nn.init.uniform_(self.input_projection.bias, -bound, bound, generator=generator)
        for layer in self.layers:
            assert isinstance(layer, _Layer)
            layer.reset_parameters(generator)
        nn.init.ones_(self.output_norm)

    @property
    def output_size(self) -> int:
        """Features of an output, D."""
        return self.hidden_size

    def initial_state(self, batch_size: int) -> DeltaState:
        """Return the state before the first step: zeros everywhere.

        Raises:
            TypeError: `batch_size` is no integer.
            ValueError: it is below 1.
        """
        sizes = self._sizes(check_size("batch_size", batch_size))
        like = like_of(self, self.input_projection)
        shapes = ([sizes[axis] for axis in axes] for axes in _AXES.values())
        return DeltaState(*(torch.zeros(shape, dtype=like.dtype, device=like.device) for shape in shapes))

    def forward(
        self, input: Sequence, state: DeltaState | None = None, *, resets: Resets | None = None
    ) -> tuple[Sequence, DeltaState]:
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
        like = like_of(self, self.input_projection)
        opened = open_sequence(input, self.batch_first, ("F",), {"F": self.input_size}, like)
        if state is None:
            state = self.initial_state(opened.batch)
        else:
            check_parts(state, _AXES, self._sizes(opened.batch), like)
        restarts = None if resets is None else opened.match(resets)
        rows, ends = self.input_projection(opened.data), []
        of_layers = zip(*(opened.sort(part).unbind(1) for part in state), strict=True)
        for layer, part in zip(self.layers, of_layers, strict=True):
            rows, last = layer(rows, opened.batch_sizes, part, restarts)
            ends.append(last)
        after = (opened.unsort(torch.stack(parts, 1)) for parts in zip(*ends, strict=True))
        outputs, last = opened.close(rms_norm(rows, self.output_norm)), DeltaState(*after)
        refuse_sparse_gradients(self, outputs, *last)
        return outputs, last

    def extra_repr(self) -> str:
        """Show what the layers do not say when printed."""
        return f"num_heads={self.num_heads}, negative_eigenvalues={self.negative_eigenvalues}"

    def _sizes(self, batch: int) -> dict[str, int]:
        channels = self.num_heads * (2 * self.head_size + self.value_size)
        return {
            "B": batch,
            "layers": self.num_layers,
            "H": self.num_heads,
            "K": self.head_size,
            "V": self.value_size,
            "W - 1": self.window - 1,
            "C": channels,
        }
