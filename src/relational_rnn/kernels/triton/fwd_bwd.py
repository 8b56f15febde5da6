"""A whole sequence, forward and backward: input projection before the steps, weights' gradients after them.

The kernels add up the gradients of norms and biases by sample; those of weights are products over all steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from relational_rnn.config import check_parameters
from relational_rnn.kernels.backend import DEFAULTS, Gradients, KernelOptions, SequenceInputs
from relational_rnn.kernels.triton.buffers import Buffers, input_buffers, layers, new_carry
from relational_rnn.kernels.triton.graphs import Graphs
from relational_rnn.kernels.triton.recurrence import INPUT_PROJECTION, BackwardRun, ForwardRun, run_again
from relational_rnn.kernels.triton.steps import chunks, steps
from relational_rnn.kernels.triton.sums import Sums

CHUNK_SAMPLES = 1 << 14
"""At least so many samples are run again together with `recompute`, where there are so many."""

MOST_STEPS = 512
"""Longer sequences are not recorded: the recording would be large, and slow to make."""


class TritonSequence:
    """Forward and backward, see `SequenceKernel`.

    Args:
        options: with `recompute` nothing is recorded.
        graphs: where the loops over the steps are recorded, or None: they run step by step.
    """

    def __init__(self, options: KernelOptions = DEFAULTS, graphs: Graphs | None = None) -> None:
        self.recompute, self.compute_dtype = options
        self.graphs = None if self.recompute else graphs

    def forward(self, given: SequenceInputs, keep: bool) -> tuple[Tensor, Tensor, Buffers]:
        """Run the sequence."""
        config, parameters, inputs, batch_sizes, memory, initial, resets = given
        check_parameters(config, parameters)
        with _current(inputs.device):
            tensors = layers(parameters, self.compute_dtype)
            tensors |= input_buffers(config, tensors, inputs) | {"initial": initial.contiguous()}
            if resets is not None:
                tensors["restarts"] = resets.to(torch.uint8)
            everything = keep and not self.recompute

            def make_run(tensors: Buffers) -> ForwardRun:
                return ForwardRun(config, batch_sizes, tensors, memory, self.compute_dtype, everything)

            graphs = self.graphs
            if graphs is not None and len(batch_sizes) <= MOST_STEPS and not _capturing():
                key = (config, tuple(batch_sizes), resets is not None, keep, *_surroundings(memory))
                with graphs.lock:
                    recorded = graphs.find(key, lambda: make_run(_clones(tensors)), keep)
                    if recorded is not None:
                        memories, last = recorded.forward(tensors, memory)
                        return memories, last, {"ticket": recorded.ticket} if keep else {}
            run = make_run(tensors)
            run.start(memory)
            run.loop()
            if everything:
                saved = run.buffers | {name: tensors[name] for name in INPUT_PROJECTION if name in tensors}
            else:
                saved = {"before": run.befores(memory)} if keep else {}
            return run.memories, run.last(), saved

    def backward(
        self,
        given: SequenceInputs,
        saved: Mapping[str, Tensor],
        d_memories: Tensor | None,
        d_last: Tensor | None,
        needed: frozenset[str],
    ) -> Gradients:
        """Back-propagate."""
        config, parameters, inputs, batch_sizes, _, _, resets = given
        sums = Sums(config, inputs, needed, self.compute_dtype)
        with _current(inputs.device):
            if "ticket" in saved:
                assert self.graphs is not None
                with self.graphs.lock:
                    recorded = None if _capturing() else self.graphs.holder(saved["ticket"])
                    if recorded is None:
                        # Another call has used the buffers since: once more, forward.
                        _, _, saved = self.forward(given, keep=True)
                        recorded = self.graphs.holder(saved["ticket"]) if "ticket" in saved else None
                    if recorded is not None:
                        run = recorded.backward(d_memories, d_last)
                        sums.add(run, slice(None))
                        return sums.gradients(run, resets)
            tensors = layers(parameters, self.compute_dtype)
            if resets is not None:
                tensors["restarts"] = resets.to(torch.uint8)
            like = saved["before"]
            carry = new_carry(config, like, batch_sizes[0])
            if d_last is not None:
                carry["d_direct"].copy_(d_last)
            if d_memories is not None:
                d_memories = d_memories.contiguous()
            everything = steps(batch_sizes)
            for chunk in chunks(everything, CHUNK_SAMPLES) if self.recompute else [everything]:
                span = slice(chunk[0].begin, chunk[-1].begin + chunk[-1].size)
                buffers = dict(saved)
                if self.recompute:
                    buffers = run_again(config, tensors, inputs[span], like[span], self.compute_dtype)
                run = BackwardRun(config, tensors, buffers, carry, d_memories, chunk, self.compute_dtype)
                run.loop()
                sums.add(run, span)
            return sums.gradients(run, resets)


def _clones(tensors: Buffers) -> Buffers:
    return {name: x.clone() for name, x in tensors.items()}


def _capturing() -> bool:
    """Say whether a graph is being recorded here by someone else."""
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()


def _current(device: torch.device) -> AbstractContextManager[object]:
    """Make a device the one that kernels are launched on."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _surroundings(x: Tensor) -> tuple[object, ...]:
    """Return what else tells one recording from another; the user's precision of products is part of it."""
    stream = torch.cuda.current_stream().cuda_stream if x.is_cuda else 0
    settings = torch.backends, torch.backends.cuda.matmul
    precision = tuple(getattr(setting, "fp32_precision", None) for setting in settings)
    if None in precision:  # an older torch; a newer one may refuse to say it in this way
        precision = (torch.get_float32_matmul_precision(),)
    return x.dtype, x.device, stream, torch.is_inference_mode_enabled(), precision
