"""`relational-rnn check-gradients [MODEL]`: hold the gradients of the NumPy models against others."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import tyro

from relational_rnn.cli.arguments import NUMBERS
from relational_rnn.cli.choice import check_first
from relational_rnn.config import RelationalMemoryConfig

if TYPE_CHECKING:
    from rich.table import Table

    from relational_rnn.reference.gradient_check import GradientCheck

CENTRAL, SPLIT, TORCH = "central differences", "split", "torch"
"""The kinds of check."""

MOST: Final = 4_096
"""The largest size of a model, a batch or a sequence whose gradients are checked."""

LEGEND: Final = """\
largest: largest |gradient| of the array, as backward computes it
numeric: largest difference between it and central differences, in float64
torch:   the same for PyTorch's automatic differentiation (--torch)
allowed: largest difference to central differences that passes
"""

Case = tuple[str, Any, Any]
"""Name, model, and inputs for its `forward`."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What all models share."""

    batch: int = 2
    """B, sequences."""
    steps: int = 4
    """T, steps of a sequence."""
    seed: int = 0
    """Seed of the parameters, the inputs, the state, the loss and the choice of entries."""
    entries: int | Literal["all"] = 50
    """Entries of each array that are looked at, drawn at random, and one direction through all entries."""
    torch: tyro.conf.FlagCreatePairsOff[bool] = False
    """Compare with PyTorch's automatic differentiation too, where PyTorch has the model."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object a line instead of tables."""


@dataclass(frozen=True, kw_only=True)
class Rmc(Options):
    """Check the Relational Memory Core."""

    config: Annotated[RelationalMemoryConfig, tyro.conf.arg(name="")] = field(
        default_factory=lambda: RelationalMemoryConfig(input_size=5, mem_slots=3, head_size=4, num_heads=2)
    )

    def cases(self) -> Iterator[Case]:
        """Make the core."""
        from relational_rnn.reference import RelationalMemory

        yield _case(self, "rmc", RelationalMemory, vars(self.config), tuple(self.config.input_sizes.values()))


@dataclass(frozen=True, kw_only=True)
class Lstm(Options):
    """Check the LSTM."""

    input_size: int = 5
    """F, features of an input."""
    hidden_size: int = 6
    """Features of h and c."""
    output_size: Annotated[int | None, tyro.conf.arg(metavar="INT|None")] = 7
    """O, features of an output; None for no output layer."""

    def cases(self) -> Iterator[Case]:
        """Make the LSTM."""
        from relational_rnn.reference import LSTM

        yield _case(self, "lstm", LSTM, _settings(self), (self.input_size,))


@dataclass(frozen=True, kw_only=True)
class Hybrid(Lstm):
    """Check the hybrid relational RNN."""

    num_slots: int = 3
    """N, memory slots."""
    slot_size: int = 8
    """S, features of a slot."""
    num_heads: int = 2
    """H, attention heads; must divide S."""
    slot_update: str = "shared"
    """How the hidden state enters the slots: "shared" or "attend"."""

    def cases(self) -> Iterator[Case]:
        """Make the RNN."""
        from relational_rnn.reference import RelationalRNN

        yield _case(self, "hybrid", RelationalRNN, _settings(self), (self.input_size,))


@dataclass(frozen=True, kw_only=True)
class Attention(Options):
    """Check multi-head attention with its projections; queries, keys and values differ."""

    d_model: int = 8
    """D, features of queries, keys and values."""
    num_heads: int = 2
    """H, attention heads; must divide D."""

    def cases(self) -> Iterator[Case]:
        """Make the layer."""
        from relational_rnn.reference import MultiHeadAttention

        name, layer, three = _case(self, "attention", MultiHeadAttention, _settings(self), (3, self.d_model))
        yield name, layer, tuple(three[:, :, which] for which in range(3))


@dataclass(frozen=True, kw_only=True)
class All(Options):
    """Check all models, at their default sizes."""

    input_size: int = 5
    """F, features of an input."""

    def cases(self) -> Iterator[Case]:
        """Make them all."""
        shared = {option.name: getattr(self, option.name) for option in dataclasses.fields(Options)}
        config = dataclasses.replace(Rmc().config, input_size=self.input_size)
        yield from Rmc(**shared, config=config).cases()
        yield from Hybrid(**shared, input_size=self.input_size).cases()
        yield from Lstm(**shared, input_size=self.input_size).cases()
        yield from Attention(**shared).cases()


MODELS: Final[dict[str, Callable[..., Any]]] = {
    "all": All,
    "rmc": Rmc,
    "hybrid": Hybrid,
    "lstm": Lstm,
    "attention": Attention,
}
"""What MODEL can be."""


