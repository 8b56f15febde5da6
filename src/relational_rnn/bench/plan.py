"""What the training of a language model needs: bytes that are counted, and steps that are timed here."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from relational_rnn.bench.measure import measure
from relational_rnn.tasks.language import Stream, read
from relational_rnn.tasks.language.task import Language, Windows
from relational_rnn.training.config import RunConfig
from relational_rnn.training.contestants import contestants
from relational_rnn.training.data import alone
from relational_rnn.training.framework import framework_of
from relational_rnn.training.processes import physical_memory

ROUNDS: Final = 1_000
"""More than fit into the time."""

PATIENCE: Final = 4
"""A larger step is tried if so many of them fit into the time."""

QUICK: Final = 5.0
"""Seconds of a first step up to which there is a second."""

MOST_OF_MEMORY: Final = 0.7
"""Share of this machine's memory beyond which nothing is tried."""


class Point(NamedTuple):
    """What steps with so many streams took."""

    streams: int
    held: list[int]
    """Bytes of the tensors that forward and backward hold beside the weights, whenever there is one more."""
    seconds: float
    """Of a step."""


def straight(points: Sequence[tuple[int, float]], at: int) -> float:
    """Return what a straight line through the last two points has, or the last point where it is that.

    It never falls: where the larger size took less, that was chance.

    Example:
        >>> straight([(1, 10.0), (2, 12.0)], 5), straight([(4, 7.0)], 4)
        (18.0, 7.0)
    """
    last, value = points[-1]
    if at == last:
        return value
    before, lower = points[-2]
    return value + max(0.0, value - lower) / (last - before) * (at - last)


def most_held(points: Sequence[Point], streams: int) -> int:
    """Return the most bytes that forward and backward hold at once.

    A step makes the same tensors in the same order, whatever the streams, each with bytes along a line of its
    own. So the most is found even if another tensor is the one that counts then.

    Example:
        >>> most_held([Point(1, [50, 10], 0.0), Point(2, [50, 20], 0.0)], 8)
        80
    """
    counts = [point.held for point in points]
    if len({len(held) for held in counts}) > 1:
        counts = [[max(held)] for held in counts]
    numbers = [point.streams for point in points]
    return round(max(straight(list(zip(numbers, along)), streams) for along in zip(*counts)))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A model that was built and trained for some steps here; sizes are bytes.

    Example:
        >>> found = Measured(
        ...     parameters=10, weights=40, gradients=40, optimiser=80, copies=40, process=1000, most=1500,
        ...     points=[Point(2, [100, 140], 0.5), Point(4, [110, 240], 0.7)],
        ... )
        >>> found.work(4), found.work(10), found.peak(4), found.peak(10), round(found.seconds(10), 3)
        (200, 500, 1500, 1700, 1.3)
        >>> found.peak(10, shared=True)
        1740
    """

    parameters: int
    """Numbers that training changes."""
    weights: int
    """They, and the buffers beside them."""
    gradients: int
    """What processes tell each other at each step."""
    optimiser: int
    """The optimiser's state."""
    copies: int
    """Of the weights: their moving average, and the best so far, which a GPU does not hold."""
    process: int
    """What else the process has: Python, its libraries and what they work in, the vocabulary."""
    most: int
    """The most that the process used, in validation and in the copy for a checkpoint too."""
    points: list[Point]
    """The largest size that was tried; before it, if that is not all of the streams, the next smaller one."""

    def work(self, streams: int) -> int:
        """Return what forward and backward hold beside weights and gradients: activations above all."""
        return max(0, most_held(self.points, streams) - self.gradients)

    def peak(self, streams: int, shared: bool = False) -> int:
        """Return the most that a process uses.

        Args:
            streams: that it trains.
            shared: with other processes: then the gradients are copied to where they are summed.
        """
        kept = self.process + self.weights + self.gradients + self.optimiser + self.copies
        return max(kept + self.work(streams), self.most) + shared * self.gradients

    def seconds(self, streams: int) -> float:
        """Return how long a step takes, without what processes tell each other."""
        return straight([(point.streams, point.seconds) for point in self.points], streams)


