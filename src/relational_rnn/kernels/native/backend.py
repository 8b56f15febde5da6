"""What the native library can run, and its kernel on the instruction set that suits."""

from __future__ import annotations

from functools import cache, lru_cache

import torch

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.kernels.backend import DEFAULTS, Backend, KernelOptions
from relational_rnn.kernels.native.fwd_bwd import NativeSequence
from relational_rnn.kernels.native.library import MAX_LAYERS, Library, load


def unsupported(
    config: RelationalMemoryConfig,
    dtype: torch.dtype,
    device: torch.device,
    options: KernelOptions = DEFAULTS,
) -> str | None:
    """Say why the library cannot run a core, or None if it can.

    Example:
        >>> config = RelationalMemoryConfig(input_size=3, mem_slots=2, head_size=4, num_blocks=2)
        >>> unsupported(config, torch.float64, torch.device("cpu"))
        'native code is for float32, got torch.float64'
        >>> unsupported(config, torch.float32, torch.device("cpu"))
        'native code has one block, got num_blocks=2'
    """
    if dtype != torch.float32:
        return f"native code is for float32, got {dtype}"
    if device.type != "cpu":
        return f"native code is for the CPU, got {device}"
    reason = _unsupported_core(config)
    if reason is not None:
        return reason
    library = load()
    if isinstance(library, str):
        return library
    if _variant(library, options.compute_dtype) is None:
        return f"it has no products in {options.compute_dtype}"
    return None


@lru_cache(maxsize=64)
def _unsupported_core(config: RelationalMemoryConfig) -> str | None:
    if config.num_blocks > 1:
        return f"native code has one block, got num_blocks={config.num_blocks}"
    if config.input_fusion != "append":
        return f"native code appends the input, got input_fusion={config.input_fusion!r}"
    for name in ("use_attention", "use_mlp", "use_residual", "use_layer_norm"):
        if not getattr(config, name):
            return f"native code has no {name}=False"
    if config.attention_mlp_layers > MAX_LAYERS:
        return f"native code has at most {MAX_LAYERS} MLP layers, got {config.attention_mlp_layers}"
    return None


def _variant(library: Library, compute_dtype: torch.dtype | None) -> int | None:
    """Return the number of the fastest variant that multiplies in a dtype, or None."""
    if compute_dtype == torch.bfloat16:
        return library.bfloat16
    return 0 if compute_dtype in (None, torch.float32) else None


@cache
def kernel(options: KernelOptions, device: torch.device) -> NativeSequence:
    """Return the kernel on the fastest instruction set that multiplies in the dtype asked for.

    Raises:
        RuntimeError: there is no library, or no such instruction set; the message says which.
    """
    library = load()
    if isinstance(library, str):
        raise RuntimeError(library)
    variant = _variant(library, options.compute_dtype)
    if variant is None:
        raise RuntimeError(f"there are no products in {options.compute_dtype} here")
    return NativeSequence(library, variant, recompute=options.recompute)


BACKEND = Backend(name="native", unsupported=unsupported, kernel=kernel, runs_steps=True)
