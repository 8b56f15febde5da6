"""Sequences as they come (time first, batch first, one sequence, packed) and as the cores run them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from relational_rnn.config import RelationalMemoryConfig
from relational_rnn.config.checks import check_shape
from relational_rnn.kernels import autocasts

Sequence = Tensor | PackedSequence
Resets = Sequence | npt.ArrayLike


def check_tensor(name: str, x: object, like: Tensor) -> Tensor:
    """Return `x`, or say why it is no dense floating-point tensor of `like`'s device and dtype.

    Under autocast the dtype may be another.

    Raises:
        TypeError: naming what came and what is allowed.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(x).__name__}")
    # A tensor around other tensors, sharded perhaps, does not mix with plain ones.
    if hasattr(type(x), "__tensor_flatten__") and type(x) is not type(like):
        raise TypeError(
            f"{name} must be a {type(like).__name__} like the parameters, got a {type(x).__name__}"
        )
    if x.layout is not torch.strided or x.is_nested:
        raise TypeError(f"{name} must be a dense tensor, got {'a nested one' if x.is_nested else x.layout}")
    if not x.is_floating_point():
        raise TypeError(f"{name} must be floating point ({like.dtype}), got {x.dtype}")
    if x.device != like.device:
        raise TypeError(f"{name} must be on the parameters' device {like.device}, got {x.device}")
    if x.dtype != like.dtype and not autocasts(like.device.type):
        raise TypeError(f"{name} must have the parameters' dtype {like.dtype}, got {x.dtype}")
    return x


def check_state(
    name: str, state: object, batch: int | None, config: RelationalMemoryConfig, like: Tensor
) -> None:
    """Say so when a memory has the wrong type or is not (B, N, D), with B = `batch` unless that is None.

    Raises:
        TypeError, ValueError: naming what came and what is allowed.
    """
    memory = check_tensor(name, state, like)
    sizes = {} if batch is None else {"B": batch}
    sizes |= {"N": config.mem_slots, "D": config.memory_width}
    check_shape(name, memory.shape, ("B", "N", "D"), **sizes)


def refuse_sparse_gradients(layer: nn.Module, *results: Sequence) -> None:
    """Have backward name the layer if a sparse gradient of its results arrives.

    Most operations inside take none, and torch's error names one of them. Without recorded gradients, nothing
    is done; a compiler's backward has its own check.
    """
    if torch.compiler.is_compiling():
        return
    for result in results:
        node = (result.data if isinstance(result, PackedSequence) else result).grad_fn
        if node is not None:
            node.register_prehook(partial(_check_dense, type(layer).__name__))


def _check_dense(layer: str, gradients: tuple[Tensor | None, ...]) -> None:
    for gradient in gradients:
        if gradient is not None and gradient.layout is not torch.strided:
            raise TypeError(
                f"a gradient of {layer}'s results must be a dense tensor, got {gradient.layout}; "
                "gradient.to_dense() is one"
            )


def check_parts(
    state: object, parts: Mapping[str, tuple[str, ...]], sizes: Mapping[str, int], like: Tensor
) -> tuple[Tensor, ...]:
    """Return a state, or say why it is no tuple of tensors with these axes.

    Args:
        state: what came.
        parts: name -> axes of each part.
        sizes: of every axis.
        like: a parameter: its dtype and device are what the parts must have.

    Raises:
        TypeError, ValueError: naming what came and what is allowed.
    """
    if not isinstance(state, tuple) or len(state) != len(parts):
        got = f"{len(state)} parts" if isinstance(state, tuple) else type(state).__name__
        raise TypeError(f"state must be a tuple ({', '.join(parts)}), got {got}")
    for (name, axes), part in zip(parts.items(), state, strict=True):
        check_tensor(f"state's {name}", part, like)
        check_shape(f"state's {name}", part.shape, axes, **{axis: sizes[axis] for axis in axes})
    return state


