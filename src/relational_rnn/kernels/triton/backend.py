"""What the Triton kernels can run, where, and with which options."""

from __future__ import annotations

import importlib.util
from functools import cache, lru_cache

import torch

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.kernels.backend import DEFAULTS, Backend, KernelOptions, SequenceKernel
from relational_rnn.kernels.triton.sizes import largest_tile

MOST_ENTRIES = 1 << 15
"""Numbers in the largest tile of a program: more do not fit into the registers that its threads have."""


def unsupported(
    config: RelationalMemoryConfig,
    dtype: torch.dtype,
    device: torch.device,
    options: KernelOptions = DEFAULTS,
) -> str | None:
    """Say why the kernels cannot run a core, or None if they can.

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4, num_blocks=2)
        >>> unsupported(config, torch.float16, torch.device("cuda"))
        'the Triton kernels are for float32 and float64, got torch.float16'
        >>> unsupported(config, torch.float32, torch.device("cuda"))
        'the Triton kernels have one block, got num_blocks=2'
    """
    if dtype not in (torch.float32, torch.float64):
        return f"the Triton kernels are for float32 and float64, got {dtype}"
    if options.compute_dtype not in (None, dtype, torch.bfloat16, torch.float16):
        return f"it has no products in {options.compute_dtype} for {dtype}"
    reason = _unsupported_core(config)
    if reason is not None:
        return reason
    if device.type not in ("cuda", "cpu"):
        return f"the Triton kernels are for GPUs, got {device}"
    return _cannot_run(device.type)


@lru_cache(maxsize=64)
def _unsupported_core(config: RelationalMemoryConfig) -> str | None:
    if config.num_blocks > 1:
        return f"the Triton kernels have one block, got num_blocks={config.num_blocks}"
    if config.input_fusion != "append":
        return f"the Triton kernels append the input, got input_fusion={config.input_fusion!r}"
    for name in ("use_attention", "use_mlp", "use_residual", "use_layer_norm"):
        if not getattr(config, name):
            return f"the Triton kernels have no {name}=False"
    entries = largest_tile(config)
    if entries > MOST_ENTRIES:
        return f"the Triton kernels hold at most {MOST_ENTRIES} numbers of a sample at once, got {entries}"
    return None


@cache
def _cannot_run(device_type: str) -> str | None:
    """Try the simplest kernel; for CPU tensors there is only Triton's interpreter."""
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed"
    try:
        import triton

        from relational_rnn.kernels.triton.mlp_gate_kernel import activate

        if device_type == "cpu" and isinstance(activate, triton.JITFunction):
            return "the Triton kernels are for GPUs (on the CPU only interpreted: TRITON_INTERPRET=1)"
        x = torch.zeros(1, 1, 1, device=device_type)
        activate[(1,)](x, x, x, 0, N=1, D=1, N_PAD=1, D_PAD=1)
    except Exception as error:
        return f"Triton does not work here: {' '.join(str(error).split())[:200]}"
    return None


def _kernel(options: KernelOptions, device: torch.device) -> SequenceKernel:
    return _made(options, device.type == "cuda")


@cache
def _made(options: KernelOptions, graphs: bool) -> SequenceKernel:
    """Make the kernel; with `graphs` the loops over the steps are recorded as CUDA graphs."""
    from relational_rnn.kernels.triton.fwd_bwd import TritonSequence
    from relational_rnn.kernels.triton.graphs import Graphs

    return TritonSequence(options, Graphs() if graphs else None)


BACKEND = Backend(name="triton", unsupported=unsupported, kernel=_kernel, devices=("cuda",), named_only=True)
