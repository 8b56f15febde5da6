"""Training and comparing from Python: the package's tasks and models, and one's own."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from relational_rnn.analysis import save
from relational_rnn.analysis.factor_overview import draw_overview, overview_table
from relational_rnn.analysis.factors import draw_factor, factor_table, points_table
from relational_rnn.analysis.run_figures import curves_figure
from relational_rnn.analysis.supervised import summary_table
from relational_rnn.analysis.tables import Table, selected_only
from relational_rnn.config.checks import check_choice, check_size
from relational_rnn.experiments.factors import NO_FACTORS, Variant, kinds_of, one_at_a_time, product
from relational_rnn.experiments.many import jobs_of, summaries, train_here, train_jobs, write_results
from relational_rnn.recipes import RECIPES, find_recipe
from relational_rnn.tasks import entry_of
from relational_rnn.training.config import RunConfig, check_overridden, with_values
from relational_rnn.training.data import with_files
from relational_rnn.training.models import COMPARED, Factory, ModelSpec, added_models, models_of, specs_of
from relational_rnn.training.results import RunResult
from relational_rnn.training.run import check, command_of, run
from relational_rnn.training.run_folder import RunFolder
from relational_rnn.training.variants import Value
from relational_rnn.training.weights import Trained, find_trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Models = Sequence[str] | Mapping[str, Factory | None]
"""Names of the package's models; or name -> None for one of them, or the factory of one's own."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What a run came to.

    Example:
        >>> comparison = train("sorting", ("lstm",), preset="tiny", framework="numpy", seeds=1)
        >>> comparison.results.models["lstm"].label
        'LSTM'
    """

    config: RunConfig
    """Everything that it depended on."""
    results: RunResult
    """What results.json has."""
    folder: Path
    """Of the run; temporary, unless one was named."""
    specs: tuple[ModelSpec, ...] = ()
    """The models of one's own."""

    def table(self) -> Table:
        """Return one row a model: means over the seeds, and the trivial scores; `print` shows it."""
        return summary_table(selected_only(self.results))

    def _repr_html_(self) -> str:
        """Return the table, as a notebook shows it."""
        return self.table()._repr_html_()

    def plot_curves(self, path: Path | str | None = None) -> Figure:
        """Draw the validation accuracy against time and examples; write it to `path` if one is given."""
        folder = RunFolder(self.folder)
        names = [one.name for model in self.results.models.values() for one in model.trainings]
        with added_models(self.specs):
            figure = curves_figure(
                self.config, self.results, {name: folder.evaluations(name) for name in names}
            )
        if path is not None:
            save(figure, path)
        return figure

    def load(self, model: str | None = None, seed: int | None = None) -> Trained:
        """Return a trained model; see `relational_rnn.load`."""
        with added_models(self.specs):
            return find_trained(self.folder, model, seed, self.config.task)

    def save(self, folder: Path | str) -> Path:
        """Copy the run's folder: configuration, results, records and weights.

        Raises:
            FileExistsError: something is there.
        """
        return Path(shutil.copytree(self.folder, folder))


@dataclass(frozen=True, eq=False)
class Variants:
    """What an ablation or a sweep came to.

    Example:
        >>> variants = ablate("sorting", {"mem_slots": (1, 2)}, preset="tiny", seeds=1)
        >>> [variant["name"] for variant in variants.results["variants"]]
        ['base', 'mem_slots=1']
    """

    config: RunConfig
    """The base."""
    results: dict[str, Any]
    """The content of results.json."""
    folder: Path
    """With a run folder for each variant and seed; temporary, unless one was named."""

    def table(self, factor: str | None = None) -> Table:
        """Return one row a value of a factor, or of all factors (a sweep: one row a combination).

        Of several models each has rows of its own.

        Raises:
            ValueError: the factor was not varied.
        """
        if factor is not None:
            return factor_table(self.results, check_choice("factor", factor, self.results["factors"]))
        return points_table(self.results) if self.results["base"] is None else overview_table(self.results)

    def plot(self, factor: str | None = None, path: Path | str | None = None) -> Figure:
        """Draw the test accuracy, and the examples until the trivial score was left, against what varied.

        Args:
            factor: one that was varied; None for all changes of an ablation in one figure, or for the one
                factor of a sweep.
            path: where to write the figure, .png, .pdf or .svg; None to write nothing.

        Returns:
            The figure.

        Raises:
            ImportError: matplotlib is absent.
            ValueError: the factor was not varied, a sweep of several factors without one, or another ending
                of the path.

        Example:
            >>> variants = ablate("sorting", {"mem_slots": (1, 2)}, preset="tiny", seeds=1)
            >>> len(variants.plot().axes), variants.plot("mem_slots").axes[0].get_xlabel()
            (2, 'slots')
        """
        factors = list(self.results["factors"])
        if factor is not None:
            figure = draw_factor(self.results, check_choice("factor", factor, factors))
        elif self.results["base"] is not None:
            figure = draw_overview(self.results)
        elif len(factors) == 1:
            figure = draw_factor(self.results, factors[0])
        else:
            raise ValueError(f"a sweep has a figure for each factor: name one of {', '.join(factors)}")
        if path is not None:
            save(figure, path)
        return figure

    def _repr_html_(self) -> str:
        """Return the table, as a notebook shows it."""
        return self.table()._repr_html_()

    def save(self, folder: Path | str) -> Path:
        """Copy the folder.

        Raises:
            FileExistsError: something is there.
        """
        return Path(shutil.copytree(self.folder, folder))


