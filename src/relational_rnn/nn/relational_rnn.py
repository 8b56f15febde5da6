"""The hybrid relational RNN as torch modules: an LSTM with a relational memory, one step and a sequence."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, overload

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from relational_rnn.config import Trace
from relational_rnn.config.checks import check_bool, check_choice, check_shape, check_size, tells_names
from relational_rnn.config.core import SLOT_UPDATES
from relational_rnn.kernels import dot_product_attention, eager, plain_attention, transformed
from relational_rnn.nn.factory import make_factory_kwargs
from relational_rnn.nn.initialise import initialise_gates_
from relational_rnn.nn.inputs import (
    Resets,
    Sequence,
    check_parts,
    check_tensor,
    open_sequence,
    refuse_sparse_gradients,
)
from relational_rnn.nn.sublayers import hooks_everywhere, lacks_lstm, lstm_step, why_called
from relational_rnn.nn.unroll import run_between_resets, unroll

HybridState = tuple[Tensor, Tensor, Tensor]
"""h and c, each (B, hidden), and the memory (B, N, S)."""


class _Hybrid(nn.Module):
    """Parameters, initial values and the equations: what the cell and the sequence share."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int | None,
        num_slots: int,
        slot_size: int,
        num_heads: int,
        slot_update: str,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.input_size = check_size("input_size", input_size)
        self.hidden_size = hidden = check_size("hidden_size", hidden_size)
        self.output_size = hidden if output_size is None else check_size("output_size", output_size)
        self.num_slots = check_size("num_slots", num_slots)
        self.slot_size = size = check_size("slot_size", slot_size)
        self.num_heads = check_size("num_heads", num_heads)
        if size % self.num_heads:
            raise ValueError(
                f"num_heads must divide slot_size, got num_heads={num_heads} and slot_size={slot_size}"
            )
        self.slot_update = check_choice("slot_update", slot_update, SLOT_UPDATES)
        factory_kwargs = make_factory_kwargs(device, dtype)
        linear = partial(skip_init, nn.Linear, **factory_kwargs)
        self.lstm = skip_init(nn.LSTMCell, self.input_size, hidden, **factory_kwargs)
        if hidden != size:
            self.memory_input = linear(hidden, size)
        self.update = linear(size, size)
        self.gate_memory = linear(size, size, bias=False)  # the gate's one bias is gate_input's
        self.gate_input = linear(size, size)
        self.W_q = linear(size, size)
        self.W_k = linear(size, size)
        self.W_v = linear(size, size)
        self.W_o = linear(size, size)
        self.readout = linear(size, hidden)
        self.combine = linear(2 * hidden, hidden)
        if output_size is not None:
            self.output = linear(hidden, output_size)
        self.initial_memory = nn.Parameter(torch.empty(self.num_slots, size, **factory_kwargs))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all initial values anew: see docs/hybrid.md."""
        initialise_gates_(self.lstm.parameters(), generator)
        for layer in self.children():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.ones_(self.gate_input.bias)  # the forget gate starts open
        nn.init.normal_(self.initial_memory, std=self.slot_size**-0.5, generator=generator)

    def initial_state(self, batch_size: int) -> HybridState:
        """Return the state before the first step: h and c of zeros, and `initial_memory` for every row.

        The memory carries gradients.

        Raises:
            TypeError: `batch_size` is no integer.
            ValueError: it is below 1.
        """
        zeros = self.initial_memory.new_zeros(check_size("batch_size", batch_size), self.hidden_size)
        return zeros, zeros.clone(), self.initial_memory.repeat(batch_size, 1, 1)

    def extra_repr(self) -> str:
        """Show the number of heads and the update when printed; the layers say all other sizes."""
        return f"num_heads={self.num_heads}, slot_update={self.slot_update!r}"

    def _check_state(self, state: object, batch: int) -> HybridState:
        parts = {"h": ("B", "hidden"), "c": ("B", "hidden"), "memory": ("B", "N", "S")}
        sizes = {"B": batch, "hidden": self.hidden_size, "N": self.num_slots, "S": self.slot_size}
        given = tuple(state) if isinstance(state, list) else state  # `outputs, *state = ...` makes a list
        h, c, memory = check_parts(given, parts, sizes, self.initial_memory)
        return h, c, memory

    def _enter(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Make of h (rows, hidden) the slots' update and their gate's input, (rows, 1, S) each."""
        u = h if self.hidden_size == self.slot_size else self.memory_input(h)
        return self.update(u).unsqueeze(1), self.gate_input(u).unsqueeze(1)

    def _joined(self) -> tuple[Tensor, Tensor] | None:
        """Return W_q, W_k and W_v as one layer, so that a step needs one product for all three.

        None where they have to be called one by one.
        """
        layers = (self.W_q, self.W_k, self.W_v)
        if hooks_everywhere() or any(why_called(layer) or layer.bias is None for layer in layers):
            return None
        return torch.cat([layer.weight for layer in layers]), torch.cat([layer.bias for layer in layers])

    def _relate(
        self,
        update: Tensor,
        gate_input: Tensor,
        memory: Tensor,
        joined: tuple[Tensor, Tensor] | None,
        trace: bool,
    ) -> tuple[Tensor, Trace | None]:
        """Write into the slots, let them attend to each other, and blend with what they held: (B, N, S).

        The trace, if asked for, is a `config.Trace` without its T axis.
        """
        shared = self.slot_update == "shared"
        written = memory + update if shared else memory
        rows = written if shared else torch.cat([memory, update.to(memory.dtype)], 1)  # autocast again
        if joined is None:
            projected = torch.cat([self.W_q(rows), self.W_k(rows), self.W_v(rows)], -1)
        else:
            projected = F.linear(rows, *joined)
        batch, count, size = rows.shape
        heads = projected.view(batch, count, 3, self.num_heads, size // self.num_heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4).unbind()  # (B, H, M, S/H) each
        if not shared:  # one product for all three costs less than leaving a row out
            q = q[:, :, : self.num_slots]
        attended, weights = plain_attention(q, k, v) if trace else (dot_product_attention(q, k, v), None)
        candidate = torch.tanh(written + self.W_o(attended.transpose(1, 2).flatten(2)))
        forget = torch.sigmoid(self.gate_memory(memory) + gate_input)
        after = torch.lerp(candidate, memory, forget.to(memory.dtype))  # autocast makes it smaller
        return after, None if weights is None else Trace(weights.unsqueeze(1), 1 - forget, forget)

    def _read(self, h: Tensor, memory: Tensor) -> Tensor:
        """Return the output: (..., hidden) and (..., N, S) -> (..., output_size)."""
        read = self.readout(memory.mean(-2))
        outputs = torch.tanh(self.combine(torch.cat([h, read], -1)))
        return self.output(outputs) if hasattr(self, "output") else outputs


class RelationalRNNCell(_Hybrid):
    """One step of an LSTM with a memory beside it: slots that take in h and attend to each other.

    Equations: docs/hybrid.md; they are the package's own, not the paper's (that is `RelationalMemoryCell`).

    Args:
        input_size: F, features of an input.
        hidden_size: features of h, c and the output.
        num_slots: N, memory slots.
        slot_size: S, features of a slot; where it equals `hidden_size`, there is no `memory_input`.
        num_heads: H, attention heads; must divide S.
        slot_update: how the hidden state enters the slots: "shared" (the same update for all) or "attend" (as
            a row that they attend to, so that each takes its own).
        device, dtype: as everywhere in torch.
        generator: where initial values are drawn from; None means torch's own.

    Raises:
        TypeError: a size is no integer, a dtype that is not floating point.
        ValueError: a size below 1, `num_heads` that does not divide `slot_size`, or an unknown `slot_update`.

    Example:
        >>> cell = RelationalRNNCell(input_size=5, hidden_size=6, num_slots=3, slot_size=8)
        >>> output, h, c, memory = cell(torch.zeros(7, 5))
        >>> output, h, c, memory = cell(torch.ones(7, 5), h, c, memory)
        >>> output.shape, h.shape, memory.shape
        (torch.Size([7, 6]), torch.Size([7, 6]), torch.Size([7, 3, 8]))
    """

    @tells_names
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_slots: int = 4,
        slot_size: int = 64,
        num_heads: int = 2,
        *,
        slot_update: str = "shared",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            input_size, hidden_size, None, num_slots, slot_size, num_heads, slot_update, device, dtype
        )
        self.reset_parameters(generator)

    def forward(
        self,
        input: Tensor,
        h: Tensor | None = None,
        c: Tensor | None = None,
        memory: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Advance the state by one step.

        Args:
            input: (B, F).
            h: (B, hidden) before the step; None means zeros.
            c: (B, hidden) before the step; None means zeros.
            memory: (B, N, S) before the step; None means the parameter `initial_memory`.

        Returns:
            The output (B, hidden), and h, c and memory after the step.

        Raises:
            TypeError: not a tensor, not floating point, or another dtype or device than the parameters'.
            ValueError: wrong shape, or an empty batch.
        """
        check_tensor("input", input, self.initial_memory)
        check_shape("input", input.shape, ("B", "F"), F=self.input_size)
        if isinstance(h, tuple | list):
            raise TypeError(
                f"the state comes part by part, cell(input, h, c, memory); got a {type(h).__name__} as h"
            )
        batch = len(input)
        given = zip((h, c, memory), self.initial_state(batch), strict=True)
        h, c, memory = self._check_state(tuple(own if x is None else x for x, own in given), batch)
        h, c = lstm_step(self.lstm, input, (h, c))
        memory, _ = self._relate(*self._enter(h), memory, self._joined(), False)
        output = self._read(h, memory)
        refuse_sparse_gradients(self, output, h, c, memory)
        return output, h, c, memory


class RelationalRNN(_Hybrid):
    """An LSTM over a sequence, its hidden states completed by slots that attend to each other.

    Equations: docs/hybrid.md; they are the package's own, not the paper's (that is `RelationalMemory`).

    Args:
        input_size: F, features of an input.
        hidden_size: features of h and c.
        output_size: O, features of an output; None for `hidden_size` and no output layer.
        num_slots: N, memory slots.
        slot_size: S, features of a slot; where it equals `hidden_size`, there is no `memory_input`.
        num_heads: H, attention heads; must divide S.
        slot_update: how the hidden state enters the slots: "shared" (the same update for all) or "attend" (as
            a row that they attend to, so that each takes its own).
        batch_first: inputs and outputs are (B, T, ...), as in NumPy; False for (T, B, ...), which all other
            cores, like `torch.nn.LSTM`, take unless told otherwise.
        device, dtype: as everywhere in torch.
        generator: where initial values are drawn from; None means torch's own.

    Raises:
        TypeError: a size is no integer, a dtype that is not floating point.
        ValueError: a size below 1, `num_heads` that does not divide `slot_size`, or an unknown `slot_update`.

    Example:
        >>> rnn = RelationalRNN(input_size=5, hidden_size=6, output_size=2, num_slots=3, slot_size=8)
        >>> outputs, h, c, memory = rnn(torch.zeros(7, 11, 5), return_state=True)
        >>> outputs.shape, h.shape, memory.shape
        (torch.Size([7, 11, 2]), torch.Size([7, 6]), torch.Size([7, 3, 8]))
        >>> outputs, h, c, memory = rnn(torch.ones(7, 4, 5), (h, c, memory), return_state=True)
    """

    @tells_names
    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int | None = None,
        num_slots: int = 4,
        slot_size: int = 64,
        num_heads: int = 2,
        *,
        slot_update: str = "shared",
        batch_first: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            input_size, hidden_size, output_size, num_slots, slot_size, num_heads, slot_update, device, dtype
        )
        self.batch_first = check_bool("batch_first", batch_first)
        self.reset_parameters(generator)

    @overload
    def forward(
        self,
        input: Sequence,
        state: HybridState | None = None,
        *,
        return_sequences: bool = True,
        return_state: None = None,
        resets: Resets | None = None,
        return_trace: Literal[False] = False,
    ) -> tuple[Sequence, HybridState]: ...

    @overload
    def forward(
        self,
        input: Sequence,
        state: HybridState | None = None,
        *,
        return_sequences: bool = True,
        return_state: Literal[True],
        resets: Resets | None = None,
        return_trace: Literal[False] = False,
    ) -> tuple[Sequence, Tensor, Tensor, Tensor]: ...

    @overload
    def forward(
        self,
        input: Sequence,
        state: HybridState | None = None,
        *,
        return_sequences: bool = True,
        return_state: Literal[False],
        resets: Resets | None = None,
        return_trace: Literal[False] = False,
    ) -> Sequence: ...

    @overload
    def forward(
        self,
        input: Sequence,
        state: HybridState | None = None,
        *,
        return_sequences: bool = True,
        return_state: bool | None = None,
        resets: Resets | None = None,
        return_trace: Literal[True],
    ) -> tuple[Any, ...]: ...

    def forward(
        self,
        input: Sequence,
        state: HybridState | None = None,
        *,
        return_sequences: bool = True,
        return_state: bool | None = None,
        resets: Resets | None = None,
        return_trace: bool = False,
    ) -> Sequence | tuple[Any, ...]:
        """Run over a sequence.

        Args:
            input: (B, T, F), (T, B, F) without `batch_first`, (T, F) for one sequence, or a PackedSequence.
            state: (h, c, memory) before the first step, h and c each (B, hidden), memory (B, N, S) (B = 1 for
                one sequence), as they were returned; None means `initial_state`.
            return_sequences: outputs of all steps; False for each row's last one alone.
            return_state: True for four values, outputs, h, c and memory, as in NumPy; False for the outputs
                alone; None for two, outputs and (h, c, memory), as every other torch core returns them.
            resets: bool, the input's leading axes: True restarts that row from `initial_state` before that
                step. For packed input a PackedSequence or a padded one, as for `RelationalMemory`.
            return_trace: also return attention and gates of every step, as the last value.

        Returns:
            The outputs in the input's layout with `output_size` features, or the last ones (B, O), (O,) for
            one sequence; the last h, c and memory of each row as `return_state` says; and the `config.Trace`
            if asked for: attention (B, T, 1, H, N, M), M = N or with "attend" N + 1, the hidden state last;
            gates (B, T, N, S), the input gate 1 less the other.

        Raises:
            TypeError: not a tensor, not floating point, or another dtype or device than the parameters'.
            ValueError: wrong shape, an empty batch or sequence.
        """
        check_bool("return_sequences", return_sequences)
        check_bool("return_trace", return_trace)
        if return_state is not None:
            check_bool("return_state", return_state)
        opened = open_sequence(input, self.batch_first, ("F",), {"F": self.input_size}, self.initial_memory)
        sizes = opened.batch_sizes
        if state is None:
            start = self.initial_state(sizes[0])
        else:
            first = state[0] if isinstance(state, tuple | list) and state else None
            opened.check_rows(first, 2, "RelationalRNNCell")
            start = self._check_state(state, sizes[0])
        h, c, memory = map(opened.sort, start)
        flags = None if resets is None else opened.match(resets)

        # The memory never enters the LSTM, so all its steps come first.
        if self._lstm_at_once((opened.data, h, c)):
            hiddens, (h, c) = run_between_resets(
                self._run_lstm, opened.data, sizes, (h[None], c[None]), flags
            )
            h, c = h[0], c[0]
        else:
            zeros = (h.new_zeros(1, self.hidden_size),) * 2
            hiddens, (h, c) = unroll(self._step_lstm, opened.data, sizes, (h, c), zeros, flags)
        joined, traces = self._joined(), []

        def relate(
            update: Tensor, gate_input: Tensor, state: tuple[Tensor, ...]
        ) -> tuple[Tensor, tuple[Tensor]]:
            memory, report = self._relate(update, gate_input, state[0], joined, return_trace)
            if report is not None:
                traces.append(report)
            return memory, (memory,)

        initial = (self.initial_memory[None],)
        memories, (memory,) = unroll(relate, self._enter(hiddens), sizes, (memory,), initial, flags)
        last = opened.unsort(h), opened.unsort(c), opened.unsort(memory)
        outputs: Sequence
        if return_sequences:
            outputs = opened.close(self._read(hiddens, memories))
        else:
            outputs = self._read(last[0], last[2])
            outputs = outputs[0] if opened.layout == "one" else outputs
        refuse_sparse_gradients(self, outputs, *last)
        results: tuple[Any, ...] = (outputs, last) if return_state is None else (outputs,)
        results += last if return_state else ()
        if return_trace:
            results += (Trace(*map(opened.unsort, eager.stack_traces(traces, sizes[0]))),)
        return results if len(results) > 1 else outputs

    def _lstm_at_once(self, tensors: tuple[Tensor, ...]) -> bool:
        """Say whether torch's own loop can run the LSTM; it calls no cell and has no rule for vmap."""
        called = hooks_everywhere() or why_called(self.lstm) is not None or not self.lstm.bias
        # A compiler cannot follow how torch's loop reads the batch sizes.
        return not called and not transformed(tensors) and not torch.compiler.is_compiling()

    def _step_lstm(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, c = lstm_step(self.lstm, x, (state[0], state[1]))
        return h, (h, c)

    def _run_lstm(
        self, data: Tensor, batch_sizes: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the LSTM's cell over many steps by torch's own loop over a packed sequence."""
        cell, kind = self.lstm, data.device.type
        if lacks_lstm(kind):
            data, state = (
                data.to(cell.weight_ih.dtype),
                tuple(part.to(cell.weight_ih.dtype) for part in state),
            )
            with torch.autocast(kind, enabled=False):
                return self._run_lstm(data, batch_sizes, state)
        weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
        # With biases, one layer, no dropout, for training (which cuDNN needs for a backward), one direction.
        hiddens, h, c = torch.lstm(data, batch_sizes, state, weights, True, 1, 0.0, True, False)
        return hiddens, (h, c)
