"""Three relational tasks of 30 steps, and the levers that get a model to learn them.

    same      two of the 30 steps are marked: do they carry the same symbol?
    followed  the last step repeats a symbol that came exactly once before: which symbol came after it?
    compare   the first step names one of four, the last step another; each step between gives one of the four
              a new value: is the newest value of the second larger than that of the first?

    python three_tasks.py same                                        # the settings that learn it, one seed
    python three_tasks.py same --models rmc,lstm --seeds 3            # beside an LSTM
    python three_tasks.py same --seeds 3 --over learning_rate=3e-4,1e-3   # one lever at a time

Each class below is a task from outside the package, as docs/extending.md describes it. What each lever brings
stands in docs/loss_does_not_move.md. Needs relational-rnn[torch].
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from relational_rnn import experiments
from relational_rnn.cli.factors import only_values, parse_factors

GROUP = 6
"""Steps by which the tasks grow: from 6 to 30 in five stages."""


class Batch(NamedTuple):
    """Sequences with one answer, after the last step."""

    inputs: np.ndarray
    """(B, T, F) float32."""
    targets: np.ndarray
    """(B,) int64."""


@dataclass(frozen=True, kw_only=True)
class Same:
    """Do the two marked steps carry the same symbol?

    One step's input has S + 1 features: [ symbol, one-hot S | 1 at a marked step ]. Half of the answers are
    yes, and the marked symbols alone decide: whoever does not compare them scores one half.
    """

    name: ClassVar[str] = "same"
    groups: int = 5
    """Of 6 steps each, so T = 30; by groups the task can grow."""
    symbols: int = 4
    """S, symbols to draw from."""
    classes: ClassVar[int] = 2
    chance: ClassVar[float] = 0.5
    majority: ClassVar[float] = 0.5

    def __post_init__(self) -> None:
        """Check the sizes."""
        if self.groups < 1 or self.symbols < 2:
            raise ValueError(f"groups must be at least 1, symbols 2, got {self.groups} and {self.symbols}")

    @property
    def length(self) -> int:
        """T, steps."""
        return GROUP * self.groups

    @property
    def input_size(self) -> int:
        """F, features of a step."""
        return self.symbols + 1

    def sample(self, batch_size: int, generator: np.random.Generator) -> Batch:
        """Draw sequences."""
        rows = np.arange(batch_size)
        symbols = generator.integers(self.symbols, size=(batch_size, self.length))
        first, second = distinct(generator, batch_size, self.length)
        same = generator.integers(2, size=batch_size)
        other = generator.integers(1, self.symbols, size=batch_size)  # how far to another symbol
        symbols[rows, second] = (symbols[rows, first] + np.where(same, 0, other)) % self.symbols
        marked = np.zeros((batch_size, self.length, 1), np.float32)
        marked[rows, first] = marked[rows, second] = 1
        return Batch(np.concatenate([one_hot(symbols, self.symbols), marked], axis=2), same)

    def oracle(self, inputs: np.ndarray) -> np.ndarray:
        """Return the right answers (B,)."""
        marked, symbols = inputs[..., -1] == 1, inputs[..., :-1].argmax(2)
        shown = symbols[marked].reshape(-1, 2)
        return (shown[:, 0] == shown[:, 1]).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Followed:
    """Which symbol followed the one that the last step repeats?

    One step's input has S + 1 features: [ symbol, one-hot S | 1 at the last step, which asks ]. The symbol
    that is asked for came exactly once before. All others are answers equally often.
    """

    name: ClassVar[str] = "followed"
    groups: int = 5
    """Of 6 steps each, so T = 30, of which the last one asks; by groups the task can grow."""
    symbols: int = 4
    """S, symbols to draw from."""

    def __post_init__(self) -> None:
        """Check the sizes."""
        if self.groups < 1 or self.symbols < 3:
            raise ValueError(f"groups must be at least 1, symbols 3, got {self.groups} and {self.symbols}")

    @property
    def length(self) -> int:
        """T, steps."""
        return GROUP * self.groups

    @property
    def input_size(self) -> int:
        """F, features of a step."""
        return self.symbols + 1

    @property
    def classes(self) -> int:
        """C, symbols to choose from."""
        return self.symbols

    @property
    def chance(self) -> float:
        """What a guess among all symbols gets right."""
        return 1 / self.symbols

    @property
    def majority(self) -> float:
        """What a guess among the symbols other than the one that is repeated gets right."""
        return 1 / (self.symbols - 1)

    @property
    def trivial_accuracy(self) -> float:
        """The score to beat: that of the shortcut."""
        return self.shortcut

    @property
    def shortcut(self) -> float:
        """What naming the other symbol that came most often gets right, measured on 20,000 examples."""
        batch = self.sample(20_000, np.random.default_rng(0))
        symbols = batch.inputs[..., :-1]
        counts = symbols[:, :-1].sum(1) - self.length * symbols[:, -1]  # never the one that is repeated
        return float((counts.argmax(1) == batch.targets).mean())

    def sample(self, batch_size: int, generator: np.random.Generator) -> Batch:
        """Draw sequences."""
        rows = np.arange(batch_size)
        asked = generator.integers(self.symbols, size=batch_size)
        place = generator.integers(self.length - 2, size=batch_size)
        others = generator.integers(1, self.symbols, size=(batch_size, self.length))
        symbols = (asked[:, None] + others) % self.symbols  # nowhere the one that is asked for
        symbols[rows, place] = symbols[:, -1] = asked
        last = np.zeros((batch_size, self.length, 1), np.float32)
        last[:, -1] = 1
        inputs = np.concatenate([one_hot(symbols, self.symbols), last], axis=2)
        return Batch(inputs, symbols[rows, place + 1])

    def oracle(self, inputs: np.ndarray) -> np.ndarray:
        """Return the right answers (B,)."""
        symbols = inputs[..., :-1].argmax(2)
        place = (symbols[:, :-1] == symbols[:, -1:]).argmax(1)
        return symbols[np.arange(len(symbols)), place + 1]


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Is the newest value of the name that is asked for last larger than that of the name asked for first?

    One step's input has K + 2 features: [ name, one-hot K | value | 1 where a step asks ], which
    the first and the last do. Values are uniform in [-1, 1). Who knows only the first of the two says yes if
    it is below 0, and is right three times of four. With as many names as steps between, each name is a
    position that comes once.
    """

    name: ClassVar[str] = "compare"
    classes: ClassVar[int] = 2
    chance: ClassVar[float] = 0.5
    majority: ClassVar[float] = 0.5
    shortcut: ClassVar[float] = 0.75
    trivial_accuracy: ClassVar[float] = 0.75
    groups: int = 5
    """Of 6 steps each, so T = 30, of which 28 carry a value; by groups the task can grow."""
    names: int = 4
    """K, names that have values; each comes once before any comes again."""

    def __post_init__(self) -> None:
        """Check the sizes."""
        if self.groups < 1 or self.names < 2:
            raise ValueError(f"groups must be at least 1, names 2, got {self.groups} and {self.names}")

    @property
    def length(self) -> int:
        """T, steps."""
        return GROUP * self.groups

    @property
    def input_size(self) -> int:
        """F, features of a step."""
        return self.names + 2

    def sample(self, batch_size: int, generator: np.random.Generator) -> Batch:
        """Draw sequences."""
        rows, between = np.arange(batch_size), self.length - 2
        once = min(self.names, between)
        names = generator.integers(self.names, size=(batch_size, between))
        names[:, :once] = generator.permuted(np.tile(np.arange(self.names), (batch_size, 1)), axis=1)[
            :, :once
        ]
        values = generator.uniform(-1, 1, size=(batch_size, between)).astype(np.float32)
        first, second = distinct(generator, batch_size, once)
        asked = np.stack([names[rows, first], names[rows, second]], axis=1)  # (B, 2)
        inputs = np.zeros((batch_size, self.length, self.input_size), np.float32)
        inputs[:, 1:-1, : self.names] = one_hot(names, self.names)
        inputs[:, 1:-1, self.names] = values
        inputs[:, [0, -1], : self.names] = one_hot(asked, self.names)
        inputs[:, [0, -1], -1] = 1
        return Batch(inputs, self.oracle(inputs))

    def oracle(self, inputs: np.ndarray) -> np.ndarray:
        """Return the right answers (B,)."""
        names, values = inputs[..., : self.names].argmax(2), inputs[:, 1:-1, self.names]
        newest = []
        for asked in (names[:, :1], names[:, -1:]):
            back = (names[:, -2:0:-1] == asked).argmax(1)  # steps before the last value
            newest.append(values[np.arange(len(values)), -1 - back])
        return (newest[1] > newest[0]).astype(np.int64)


