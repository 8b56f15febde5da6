"""The sizes that kernels are compiled for; tiles are padded to powers of two."""

from __future__ import annotations

import functools
from typing import Any

from relational_rnn.config import RelationalMemoryConfig


def pad(size: int) -> int:
    """Return the smallest power of two that is not below `size`."""
    return 1 << (size - 1).bit_length()


@functools.lru_cache(maxsize=64)
def mix_sizes(config: RelationalMemoryConfig) -> dict[str, Any]:
    """Return what the kernels of `attention_kernel` are compiled for."""
    slots, rows, key, value = config.mem_slots, config.input_rows, config.key_width, config.head_size
    # Few rows are multiplied number by number: Triton's own product wants 16.
    dot = max(slots, rows) > 8
    least = 16 if dot else 1
    sizes = {"N": slots, "R": rows, "K": key, "V": value}
    padded = {f"{name}_PAD": max(least, pad(size)) for name, size in sizes.items()}
    padded |= {"P_PAD": pad(config.projection_width), "D_PAD": pad(config.memory_width)}
    slots, rows, features = padded["N_PAD"], padded["R_PAD"], max(padded["K_PAD"], padded["V_PAD"])
    # Much of the work is done head by head, little on all queries, keys and values.
    warps = number_of_warps(max(slots * padded["P_PAD"] // 2, 2 * rows * features, 2 * slots * rows))
    scale = config.key_width**-0.5
    return {**sizes, **padded, "H": config.num_heads, "SCALE": scale, "DOT": dot, "num_warps": warps}


@functools.lru_cache(maxsize=64)
def row_sizes(config: RelationalMemoryConfig) -> dict[str, Any]:
    """Return what the kernels of `mlp_gate_kernel` are compiled for."""
    slots, width = config.mem_slots, config.memory_width
    padded = {"N_PAD": pad(slots), "D_PAD": pad(width)}
    return {"N": slots, "D": width, **padded, "num_warps": number_of_warps(pad(slots) * pad(width))}


@functools.lru_cache(maxsize=64)
def gate_sizes(config: RelationalMemoryConfig) -> dict[str, Any]:
    """Return the same for those that see the gates."""
    return {**row_sizes(config), "G": config.gate_width, "G_PAD": pad(max(1, config.gate_width))}


def largest_tile(config: RelationalMemoryConfig) -> int:
    """Return how many numbers the largest tile of a program has.

    Example:
        >>> largest_tile(RelationalMemoryConfig(input_size=40, mem_slots=8, head_size=32, num_heads=8))
        8192
    """
    sizes = mix_sizes(config)
    slots, rows, features = sizes["N_PAD"], sizes["R_PAD"], max(sizes["K_PAD"], sizes["V_PAD"])
    tiles: list[int] = [slots * sizes["P_PAD"], rows * features, slots * rows]
    if not sizes["DOT"]:
        tiles.append(slots * max(slots, rows) * features)  # the products before they are added up
    return max(tiles)


def number_of_warps(entries: int) -> int:
    """Return how many warps share a tile: 16 numbers a thread where that is possible."""
    return min(16, max(1, entries // 512))