def ring_bytes(gradients: int, processes: int) -> int:
    """Return the bytes that each process sends, and receives, in an all-reduce over a ring.

        2 (N - 1) / N * bytes: each part goes round once to be summed, and once more to be told

    Source: Patarasuk & Yuan 2009.

    Example:
        >>> ring_bytes(1_000, 1), ring_bytes(1_000, 4)
        (0, 1500)
    """
    return round(2 * (processes - 1) / processes * gradients)


class Expected(NamedTuple):
    """What N processes are expected to do; times in seconds."""

    step: float
    """Of one process, without the all-reduce."""
    all_reduce: float
    tokens_per_second: float
    """Of all processes together."""
    run: float
    """The run's steps, without validation and test."""
    epoch: float
    """As many steps as have the tokens of an epoch."""


def expect(
    found: Measured, config: RunConfig[Language], processes: int, epoch: int, bandwidth: float
) -> Expected:
    """Reckon how long a training takes: steps, and after each an all-reduce that nothing overlaps.

    Args:
        found: of the model.
        config: of its training.
        processes: N, which share the batch.
        epoch: its tokens.
        bandwidth: bytes a second that each process can send while it receives as many.

    Example:
        >>> from relational_rnn.training.config_parts import BudgetConfig
        >>> config = RunConfig(task=Language(window=10), budget=BudgetConfig(steps=100, batch_size=8))
        >>> found = Measured(
        ...     parameters=10, weights=40, gradients=40, optimiser=80, copies=40, process=0, most=0,
        ...     points=[Point(4, [0], 0.5)],
        ... )
        >>> expect(found, config, processes=2, epoch=800, bandwidth=80.0)
        Expected(step=0.5, all_reduce=0.5, tokens_per_second=80.0, run=100.0, epoch=10.0)
    """
    step = found.seconds(config.budget.batch_size // processes)
    all_reduce = ring_bytes(found.gradients, processes) / bandwidth
    tokens, whole = config.budget.batch_size * config.task.window, step + all_reduce
    return Expected(step, all_reduce, tokens / whole, config.budget.steps * whole, epoch / tokens * whole)


def measure_model(
    config: RunConfig[Language],
    streams: int,
    seconds: float,
    name: str,
    report: Callable[[dict[str, Any]], None],
    stopped: Callable[[], bool],
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Build a model, train it for some steps, and report the fields of a `Measured`.

    The process must be fresh, for what is told of its memory is the most that it ever used.

    Args:
        config: of the run.
        streams: of one process.
        seconds: about so long its steps are timed.
        name: of the model.
        report: gets the fields.
        stopped: whether to end without them.
        clock: as for `measure`.
    """
    framework, device = framework_of(config.runtime.framework), config.runtime.device
    contestant = next(one for one in contestants(config) if one.model == name)
    own = alone(config.of(name), contestant.seed)

    def used() -> int:
        return framework.peak_memory(device) or 0

    with framework.limit_threads(own.runtime.threads):
        vocabulary = read(own.task).vocabulary
        learner: Any = framework.learner(framework.build(own, contestant), own)
        copies = [learner.parameters()]  # a training has them from its beginning

        def step(size: int) -> Callable[[], object]:
            windows = drawn(vocabulary.counts, size, own.task.window)
            return lambda: learner.train_step(windows, own.optimisation.learning_rate)

        points: list[Point] = []
        for size in sizes(own.runtime.accumulate, streams):
            if stopped():
                return
            if len(points) > 1 and not _can_be_tried(points[-1], used(), size, seconds, device):
                break
            took = _time(step(size), clock)
            if took < QUICK:  # the first sets up what later ones use again
                took = min(took, _time(step(size), clock))
            windows = drawn(vocabulary.counts, size, own.task.window)
            with Held() as held:
                learner.gradients(windows)
            points.append(Point(size, held.trace, took))
        points = points[-1:] if points[-1].streams == streams else points[-2:]
        if PATIENCE * points[-1].seconds <= seconds:  # else it was timed once, and that has to do
            runs = {str(point.streams): step(point.streams) for point in points}
            times = measure(runs, ROUNDS, seconds=seconds, clock=clock)
            points = [point._replace(seconds=times[str(point.streams)].median) for point in points]
        found = counted(learner, on_gpu=device == "cuda")
        learner.optimiser.zero_grad()
        with Held() as held:
            step(points[-1].streams)()
        process = max(
            0, used() - sum(found[name] for name in ("weights", "optimiser", "copies")) - max(held.trace)
        )
        tokens = drawn(vocabulary.counts, own.task.streams, own.task.window).inputs.ravel()
        learner.evaluate(Stream(np.append(tokens, 0), len(tokens) + 1, own.task.window, own.task.streams))
        copies.append(learner.parameters())  # the old ones go when the new ones are there
        copies = [copies[1], learner.state()]
        report({**found, "process": process, "most": used(), "points": points})


def _time(run: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return clock() - start


class Held(TorchDispatchMode):
    """Counts the bytes of the tensors that are made inside it, as long as they are there.

    Example:
        >>> with Held() as held:
        ...     one = torch.zeros(10)
        ...     one = torch.zeros(3)
        ...     del one
        ...     one = torch.zeros(5)
        >>> held.trace
        [40, 52, 20]
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.trace: list[int] = []
        """What they are whenever one is made."""
        self._now = 0
        self._known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and take note of the tensors that it makes."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_iter(result):
            if isinstance(tensor, Tensor) and (storage := tensor.untyped_storage()) not in self._known:
                self._known.add(storage)
                self._now += storage.nbytes()
                self.trace.append(self._now)
                weakref.finalize(storage, self._let_go, storage.nbytes())
        return result

    def _let_go(self, size: int) -> None:
        self._now -= size


def drawn(counts: Sequence[int], streams: int, window: int) -> Windows:
    """Return windows of tokens that come as often as in a text, in no order.

    Example:
        >>> drawn((2, 1, 0), 4, 5).inputs.shape
        (4, 5)
    """
    frequencies = np.array(counts, dtype=float) + 1
    text = np.random.default_rng(0).choice(
        len(counts), size=(streams, window + 1), p=frequencies / frequencies.sum()
    )
    inputs, targets = text[:, :-1].astype(np.int64), text[:, 1:].astype(np.int64)
    return Windows(inputs, targets, np.ones(inputs.shape, dtype=bool), begins=True)


def sizes(pieces: int, streams: int) -> Iterator[int]:
    """Yield the numbers of streams that are tried: two in each piece of a batch, twice as many, ..., all.

    One alone would be a product of other shapes, which makes other tensors.

    Example:
        >>> list(sizes(1, 12)), list(sizes(3, 12)), list(sizes(1, 1))
        ([2, 4, 8, 12], [6, 12], [1])
    """
    size = 2 * pieces
    while size < streams:
        yield size
        size *= 2
    yield streams


def _can_be_tried(last: Point, used: int, size: int, seconds: float, device: str) -> bool:
    """Say whether a larger step is quick enough and fits into memory: it takes no more in proportion."""
    memory = torch.cuda.get_device_properties(0).total_memory if device == "cuda" else physical_memory()
    times = size / last.streams
    fits = not memory or used + (times - 1) * max(last.held) <= MOST_OF_MEMORY * memory
    return fits and PATIENCE * times * last.seconds <= seconds


def counted(learner: Any, *, on_gpu: bool) -> dict[str, int]:
    """Return the parameters of a learner that has done a step, and the bytes of what training keeps of them.

    Args:
        learner: a `LanguageLearner`.
        on_gpu: whether the best parameters lie elsewhere, in the machine's memory.
    """

    def size(tensors: Iterator[Tensor]) -> int:
        return sum(tensor.nbytes for tensor in tensors)

    parameters = list(learner.model.parameters())
    state = (part for values in learner.optimiser.state.values() for part in values.values())
    average = iter(()) if learner.average is None else iter(learner.average.state_dict().values())
    weights = size(iter(parameters))
    return {
        "parameters": sum(parameter.numel() for parameter in parameters),
        "weights": weights + size(learner.model.buffers()),
        "gradients": weights,
        "optimiser": size(part for part in state if isinstance(part, Tensor)),
        "copies": size(average) + (0 if on_gpu else weights),
    }