def one_hot(symbols: np.ndarray, count: int) -> np.ndarray:
    """Return symbols (B, T) as inputs (B, T, count)."""
    return np.eye(count, dtype=np.float32)[symbols]


def distinct(generator: np.random.Generator, batch_size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two different numbers below `count` for each example, (B,) and (B,)."""
    first = generator.integers(count, size=batch_size)
    return first, (first + generator.integers(1, count, size=batch_size)) % count


TASKS = {task.name: task for task in (Same(), Followed(), Compare())}

SETTINGS: dict[str, Any] = {
    "mem_slots": 4,
    "head_size": 16,
    "num_heads": 4,
    "head_layers": 1,
    "head_units": 64,
    "optimiser": "soap",
    "learning_rate": 4e-3,
    "warmup_steps": 100,
    "batch_size": 64,
    "grow": True,
    "start": ("groups=1",),
    "growth_threshold": 0.7,
    "evaluate_every": 50,
    "validation_examples": 500,
    "test_examples": 2_000,
}
"""What the tasks are learned with; the flags change them."""

OWN: dict[str, dict[str, Any]] = {
    "same": {"steps": 400},
    "followed": {"steps": 500},
    "compare": {"steps": 900, "growth_threshold": 0.78},
}
"""What a task has otherwise. A threshold lies above the trivial score of 6 steps."""

LEVERS = {
    "steps": int,
    "batch_size": int,
    "learning_rate": float,
    "warmup_steps": int,
    "optimiser": str,
    "initialisation": str,
    "growth_threshold": float,
    "mem_slots": int,
    "head_size": int,
    "num_heads": int,
    "head_layers": int,
    "head_units": int,
    "evaluate_every": int,
    "validation_examples": int,
    "test_examples": int,
    "seed": int,
    "seeds": int,
}


def main(argv: list[str] | None = None) -> None:
    """Train, print the points of the curves, then a table: means of the seeds (lowest to highest)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument(
        "--models", default="rmc", metavar="NAME,NAME", help="rmc, lstm, gru, transformer, dnc, hybrid"
    )
    for name, kind in LEVERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind)
    parser.add_argument("--grow", action=argparse.BooleanOptionalAction, help="train on a curriculum")
    parser.add_argument("--start", metavar="SIZE=NUMBER", help="where it starts: groups=1")
    parser.add_argument(
        "--over", action="append", metavar="LEVER=VALUE,VALUE", help="train with each of these values too"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the run in this folder, new or empty")
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}

    task, models = TASKS[given.pop("task")], given.pop("models").split(",")
    out, over = given.pop("out", None), given.pop("over", [])
    if "start" in given:
        given["start"] = given["start"].split("+")
    options = {**SETTINGS, **OWN[task.name], "framework": "torch", **given}
    torch.set_num_threads(1)  # the matrices are small: more threads would wait for each other
    try:
        config = experiments.configure(task, models=models, **options)
        factors = only_values(parse_factors(task.name, config, over), "give values")
        if factors:
            result = experiments.ablate(
                task, factors, models, out=out, report=show, **{"seeds": 1, **options}
            )
        else:
            result = experiments.train(task, models, out=out, report=show, **options)
    except (ValueError, FileExistsError, ModuleNotFoundError) as error:
        parser.error(str(error))
    print(result.table())


def show(training: str, record: dict[str, Any]) -> None:
    """Print a point of a curve, on stderr, so that stdout has the table alone."""
    if "validation_accuracy" in record:
        told = f"{training}  step {record['step']:,}  {record['seconds']:.0f} s"
        print(f"{told}  validation accuracy {record['validation_accuracy']:.1%}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