R = TypeVar("R", Comparison, Variants)


def configure(task: Any, preset: str = "quick", models: Models | None = None, **values: Any) -> RunConfig:
    """Return the configuration of a run.

    Args:
        task: the name of one of the package's tasks, or a task object: one of the package's, or one's own
            (see `tasks.entry_of`).
        preset: of a task that the package knows; one's own begins with the defaults of `RunConfig`.
        models: which; None for the preset's.
        **values: fields of the configuration by their own names, as the commands have them for flags:
            `steps=500`, `learning_rate=1e-3`, `seeds=3`; for a named task its sizes too.

    Raises:
        TypeError, ValueError: an unknown task, preset, model or field, or a value out of range.

    Example:
        >>> configure("sorting", "tiny", items=4, steps=7).budget.steps
        7
    """
    entry = None if isinstance(task, str) else entry_of(task)
    if entry is None:
        config = find_recipe(task, preset)
    elif entry.name in RECIPES:
        config = dataclasses.replace(find_recipe(entry.name, preset), task=task)
    elif preset != "quick":
        raise ValueError(f"{entry.name} has no presets; give its values by name, got preset={preset!r}")
    else:
        config = RunConfig(task=task)
    if models is not None:
        values["models"] = models
    if isinstance(models, Mapping) and any(factory is not None for factory in models.values()):
        values.setdefault("framework", "torch")  # what models of one's own are made of
    for name in {"models", "overrides", "start"} & values.keys():
        if isinstance(values[name], str) or not isinstance(values[name], Iterable):
            raise TypeError(f"{name} must be a list of texts, got {values[name]!r}")
        values[name] = tuple(values[name])
    found = with_values(config, values)
    if "overrides" in values:
        check_overridden(found)
    return found


def train(
    task: Any,
    models: Models | None = None,
    *,
    preset: str = "quick",
    out: Path | str | None = None,
    resume: bool = False,
    workers: int | None = None,
    report: Callable[[str, dict[str, Any]], None] = lambda name, record: None,
    **values: Any,
) -> Comparison:
    """Train models on a task and score them, as `relational-rnn train` does.

    Args:
        task, models, preset: see `configure`.
        **values: see `configure`.
        out: the folder of the run, empty or new; None for a temporary one, which goes with the result.
        resume: go on with the run in `out`.
        workers: trainings at a time, each in a process of its own: for the package's models; a task of one's
            own has to be importable, and a script needs `if __name__ == "__main__":`. None trains in this
            process, one after the other.
        report: gets the name of each training and its records as they come.

    Returns:
        The result: `.table()`, `.plot_curves()`, `.load(model)`, `.save(folder)`.

    Raises:
        TypeError, ValueError: see `configure`; or the folder does not fit.
        RunFailed, FloatingPointError: a training failed.
        Interrupted: stopped by a signal; everything is saved, for `resume`.

    Example:
        >>> result = train("sorting", ["rmc", "lstm"], preset="tiny", seeds=1)  # doctest: +SKIP
        >>> print(result.table())  # doctest: +SKIP
    """
    specs = _specs(models, workers)
    with added_models(specs):
        if workers is not None:
            values["workers"] = workers
        config, _ = with_files(configure(task, preset, models, **values))
        path = _folder(out)
        folder = RunFolder(path)
        check(config)
        with folder.writing(command_of(config), config, resume):
            results = run(
                config,
                folder,
                resume=resume,
                show=lambda contestant, record: report(contestant.name, record),
                in_process=workers is None,
            )
    return _with_folder(Comparison(config, results, path, specs), out)


def compare(
    task: Any, models: Models | None = None, *, seeds: int = 3, framework: str = "torch", **options: Any
) -> Comparison:
    """Train the RMC and its opponents with several seeds, as `relational-rnn compare` does.

    Args:
        task: see `configure`.
        models: which; `{"rmc": None, "mine": lambda input_size, size: MyCore(input_size, size)}` compares a
            core of one's own, sized to have at least the RMC's parameters. None for RMC, LSTM, GRU,
            Transformer and DNC, as far as the framework has them.
        seeds: how many.
        framework: "torch" or "numpy".
        **options: see `train`.

    Example:
        >>> from relational_rnn.nn import GRU  # doctest: +SKIP
        >>> mine = lambda features, size: GRU(features, size, batch_first=True)  # doctest: +SKIP
        >>> print(compare("sorting", {"rmc": None, "mine": mine}).table())  # doctest: +SKIP
    """
    if models is None:
        models = [name for name in COMPARED if name in models_of(framework)]
    return train(task, models, seeds=seeds, framework=framework, **options)