@dataclass(frozen=True)
class OpenSequence:
    """A sequence stored step after step, and how to give results back in the layout it came in."""

    data: Tensor
    """(S, ...): the rows of step 0, then of step 1, ..."""
    steps: int
    """T."""
    batch: int
    """B, rows at the first step."""
    layout: str
    """"time" (T, B), "batch" (B, T), "one" (T,) or "packed"."""
    packed: PackedSequence | None = None
    """The input itself if it came packed."""
    batch_first: bool = False
    """Whether what belongs to a packed input but is padded has the batch before the time."""

    @property
    def batch_sizes(self) -> list[int]:
        """Rows at each step; they sum to S."""
        return [self.batch] * self.steps if self.packed is None else self.packed.batch_sizes.tolist()

    def check_rows(self, state: object, axes: int, cell: str) -> None:
        """Say which class makes one step of a batch, where a state came that has a row for each step.

        (B, F) and (T, F) look alike; the state, of which a part with so many axes is given, tells that the
        former was meant.

        Raises:
            ValueError: naming the class.
        """
        if self.layout == "one" and isinstance(state, Tensor) and state.ndim == axes:
            rows = len(state)
            if rows == self.steps != 1:
                raise ValueError(
                    f"an input without a batch axis is one sequence, here of {rows} steps, so the state must "
                    f"have B = 1, got B = {rows}; for one step of {rows} samples there is {cell}"
                )

    def sort(self, rows: Tensor, axis: int = 0) -> Tensor:
        """Put rows of the caller's order, which lie along `axis`, into running order (longest first)."""
        order = None if self.packed is None else self.packed.sorted_indices
        return rows if order is None else rows.index_select(axis, order)

    def unsort(self, rows: Tensor, axis: int = 0) -> Tensor:
        """Put rows of running order, which lie along `axis`, back into the caller's order."""
        order = None if self.packed is None else self.packed.unsorted_indices
        return rows if order is None else rows.index_select(axis, order)

    def pad(self, data: Tensor) -> Tensor:
        """Return (S, ...) as (B, T, ...) in running order, with zeros after a row's end."""
        if self.packed is None:
            steps: Tensor = data.unflatten(0, (self.steps, self.batch))
            return steps.transpose(0, 1)
        return pad_packed_sequence(PackedSequence(data, self.packed.batch_sizes), batch_first=True)[0]

    def unpad(self, rows: Tensor) -> Tensor:
        """Return (B, T, ...) in running order as (S, ...)."""
        steps = rows.transpose(0, 1)
        if self.packed is None:
            return steps.flatten(0, 1)
        return torch.cat([row[:running] for row, running in zip(steps, self.batch_sizes, strict=True)])

    def close(self, data: Tensor) -> Sequence:
        """Give (S, ...) back in the layout of the input."""
        if self.packed is not None:
            packed = self.packed
            return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
        steps: Tensor = data.unflatten(0, (self.steps, self.batch))  # (T, B, ...)
        if self.layout == "one":
            return steps.squeeze(1)
        return steps.transpose(0, 1) if self.layout == "batch" else steps

    def match(self, resets: Resets) -> Tensor:
        """Return `resets`, given with the input's leading axes, as (S,).

        For a packed input they are packed likewise, or padded: (T, B), or (B, T) with `batch_first`, in the
        caller's order, T the longest.

        Raises:
            TypeError: not bool, on another device, or packed where the input is not.
            ValueError: other leading axes than the input's, or packed with other lengths or in another order.
        """
        steps, batch, layout = self.steps, self.batch, self.layout
        if isinstance(resets, PackedSequence):
            if self.packed is None:
                raise TypeError("resets must be a tensor like the input, got a PackedSequence")
            lengths, order = resets.batch_sizes.tolist(), _order(resets)
            if lengths != self.batch_sizes or order != _order(self.packed):
                raise ValueError("resets must be packed with the input's lengths and order")
            resets = resets.data
        elif self.packed is not None:
            layout = "batch" if self.batch_first else "time"
        if isinstance(resets, Tensor) and resets.device != self.data.device:
            raise TypeError(f"resets must be on the input's device {self.data.device}, got {resets.device}")
        if isinstance(resets, Tensor) and (resets.layout is not torch.strided or resets.is_nested):
            raise TypeError(f"resets must be a dense tensor, got {resets.layout}")
        if isinstance(resets, Tensor) and type(self.data) is Tensor and _holds_no_data(resets):
            raise TypeError(f"resets must be a tensor with data, got a {type(resets).__name__}")
        flags: Tensor = torch.as_tensor(resets, device=self.data.device)
        if flags.dtype != torch.bool:
            raise TypeError(f"resets must be bool, got {flags.dtype}")
        axes, shape = {
            "time": (("T", "B"), (steps, batch)),
            "batch": (("B", "T"), (batch, steps)),
            "one": (("T",), (steps,)),
            "packed": (("B",), (self.data.shape[0],)),
        }[layout]
        check_shape("resets", flags.shape, axes, **dict(zip(axes, shape, strict=True)))
        if layout == "batch":
            flags = flags.T  # (T, B)
        if layout == self.layout:
            return flags.reshape(-1)
        return self.unpad(self.sort(flags.T))


