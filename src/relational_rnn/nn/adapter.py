"""Slots that a Transformer's blocks read from and write to, carried from chunk to chunk of a long text."""

from __future__ import annotations

from functools import partial
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from relational_rnn.config import CoreOptions
from relational_rnn.config.checks import check_shape, check_size, check_unknown, tells_names
from relational_rnn.kernels import dot_product_attention
from relational_rnn.nn.factory import make_factory_kwargs
from relational_rnn.nn.initialise import initialise_linear_
from relational_rnn.nn.inputs import check_state, check_tensor
from relational_rnn.nn.padding import check_mask, find_tokens
from relational_rnn.nn.relational_memory import RelationalMemory
from relational_rnn.nn.sublayers import call_norm


class RelationalMemoryAdapter(nn.Module):
    """A memory between two blocks of a Transformer: every token reads the slots, then the chunk is written.

        x = LN(hidden),  s = LN(memory)
        hidden = hidden + sigmoid(x W_g + b_g) * (softmax(x W_q (s W_k)^T / sqrt(K)) s W_v) W_o
        memory = RelationalMemory(x, memory), token by token

    Tokens read the memory as it was before their chunk, so no token sees a later one. W_o begins at 0: a
    pretrained model is unchanged until it is trained. Slots are as many as you like, whatever the chunk's
    length. Source: the idea is LM2's (Kang et al. 2025, arXiv:2502.06049), the update the core of Santoro
    et al. 2018.

    Args:
        hidden_size: W, features of the hidden states.
        mem_slots: N, memory slots.
        head_size: V, features of a head, of the core and of reading; a slot has D = head_size * num_heads.
        num_heads: H, attention heads, of the core and of reading.
        device, dtype: as everywhere in torch.
        generator: where initial values are drawn from; None means torch's own.
        **options: of the core, as for `RelationalMemory` (`gate_style`, `num_blocks`, `initial_memory`, ...),
            but for what its inputs and its output are.

    Raises:
        TypeError: a size is no integer, an unknown argument, a dtype that is not floating point.
        ValueError: a size below 1, an unknown option, `treat_input_as_matrix`, `input_rows` or `read_head`.

    Example:
        >>> adapter = RelationalMemoryAdapter(hidden_size=16, mem_slots=3, head_size=4, num_heads=2)
        >>> memory = None
        >>> for chunk in torch.randn(7, 11, 16).split(4, dim=1):  # hidden states, four tokens at a time
        ...     hidden, memory = adapter(chunk, memory)
        >>> hidden.shape, memory.shape
        (torch.Size([7, 3, 16]), torch.Size([7, 3, 8]))
    """

    @tells_names
    def __init__(
        self,
        hidden_size: int,
        mem_slots: int = 8,
        head_size: int = 32,
        num_heads: int = 4,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
        **options: Unpack[CoreOptions],
    ) -> None:
        super().__init__()
        check_unknown(type(self), options, CoreOptions.__annotations__)
        self.hidden_size = check_size("hidden_size", hidden_size)
        for name in ("treat_input_as_matrix", "input_rows", "read_head"):
            if name in options:
                raise ValueError(f"an adapter writes a token at a time and reads by attention: no {name}")
        factory_kwargs = make_factory_kwargs(device, dtype)
        self.core = RelationalMemory(
            self.hidden_size,
            mem_slots,
            head_size,
            num_heads,
            batch_first=True,
            generator=generator,
            **factory_kwargs,
            **options,
        )
        width = self.core.config.memory_width
        linear = partial(skip_init, nn.Linear, **factory_kwargs)
        self.hidden_norm = nn.LayerNorm(self.hidden_size, **factory_kwargs)
        self.memory_norm = nn.LayerNorm(width, **factory_kwargs)
        self.query = linear(self.hidden_size, width)
        self.key_value = linear(width, 2 * width)
        self.read_gate = linear(self.hidden_size, self.hidden_size)
        self.read_output = linear(width, self.hidden_size)
        self._draw(generator)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all initial values anew; the adapter changes no hidden state then."""
        self.core.reset_parameters(generator)
        self._draw(generator)

    @torch.no_grad()
    def _draw(self, generator: torch.Generator | None) -> None:
        """Draw the values of reading."""
        for layer in (self.query, self.key_value, self.read_gate):
            initialise_linear_(layer, generator)
        nn.init.zeros_(self.read_output.weight)
        nn.init.zeros_(self.read_output.bias)
        for norm in (self.hidden_norm, self.memory_norm):
            norm.reset_parameters()

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the memory before the first chunk, (B, N, D)."""
        return self.core.initial_state(batch_size)

    def forward(
        self,
        hidden: Tensor,
        memory: Tensor | None = None,
        *,
        padding_mask: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Read and write one chunk.

        Args:
            hidden: (B, T, W), hidden states of a chunk of any length.
            memory: (B, N, D), what the chunk before returned; None means `initial_state`. `memory.detach()`
                ends back-propagation there.
            padding_mask: (B, T) bool, True where a token is padding, on any side: it stays as it is and is
                not written, as in `torch.nn.TransformerEncoderLayer`'s `src_key_padding_mask`.
            resets: (B, T) bool, True where a row begins another text: from that token on it reads and writes
                a memory that starts at `initial_state`.

        Returns:
            The hidden states (B, T, W) and the memory for the next chunk (B, N, D).

        Raises:
            TypeError: not a tensor, another dtype or device than the parameters', masks that are not bool.
            ValueError: wrong shape, an empty batch or chunk.
        """
        like = self.query.weight
        check_tensor("hidden", hidden, like)
        check_shape("hidden", hidden.shape, ("B", "T", "F"), F=self.hidden_size)
        batch, time, _ = hidden.shape
        if memory is None:
            memory = self.initial_state(batch)
        else:
            check_state("memory", memory, batch, self.core.config, like)
        for name, mask in (("padding_mask", padding_mask), ("resets", resets)):
            if mask is not None:
                check_mask(name, mask, batch, time, hidden.device)
        # Padding is 0 before any layer: what it holds, NaN perhaps, must not reach their gradients.
        clean = hidden if padding_mask is None else hidden.masked_fill(padding_mask.unsqueeze(-1), 0.0)
        rows = call_norm(self.hidden_norm, clean)  # (B, T, W)
        found = self._read(rows, memory)
        begun = None if resets is None else resets.cumsum(1)  # (B, T), texts begun in this chunk
        if begun is not None:
            anew = self._read(rows, self.initial_state(batch))
            found = torch.where(begun.unsqueeze(-1) > 0, anew, found)
        read = torch.sigmoid(self.read_gate(rows)) * self.read_output(found)
        if padding_mask is not None:
            read = read.masked_fill(padding_mask.unsqueeze(-1), 0.0)
        return hidden + read, self._write(rows, memory, padding_mask, resets, begun)

    def _read(self, rows: Tensor, memory: Tensor) -> Tensor:
        """Let the tokens (B, T, W) attend to the slots (B, N, D): (B, T, D)."""
        slots = call_norm(self.memory_norm, memory)
        q, k, v = (
            x.unflatten(-1, (self.core.config.num_heads, -1)).transpose(1, 2)
            for x in (self.query(rows), *self.key_value(slots).chunk(2, -1))
        )
        return dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    def _write(
        self,
        rows: Tensor,
        memory: Tensor,
        padding_mask: Tensor | None,
        resets: Tensor | None,
        begun: Tensor | None,
    ) -> Tensor:
        """Return the memory after all tokens that are no padding."""
        if padding_mask is None:
            written: Tensor = self.core(rows, memory, resets=resets)[1]
            return written
        order, lengths, some = tokens = find_tokens(padding_mask)
        flags = None
        if begun is not None:  # a row may begin anew at its padding
            texts = begun.gather(1, order)
            flags = texts > torch.cat([torch.zeros_like(texts[:, :1]), texts[:, :-1]], 1)
            last = texts.gather(1, (lengths - 1).clamp(min=0).unsqueeze(1)).squeeze(1) * some
        written = memory
        if some.any():
            packed = tokens.pack(rows)
            starts = None if flags is None else flags[some][:, : len(packed.batch_sizes)]
            after = self.core(packed, memory[some], resets=starts)[1]
            written = memory.masked_scatter(some[:, None, None], after)
        if begun is not None:  # those that begin anew behind their last token
            ended = begun[:, -1] > last
            written = torch.where(ended[:, None, None], self.initial_state(len(rows)), written)
        return written