def main(argv: Sequence[str]) -> int:
    """Check; return the exit code."""
    arguments = list(argv)
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments.insert(0, "all")
    check_first("check-gradients", "model", arguments, MODELS)
    options: All | Rmc | Hybrid | Lstm | Attention = tyro.extras.subcommand_cli_from_dict(
        MODELS,
        prog="relational-rnn check-gradients",
        description="Hold every gradient of the NumPy models against central differences, and the gradients "
        "of a sequence in two parts against those of the whole. Without MODEL: all models.",
        args=arguments,
        config=(tyro.conf.OmitArgPrefixes,),
        registry=NUMBERS,
    )
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    arrays, wrong = 0, []
    for name, model, inputs in options.cases():
        with console.status(f"{name}: checking"):
            checks = run_checks(options, model, inputs)
        if options.json:
            for check, row in checks:
                record = {"model": name, "check": check} | row._asdict() | {"passed": row.passed}
                print(json.dumps(record), flush=True)
        else:
            if not arrays:
                console.print(LEGEND)
            parameters = sum(value.size for value in model.params.values())
            console.print(f"{name}: {type(model).__name__}, {parameters:,} parameters", style="bold")
            console.print(make_table(checks))
            console.print(about_split(checks))
            if options.torch and not any(check == TORCH for check, _ in checks):
                console.print("PyTorch has no such model.")
            console.print()
        arrays += sum(check == CENTRAL for check, _ in checks)
        wrong += [f"{name} {row.name} ({check})" for check, row in checks if not row.passed]
    if not options.json:
        console.print(f"Wrong: {', '.join(wrong)}" if wrong else f"All {arrays} arrays agree.")
    return 1 if wrong else 0


def run_checks(options: Options, model: Any, inputs: Any) -> list[tuple[str, GradientCheck]]:
    """Run the checks that this model can have; return the kind of check with each array's result.

    Raises:
        ModuleNotFoundError: torch is asked for and absent.
    """
    from relational_rnn.reference import MultiHeadAttention
    from relational_rnn.reference.gradient_check import check_gradients, check_split

    checks = []
    if options.torch:
        import torch  # noqa: F401 - absent, it should be missed before the work

        from relational_rnn.interop.autograd import TorchTwin, check_against_torch

        if isinstance(model, TorchTwin):
            checks += [(TORCH, row) for row in check_against_torch(model, inputs, seed=options.seed)]
    entries = None if options.entries == "all" else options.entries
    rows = check_gradients(model, inputs, entries=entries, seed=options.seed)
    checks += [(CENTRAL, row) for row in rows]
    if not isinstance(model, MultiHeadAttention):
        for at in range(1, options.steps):
            checks += [
                (f"{SPLIT} after {at}", row) for row in check_split(model, inputs, at, seed=options.seed)
            ]
    return checks


def make_table(checks: list[tuple[str, GradientCheck]]) -> Table:
    """Make the table of one model, a row for each array."""
    from rich.table import Table

    of_torch = {row.name: row for check, row in checks if check == TORCH}
    rows = [row for check, row in checks if check == CENTRAL]
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("array", overflow="fold")  # gives way on a narrow terminal, the numbers do not
    for title in ("shape", "largest", "numeric", *(["torch"] if of_torch else []), "allowed", "verdict"):
        table.add_column(title, justify="left" if title in ("shape", "verdict") else "right", no_wrap=True)
    for row in rows:
        passed = row.passed and (row.name not in of_torch or of_torch[row.name].passed)
        numbers = [row.largest, row.difference]
        numbers += [of_torch[row.name].difference] if of_torch else []
        table.add_row(
            row.name,
            "x".join(map(str, row.shape)),
            *(f"{number:.1e}" for number in (*numbers, row.allowed)),
            "ok" if passed else "WRONG",
            style="" if passed else "red",
        )
    return table


def about_split(checks: list[tuple[str, GradientCheck]]) -> str:
    """Say how the gradients of sequences in two parts came out."""
    rows = [(check, row) for check, row in checks if check.startswith(SPLIT)]
    wrong = [f"{row.name} ({check})" for check, row in rows if not row.passed]
    if wrong:
        return f"Cut in two, the sequence has other gradients: {', '.join(wrong)}"
    if not rows:
        return "There is no sequence to cut in two."
    largest = max(row.difference for _, row in rows)
    return f"Cut in two anywhere, the sequence has the same gradients, within {largest:.1e}."


def _settings(options: Options) -> dict[str, Any]:
    """Return the fields that are the model's own."""
    shared = {option.name for option in dataclasses.fields(Options)}
    return {name: value for name, value in vars(options).items() if name not in shared}


def _case(
    options: Options, name: str, kind: Any, settings: dict[str, Any], features: tuple[int, ...]
) -> Case:
    """Make a model in float64, all its parameters away from special values such as 0 and 1, and inputs."""
    from relational_rnn.config.checks import check_size, shortened
    from relational_rnn.reference.arrays import make_generator

    for size, value in settings.items():
        if isinstance(value, int) and value > MOST:
            raise ValueError(f"{size} must be an integer of at most {MOST}, got {shortened(value)}")
    sizes = (
        check_size("batch", options.batch, maximum=MOST),
        check_size("steps", options.steps, maximum=MOST),
        *features,
    )
    generator = make_generator(options.seed)
    model = kind(**settings, seed=generator)
    for value in model.params.values():
        value += 0.2 * generator.standard_normal(value.shape)
    return name, model, generator.standard_normal(sizes)
