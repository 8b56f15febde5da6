"""The relational memory of R2Gen, with a state that is carried, and the layer norm that it drives.

They are other than the authors' core: docs/r2gen.md says in what. For a new model take `nn.RelationalMemory`.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from relational_rnn.config.checks import check_bool, check_number, check_shape, check_size
from relational_rnn.kernels import dot_product_attention, eager
from relational_rnn.nn.factory import make_factory_kwargs
from relational_rnn.nn.inputs import Resets, Sequence, check_tensor, open_sequence
from relational_rnn.nn.unroll import State, unroll


class R2GenMemory(nn.Module):
    """R2Gen's relational memory over a sequence, called like `torch.nn.LSTM`.

        q = M W_q,  k, v = [M ; x] W_k, [M ; x] W_v          only the slots ask
        R = M + softmax(q k^T / sqrt(K)) v W_o
        R = R + ReLU(ReLU(R W_1) W_2)
        i, f = sigmoid(x W + tanh(M) U)
        next M = i tanh(R) + f M;  the output is next M, flattened

    Every product has a bias. Source: `RelationalMemory` of R2Gen's `modules/encoder_decoder.py`
    (github.com/zhjohnchan/R2Gen); Chen et al. 2020 (arXiv:2010.16056), section "Relational Memory".

    Args:
        d_model: D, features of an input and of a slot.
        num_slots: N, memory slots.
        num_heads: H, attention heads; divides `d_model`.
        dropout: share of the attention weights that training drops (drawn from torch's own generator).
        batch_first: inputs and outputs are (B, T, ...) instead of (T, B, ...); memory is always (B, N, D).
        device, dtype: as everywhere in torch.
        generator: where initial values are drawn from (R2Gen's: Xavier weights, torch's biases); None means
            torch's own.

    Raises:
        TypeError: a size is no integer, a dtype that is not floating point.
        ValueError: a size below 1, heads that do not divide `d_model`, dropout outside 0 to 1.

    Example:
        >>> memory = R2GenMemory(8, num_slots=3, num_heads=2)
        >>> outputs, state = memory(torch.zeros(7, 11, 8))
        >>> outputs.shape, state.shape
        (torch.Size([7, 11, 24]), torch.Size([7, 3, 8]))
        >>> next_output, state = memory(torch.zeros(7, 1, 8), state)  # one token more
    """

    def __init__(
        self,
        d_model: int = 512,
        num_slots: int = 3,
        num_heads: int = 8,
        *,
        dropout: float = 0.1,
        batch_first: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.d_model = width = check_size("d_model", d_model)
        self.num_slots = check_size("num_slots", num_slots)
        self.num_heads = check_size("num_heads", num_heads)
        if width % self.num_heads:
            raise ValueError(f"num_heads must divide d_model = {width}, got {self.num_heads}")
        self.dropout = check_number("dropout", dropout, 0.0, 1.0)
        self.batch_first = check_bool("batch_first", batch_first)
        linear = partial(skip_init, nn.Linear, **make_factory_kwargs(device, dtype))
        self.qkv = linear(width, 3 * width)
        self.attention_output = linear(width, width)
        self.mlp = nn.ModuleList(linear(width, width) for _ in range(2))
        self.gate_input = linear(width, 2 * width)  # the input gates first, then the forget gates
        self.gate_memory = linear(width, 2 * width)
        self.reset_parameters(generator)

    @property
    def input_size(self) -> int:
        """Features of an input: D."""
        return self.d_model

    @property
    def output_size(self) -> int:
        """Features of an output: N D."""
        return self.num_slots * self.d_model

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all initial values anew."""
        for layer in (self.qkv, self.attention_output, *self.mlp, self.gate_input, self.gate_memory):
            # R2Gen has queries, keys and values apart, and the two gates in one.
            parts = layer.weight.chunk(3) if layer is self.qkv else (layer.weight,)
            for part in parts:
                nn.init.xavier_uniform_(part, generator=generator)
            bound = self.d_model**-0.5
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)

    def extra_repr(self) -> str:
        """Show sizes when printed."""
        return (
            f"d_model={self.d_model}, num_slots={self.num_slots}, num_heads={self.num_heads}, "
            f"dropout={self.dropout}, batch_first={self.batch_first}"
        )

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the memory before the first token, (B, N, D): slot i is unit vector i, 0 from D on."""
        check_size("batch_size", batch_size)
        return self._first_memory().repeat(batch_size, 1, 1)

    def _first_memory(self) -> Tensor:
        like = self.gate_input.weight
        return torch.eye(self.num_slots, self.d_model, dtype=like.dtype, device=like.device).unsqueeze(0)

    def forward(
        self, input: Sequence, state: Tensor | None = None, *, resets: Resets | None = None
    ) -> tuple[Sequence, Tensor]:
        """Run over tokens, all of a report or the next one.

        Args:
            input: (B, T, D), (T, B, D) without `batch_first`, (T, D) for one report, or a PackedSequence.
            state: (B, N, D) before the first token (B = 1 for one report); None means `initial_state`.
            resets: bool, the input's leading axes: True restarts that row before that token; as for
                `RelationalMemory`.

        Returns:
            The memory after every token in the input's layout, its slots side by side (N D features), and
            the last memory of each row (B, N, D).

        Raises:
            TypeError: not a tensor, another dtype or device than the parameters', resets that are not bool.
            ValueError: wrong shape, an empty batch or sequence.
        """
        like = self.gate_input.weight
        opened = open_sequence(input, self.batch_first, ("D",), {"D": self.d_model}, like)
        if state is None:
            memory = self.initial_state(opened.batch)
        else:
            check_tensor("state", state, like)
            sizes = {"B": opened.batch, "N": self.num_slots, "D": self.d_model}
            check_shape("state", state.shape, ("B", "N", "D"), **sizes)
            memory = opened.sort(state)
        width = self.d_model
        # What the tokens bring does not depend on the memory: made for all of them at once.
        entering = F.linear(opened.data, self.qkv.weight[width:], self.qkv.bias[width:]).unsqueeze(1)
        gates = self.gate_input(opened.data).unsqueeze(1)  # (S, 1, 2D)
        flags = None if resets is None else opened.match(resets)
        outputs, (last,) = unroll(
            self._step, (entering, gates), opened.batch_sizes, (memory,), (self._first_memory(),), flags
        )
        return opened.close(outputs), opened.unsort(last)

    def _step(self, entering: Tensor, gates: Tensor, state: State) -> tuple[Tensor, State]:
        """Advance the memory by one token, given its keys and values (B, 1, 2D) and share of the gates."""
        (memory,) = state
        q, k, v = self.qkv(memory).chunk(3, -1)  # (B, N, D) each
        k_x, v_x = entering.chunk(2, -1)
        k, v = torch.cat([k, k_x], 1), torch.cat([v, v_x], 1)  # (B, N + 1, D)
        q, k, v = (x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for x in (q, k, v))
        found = dot_product_attention(q, k, v, dropout=self.dropout if self.training else 0.0)
        new = memory + self.attention_output(found.transpose(1, 2).flatten(2))  # (B, N, D)
        mixed = new
        for layer in self.mlp:
            mixed = torch.relu(layer(mixed))
        weight, bias = self.gate_memory.weight, self.gate_memory.bias
        memory, _, _ = eager.gated_update(memory, new + mixed, gates, weight, bias)
        return memory.flatten(1), (memory,)


class ConditionalLayerNorm(nn.Module):
    """Layer norm whose gain and bias come from the memory of the same token (MCLN).

        y = (gamma + MLP_gamma(m)) (x - mean(x)) / (std(x) + eps) + beta + MLP_beta(m)

    std is that of a sample (divided by D - 1), and eps stands outside the root, as in R2Gen and unlike
    `torch.nn.LayerNorm`. Source: `ConditionalLayerNorm` of R2Gen's `modules/encoder_decoder.py`; Chen et al.
    2020 (arXiv:2010.16056), section "Memory-driven Conditional Layer Normalization". Parameters have their
    names, so `load_state_dict` takes theirs.

    Args:
        d_model: D, features that are normalised; at least 2.
        num_slots, memory_width: of the memory: it has num_slots * memory_width features.
        eps: added to the standard deviation.
        device, dtype: as everywhere in torch.
        generator: where initial values are drawn from (Xavier weights, biases 0.1); None means torch's own.

    Raises:
        TypeError: a size is no integer, eps no number.
        ValueError: a size that is too small.

    Example:
        >>> norm = ConditionalLayerNorm(8, num_slots=3, memory_width=8)
        >>> norm(torch.randn(7, 11, 8), torch.zeros(7, 11, 24)).shape
        torch.Size([7, 11, 8])
    """

    def __init__(
        self,
        d_model: int = 512,
        num_slots: int = 3,
        memory_width: int = 512,
        eps: float = 1e-6,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        factory_kwargs = make_factory_kwargs(device, dtype)
        linear = partial(skip_init, nn.Linear, **factory_kwargs)
        self.d_model = check_size("d_model", d_model, minimum=2)  # of one number there is no deviation
        slots, width = check_size("num_slots", num_slots), check_size("memory_width", memory_width)
        self.memory_size = slots * width
        self.eps = check_number("eps", eps, 0.0)
        self.gamma = nn.Parameter(torch.ones(self.d_model, **factory_kwargs))
        self.beta = nn.Parameter(torch.zeros(self.d_model, **factory_kwargs))
        self.mlp_gamma, self.mlp_beta = (
            nn.Sequential(
                linear(self.memory_size, self.d_model), nn.ReLU(), linear(self.d_model, self.d_model)
            )
            for _ in range(2)
        )
        self.reset_parameters(generator)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all initial values anew."""
        nn.init.ones_(self.gamma)
        nn.init.zeros_(self.beta)
        for layer in (*self.mlp_gamma, *self.mlp_beta):
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                nn.init.constant_(layer.bias, 0.1)

    def forward(self, input: Tensor, memory: Tensor) -> Tensor:
        """Normalise the last axis.

        Args:
            input: (..., D).
            memory: (..., num_slots * memory_width), an output of `R2GenMemory` or of `RelationalMemory`, with
                the input's leading axes.

        Returns:
            (..., D).

        Raises:
            TypeError: not a tensor, or another dtype or device than the parameters'.
            ValueError: wrong shape.
        """
        check_tensor("input", input, self.gamma)
        check_tensor("memory", memory, self.gamma)
        wanted = (*input.shape[:-1], self.memory_size)
        if input.ndim < 1 or input.shape[-1] != self.d_model or tuple(memory.shape) != wanted:
            raise ValueError(
                f"input must have {self.d_model} features and memory {self.memory_size} with the same "
                f"leading axes, got shapes {tuple(input.shape)} and {tuple(memory.shape)}"
            )
        gamma, beta = self.gamma + self.mlp_gamma(memory), self.beta + self.mlp_beta(memory)
        centred = input - input.mean(-1, keepdim=True)
        normed: Tensor = gamma * centred / (input.std(-1, keepdim=True) + self.eps) + beta
        return normed
