"""The loop over the steps, each way, with the buffers that it uses: made once, it can run many times."""

from __future__ import annotations

import torch
from torch import Tensor

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.kernels.triton.buffers import (
    Buffers,
    input_buffers,
    new_gradient_buffers,
    new_scratch,
    new_step_buffers,
)
from relational_rnn.kernels.triton.steps import (
    BackwardTensors,
    ForwardTensors,
    Step,
    backward_step,
    forward_step,
    steps,
)

INPUT_PROJECTION = ("rows", "unnormed", "first", "gates")
"""Names of what `input_buffers` returns."""


class ForwardRun:
    """The steps of a sequence, forward.

    Args:
        config: the core.
        batch_sizes: samples of each step.
        given: its layers, the input projection of all steps, "initial" and, maybe, "restarts".
        like: what tells dtype and device.
        compute_dtype: of the products, None for `like`'s.
        keep: whether every step has buffers of its own, for a backward.
    """

    def __init__(
        self,
        config: RelationalMemoryConfig,
        batch_sizes: list[int],
        given: Buffers,
        like: Tensor,
        compute_dtype: torch.dtype | None,
        keep: bool,
    ) -> None:
        self.config, self.given, self.batch = config, given, batch_sizes[0]
        self.compute_dtype = compute_dtype
        self.steps = steps(batch_sizes, keep)
        state, samples = (config.mem_slots, config.memory_width), sum(batch_sizes)
        self.buffers = new_step_buffers(config, like, samples if keep else self.batch, compute_dtype)
        self.scratch = {"product": like.new_empty(self.batch, *state)}
        self.memories = like.new_empty(samples, *state)

    def start(self, memory: Tensor) -> None:
        """Put the memory (B, N, D) before the first step in its place."""
        restarts = self.given.get("restarts")
        if restarts is not None:
            memory = torch.where(restarts[: self.batch, None, None] != 0, self.given["initial"], memory)
        put_before(self.buffers, memory)

    def loop(self) -> None:
        """Run all steps."""
        tensors = ForwardTensors(self.given, self.buffers, self.scratch, self.memories)
        for step in self.steps:
            forward_step(self.config, tensors, step)

    def last(self) -> Tensor:
        """Return each row's last memory (B, N, D)."""
        last = self.memories.new_empty(self.batch, *self.memories.shape[1:])
        for begin, _, size, _, next_size in self.steps:
            last[next_size:size] = self.memories[begin + next_size : begin + size]
        return last

    def befores(self, memory: Tensor) -> Tensor:
        """Return the memories before all steps (S, N, D), the first of which is given (B, N, D)."""
        found = torch.empty_like(self.memories)
        found[: self.batch] = memory
        for begin, _, size, _, next_size in self.steps:
            found[begin + size : begin + size + next_size] = self.memories[begin : begin + next_size]
        restarts = self.given.get("restarts")
        if restarts is None:
            return found
        return torch.where(restarts[:, None, None] != 0, self.given["initial"], found)


def run_again(
    config: RelationalMemoryConfig,
    given: Buffers,
    inputs: Tensor,
    before: Tensor,
    compute_dtype: torch.dtype | None,
) -> Buffers:
    """Run some steps again, all at once, for what a forward with `recompute` did not keep."""
    samples = len(before)
    work = input_buffers(config, given, inputs)
    buffers = new_step_buffers(config, before, samples, compute_dtype)
    put_before(buffers, before)
    unused = torch.empty_like(before)
    once = Step(begin=0, place=0, size=samples, next_place=0, next_size=0)
    layers = {name: x for name, x in given.items() if name != "restarts"}
    scratch = {"product": torch.empty_like(before)}
    forward_step(config, ForwardTensors(layers | work, buffers, scratch, unused), once)
    return buffers | work


def put_before(buffers: Buffers, memory: Tensor) -> None:
    """Fill what the first step has to find there."""
    size = len(memory)
    buffers["before"][:size] = memory
    if buffers["operand"] is not buffers["before"]:
        buffers["operand"][:size] = memory
    buffers["squashed"][:size] = torch.tanh(memory)


class BackwardRun:
    """Some steps, backward.

    Args:
        config: the core.
        given: its layers, "initial" and, maybe, the "restarts" of the whole sequence.
        buffers: what the forward left of these steps, with their input projection.
        carry: what goes from step to step, see `buffers.new_carry`.
        d_memories: gradient of the loss with respect to all memories (S, N, D), None for 0.
        steps: which; their places are those in `buffers`.
        compute_dtype: of the products, None for the parameters'.
    """

    def __init__(
        self,
        config: RelationalMemoryConfig,
        given: Buffers,
        buffers: Buffers,
        carry: Buffers,
        d_memories: Tensor | None,
        steps: list[Step],
        compute_dtype: torch.dtype | None,
    ) -> None:
        self.config, self.buffers, self.carry, self.d_memories = config, buffers, carry, d_memories
        self.given = given | {name: buffers[name] for name in INPUT_PROJECTION if name in buffers}
        self.steps = steps
        like = buffers["before"]
        self.gradients = new_gradient_buffers(config, like, sum(step.size for step in steps), compute_dtype)
        self.scratch = new_scratch(config, like, steps[0].size)

    def loop(self) -> None:
        """Run the steps, the last first."""
        tensors = BackwardTensors(
            self.given, self.buffers, self.gradients, self.carry, self.scratch, self.d_memories
        )
        for step in reversed(self.steps):
            backward_step(self.config, tensors, step)