def _holds_no_data(x: Tensor) -> bool:
    """Say whether a tensor's class answers for its operations itself, as fake and sharded ones do."""
    return type(x).__torch_dispatch__ is not Tensor.__torch_dispatch__


def _order(packed: PackedSequence) -> list[int]:
    """Return where the sequences stood before packing; torch leaves it out where they were sorted."""
    if packed.sorted_indices is None:
        return list(range(int(packed.batch_sizes[0])))
    return packed.sorted_indices.tolist()


def open_sequence(
    x: Sequence, batch_first: bool, axes: tuple[str, ...], sizes: dict[str, int], like: Tensor
) -> OpenSequence:
    """Check a sequence and store it step after step.

    Args:
        x: (T, B, ...), (B, T, ...) with `batch_first`, (T, ...), or a PackedSequence of such rows.
        batch_first: which of the first two axes is the batch (for a packed one: of what else comes padded).
        axes: the letters of one row's axes.
        sizes: their sizes.
        like: a parameter: its dtype and device are what `x` must have.

    Raises:
        TypeError: not a floating-point tensor of the parameters' dtype and device.
        ValueError: wrong shape, an empty batch or sequence.
    """
    if isinstance(x, PackedSequence):
        check_tensor("input", x.data, like)
        check_shape("input.data", x.data.shape, ("B", *axes), **sizes)
        running = check_packed(x)
        return OpenSequence(x.data, len(running), running[0], "packed", x, batch_first)
    check_tensor("input", x, like)
    if x.ndim == len(axes) + 1:
        check_shape("input", x.shape, ("T", *axes), **sizes)
        return OpenSequence(x, x.shape[0], 1, "one")
    leading = ("B", "T") if batch_first else ("T", "B")
    check_shape("input", x.shape, (*leading, *axes), **sizes)
    if batch_first:
        x = x.transpose(0, 1)
    return OpenSequence(x.flatten(0, 1), x.shape[0], x.shape[1], "batch" if batch_first else "time")


def check_packed(packed: PackedSequence) -> list[int]:
    """Return the rows at each step of a packed sequence that holds together.

    torch makes one from any parts without a look at them.

    Raises:
        TypeError: batch sizes of another dtype than torch's.
        ValueError: its batch sizes do not sum to its rows, rise or hold a 0; an order that is none.
    """
    sizes = packed.batch_sizes
    if not isinstance(sizes, Tensor) or sizes.dtype != torch.int64 or sizes.ndim != 1:
        got = f"{sizes.dtype} with {sizes.ndim} axes" if isinstance(sizes, Tensor) else type(sizes).__name__
        raise TypeError(f"a packed input's batch_sizes must be torch.int64 with one axis, got {got}")
    running: list[int] = packed.batch_sizes.tolist()
    rows = len(packed.data)
    falling = all(earlier >= later for earlier, later in pairwise(running))
    if not running or sum(running) != rows or running[-1] < 1 or not falling:
        shown = f"{running[:8]}{'...' if len(running) > 8 else ''}"
        raise ValueError(
            f"a packed input's batch_sizes must sum to its {rows} rows and fall to 1 or more, got {shown}; "
            "is a length larger than the sequence is long?"
        )
    for name, order in (("sorted", packed.sorted_indices), ("unsorted", packed.unsorted_indices)):
        if order is not None and not (isinstance(order, Tensor) and order.device == packed.data.device):
            raise TypeError(f"a packed input's {name}_indices must be a tensor on {packed.data.device}")
        if order is not None and order.shape != (running[0],):
            raise ValueError(
                f"a packed input's {name}_indices must have shape (B,) = ({running[0]},), "
                f"got {tuple(order.shape)}"
            )
    there, back = packed.sorted_indices, packed.unsorted_indices
    if (there is None) != (back is None):
        raise ValueError("a packed input must have both sorted_indices and unsorted_indices, or neither")
    if there is not None and back is not None and there.device.type == "cpu":  # on a GPU a look would wait
        rows_in_order, way_back = there.sort()
        if rows_in_order.tolist() != list(range(running[0])) or not torch.equal(way_back, back):
            raise ValueError(
                "a packed input's sorted_indices must name every row once, and unsorted_indices undo them"
            )
    return running