def ablate(
    task: Any,
    over: Mapping[str, Sequence[Value]],
    models: Models = ("rmc",),
    *,
    seeds: int = 3,
    **options: Any,
) -> Variants:
    """Train with one factor changed at a time, as `relational-rnn ablate` does.

    Args:
        task: see `configure`.
        over: factor -> its values.
        models, seeds: see `train`.
        **options: see `train`.

    Returns:
        The result: `.table()` or `.table(factor)`, `.plot()` or `.plot(factor)`, `.save(folder)`.

    Example:
        >>> ablate("sorting", {"num_heads": (1, 2)}, preset="tiny", seeds=1).table("num_heads").columns[0]
        'num_heads'
    """
    return _variants("ablate", one_at_a_time, task, over, models, {**options, "seeds": seeds})


def sweep(
    task: Any,
    over: Mapping[str, Sequence[Value]],
    models: Models = ("rmc",),
    *,
    seeds: int = 1,
    **options: Any,
) -> Variants:
    """Train every combination of some factors' values, as `relational-rnn sweep` does.

    Args:
        task: see `configure`.
        over: factor -> its values.
        models, seeds: see `train`.
        **options: see `train`.

    Returns:
        The result: `.table()` or `.table(factor)`, `.plot(factor)`, `.save(folder)`.

    Example:
        >>> found = sweep("sorting", {"num_heads": (1, 2)}, preset="tiny")
        >>> [variant["values"] for variant in found.results["variants"]]
        [{'num_heads': 1}, {'num_heads': 2}]
    """
    return _variants("sweep", product, task, over, models, {**options, "seeds": seeds})


def _variants(
    how: str,
    spread: Callable[[RunConfig, Mapping[str, Sequence[Value]]], list[Variant]],
    task: Any,
    over: Mapping[str, Sequence[Value]],
    models: Models,
    options: dict[str, Any],
) -> Variants:
    out = options.pop("out", None)
    resume, workers = options.pop("resume", False), options.pop("workers", None)
    tell = options.pop("report", lambda name, record: None)
    with added_models(_specs(models, workers)):
        config, _ = with_files(configure(task, options.pop("preset", "quick"), models, **options))
        _check_factors(config, over)
        variants = spread(config, over)
        for one in variants:
            check(one.config)
        path = _folder(out)
        folder = RunFolder(path)
        recorded = f"{how} {entry_of(config.task).name}"
        jobs = [jobs_of(one, path / "runs" / one.name) for one in variants]
        every = [job for of_variant in jobs for job in of_variant]
        factors = {name: tuple(values) for name, values in over.items()}
        with folder.writing(recorded, config, resume):
            if workers is None:
                train_here(every, tell)
            else:
                train_jobs(every, workers, tell)
            results = write_results(folder, recorded, config, factors, summaries(variants, jobs))
    return _with_folder(Variants(config, results, path), out)


def _specs(models: Models | None, workers: int | None) -> tuple[ModelSpec, ...]:
    specs = specs_of(models)
    if workers is not None:
        check_size("workers", workers)
        if specs:
            told = ", ".join(spec.name for spec in specs)
            raise ValueError(f"models of your own ({told}) train in this process; leave workers out")
    return specs


def _check_factors(config: RunConfig, over: Mapping[str, Sequence[Value]]) -> None:
    """Check what varies.

    Raises:
        TypeError: no values where a list of them belongs.
        ValueError: no factors, an unknown one, one that all variants share, or a value twice.
    """
    if not isinstance(over, Mapping) or not over:
        raise TypeError(f'over must be factors and their values, as in {{"num_heads": (1, 2)}}; got {over!r}')
    known = sorted(kinds_of(config))
    for name, values in over.items():
        if name in NO_FACTORS or name not in known:
            raise ValueError(f"{name} is no factor; these are: {', '.join(known)}")
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise TypeError(f"{name} must have a list of values, got {values!r}")
        if len(set(values)) != len(values):
            raise ValueError(f"{name} names a value twice: {values!r}")


def _folder(out: Path | str | None) -> Path:
    return Path(tempfile.mkdtemp(prefix="relational-rnn-")) if out is None else Path(out)


def _with_folder(result: R, out: Path | str | None) -> R:
    """Let a temporary folder go with the result that needs it."""
    if out is None:
        weakref.finalize(result, shutil.rmtree, result.folder, ignore_errors=True)
    return result
