"""A run folder: what is in it, and the rule that nothing in it is overwritten by accident.

config.json (configuration, version, commit), metrics.jsonl (a record a line), results.json, report.html,
checkpoints/, plots/.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import platform
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, Protocol, TypeVar

import relational_rnn
from relational_rnn.config.checks import BadFile
from relational_rnn.config.paths import kind_of
from relational_rnn.tasks import TaskEntry
from relational_rnn.training.config import FREE, RunConfig
from relational_rnn.training.decode import decode
from relational_rnn.training.files import (
    HALF_WRITTEN,
    check_folder,
    find_target,
    locked,
    read_lines,
    read_object,
    rewrite_lines,
    write_json,
)
from relational_rnn.training.processes import processor

CONFIG_REMEDY = "take its values from another copy, or begin anew in another folder"
"""What helps against a damaged config.json."""

LINE_REMEDY = "remove that line: the curves then lack its point"
"""What helps against a damaged line of metrics.jsonl."""


INSIDES: Final = ("memory", "mistakes", "slots", "attention")
"""What models are like inside, in numbers: each a JSON file of a run."""

OWN: Final = frozenset(
    (
        *("config.json", "metrics.jsonl", "results.json", "study.db", "vocabulary.json"),
        *(f"{name}.json" for name in INSIDES),
        *("checkpoints", "plots", "runs", "trials"),
    )
)
"""Files and folders that a run is made of. Not among them are pages, which commands write again."""


class _Line(NamedTuple):
    """What every line of metrics.jsonl has."""

    model: str
    step: int


class _Point(NamedTuple):
    """What every evaluation in metrics.jsonl has."""

    step: int
    examples: int
    seconds: float
    validation_accuracy: float


Part = TypeVar("Part", _Line, _Point)


class Settings(Protocol):
    """The settings of a run, such as `RunConfig`: a dataclass whose fields but `task` have defaults."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __init__(self, *, task: Any) -> None:
        """All others being the standard ones."""

    @property
    def task(self) -> Any:
        """What is learned."""

    @property
    def seed(self) -> int:
        """The first seed."""


class RunFolder:
    """The files of one run.

    Args:
        path: the folder.

    Example:
        >>> RunFolder(Path("runs/demo")).results.name
        'results.json'
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config, self.metrics = path / "config.json", path / "metrics.jsonl"
        self.results, self.report = path / "results.json", path / "report.html"
        self.checkpoints, self.plots = path / "checkpoints", path / "plots"
        self.kept = path / "vocabulary.json"

    @contextmanager
    def writing(self, command: str, config: Settings, resume: bool) -> Iterator[None]:
        """Make the folder, or with `resume` go on in it, and keep others from writing there meanwhile.

        Args:
            command: what makes the run.
            config: of the run.
            resume: go on in a folder.

        Raises:
            ValueError: another process writes there; the folder is not empty and `resume` is off; or it is
                on and the folder holds no run, or one with another configuration.
            BadFile: its config.json is damaged.
            OSError: nothing can be written there.
        """
        if not resume:
            self._check_new()
            Path(os.path.realpath(self.path)).mkdir(parents=True, exist_ok=True)  # a link stays one
        elif not self.config.exists():
            raise ValueError(f"nothing to resume: {self.path} holds no run (no config.json)")
        with locked(self.path):
            if resume:
                self._check_same(command, config)
                self._check_writable()
            else:
                self._check_new()  # again: another may have been quicker
                self._write_config(command, config)
            for folder in (self.path, self.checkpoints, self.plots):
                folder.mkdir(exist_ok=True)
                for left in folder.glob(HALF_WRITTEN):
                    left.unlink()
            yield

    def _check_new(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} is {kind_of(self.path)}; a run needs a folder")
        if self.path.exists() and any(not file.match(HALF_WRITTEN) for file in self.path.iterdir()):
            raise ValueError(
                f"{self.path} is not empty; choose another folder with --out, or go on there with "
                f"--out {self.path} --resume"
            )
        check_folder(self.path)

    def _check_same(self, command: str, config: Settings) -> None:
        recorded = self.require()
        self.check_command(command, recorded)
        # What an older version did not record it had no choice of.
        before = leaves_of(type(config)(task=config.task))
        previous = {**before, "command": recorded["command"], **flat(recorded["config"])}
        now = {"command": command, **leaves_of(config)}
        changed = [name for name in now if name not in FREE and previous.get(name) != now[name]]
        if changed:
            told = ", ".join(f"{name}: {previous.get(name)!r} there, {now[name]!r} now" for name in changed)
            raise ValueError(
                f"{self.path} holds a run with other settings ({told}); resume with the same ones"
            )

    def _write_config(self, command: str, config: Settings) -> None:
        name, instructions = processor()  # which decide how sums round
        record = {
            "command": command,
            "version": relational_rnn.__version__,
            "commit": current_commit(),
            "python": platform.python_version(),
            "processor": ", ".join((name, *instructions)),
            "seed": config.seed,
            "config": dataclasses.asdict(config),
        }
        write_json(self.config, record)

    def _check_writable(self) -> None:
        """Check now what a run writes only at its end."""
        for folder in (self.path, self.checkpoints, self.plots):
            check_folder(folder)
        for name in ("report.html", *OWN):
            if Path(name).suffix:
                find_target(self.path / name)

    def check_command(self, command: str, recorded: dict[str, Any]) -> None:
        """Check that the folder is of a command and a task.

        Args:
            command: with its task, as in "train sorting".
            recorded: what `require` returned.

        Raises:
            ValueError: it is of another; the message names both.
        """
        there, now = recorded["command"].split()[:2], command.split()[:2]
        if there != now:
            which = 1 if there[:1] == now[:1] else slice(None)
            told, wanted = (
                words if isinstance(words, str) else " ".join(words) for words in (there[which], now[which])
            )
            raise ValueError(f"{self.path} holds a run of `{told}`, not `{wanted}`")

    def weights(self, name: str) -> Path:
        """Return where the final weights of a training are."""
        return self.checkpoints / f"{name}.safetensors"

    def checkpoint(self, name: str) -> Path:
        """Return where a training can go on from."""
        return self.checkpoints / f"{name}.checkpoint"

    def score(self, name: str) -> Path:
        """Return where the score of a finished training is."""
        return self.checkpoints / f"{name}.json"

    def append(self, record: dict[str, Any]) -> None:
        """Add one line to metrics.jsonl, in one piece: several trainings write there.

        Raises:
            OSError: it could not be written, or not all of it.
        """
        line = (json.dumps(record) + "\n").encode()
        file = os.open(self.metrics, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            if os.write(file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.metrics))
        finally:
            os.close(file)

    def records(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return the lines of metrics.jsonl, of one model if named."""
        return [r for r in read_lines(self.metrics, LINE_REMEDY) if model is None or r.get("model") == model]

    def evaluations(self, model: str) -> list[dict[str, Any]]:
        """Return the lines of metrics.jsonl of one model that hold a point of its curve.

        Raises:
            BadFile: there are none, or a point lacks a number.
        """
        score = self.score(model)
        remedy = f"remove {score} and {model}.checkpoint beside it: with --resume {model} then starts anew"
        points = [r for r in self.records(model) if "validation_accuracy" in r]
        if not points:
            raise BadFile(
                self.metrics, f"is missing, or has no evaluation of the finished training {model}", remedy
            )
        for point in points:
            self._about(_Point, point, "an evaluation", remedy)
        return points

    def go_back(self, saved: Mapping[str, tuple[int, list[dict[str, Any]]] | None]) -> None:
        """Let metrics.jsonl end where each training's checkpoint does: a resumed run writes the rest again.

        The points of the curves are the checkpoint's own, should a crash have taken some from the file.

        Args:
            saved: name of a training -> the step of its checkpoint and its points until there; None to leave
                its lines as they are. Those of any other training go.

        Raises:
            BadFile: a line is damaged.
        """

        def until_there(lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
            own: dict[str, list[dict[str, Any]]] = {name: [] for name in saved}
            for record in lines:
                line = self._about(_Line, record, "a line", LINE_REMEDY)
                if line.model in own:
                    own[line.model].append(record)
            for name, position in saved.items():
                if position is None:
                    yield from own[name]
                    continue
                step, points = position
                between = [r for r in own[name] if r["step"] <= step and "validation_accuracy" not in r]
                every = [*between, *({"model": name, **point} for point in points)]
                yield from sorted(every, key=lambda record: record["step"])

        rewrite_lines(self.metrics, until_there, LINE_REMEDY)

    def _about(self, kind: type[Part], record: dict[str, Any], name: str, remedy: str) -> Part:
        """Return the fields of a line of metrics.jsonl that are asked for here; it may have others."""
        try:
            return decode(kind, {field: record[field] for field in kind._fields if field in record}, name)
        except ValueError as error:
            raise BadFile(self.metrics, f"is damaged: {error}", remedy) from None

    def require(self) -> dict[str, Any]:
        """Return config.json, of which `command` is a text and `config` an object.

        Raises:
            ValueError: the folder holds no run.
            BadFile: config.json is damaged.
        """
        if not self.config.exists():
            raise ValueError(f"{self.path} holds no run (no config.json)")
        recorded = read_object(self.config, CONFIG_REMEDY)
        command, config = recorded.get("command"), recorded.get("config")
        if not (isinstance(command, str) and command.strip() and isinstance(config, dict)):
            raise BadFile(self.config, "must hold a command and a config", CONFIG_REMEDY)
        return recorded

    def require_results(self) -> None:
        """Check that the run of this folder is finished.

        Raises:
            ValueError: it is not, and the message has the command that goes on with it; or see `require`.
        """
        command = self.require()["command"]
        if not self.results.exists():
            again = f"relational-rnn {command} --out {shlex.quote(str(self.path))} --resume"
            raise ValueError(
                f"{self.path} holds a run that is not finished (no results.json): go on with {again}"
            )


def find_output(path: Path) -> Path:
    """Return the file that is written if `path` is, see `find_target`; a run's own files are none.

    Raises:
        ValueError: it is part of a run; or see `find_target`.
        OSError: see `find_target`.
    """
    target = find_target(path)
    for folder in target.parents:
        run = RunFolder(folder)
        if run.config.exists() and run.checkpoints.is_dir():
            if target.exists() and target.relative_to(folder).parts[0] in OWN:
                raise ValueError(f"{path} is part of the run in {folder}; choose another name with --out")
            break
    return target


def config_from(entry: TaskEntry, values: Any) -> RunConfig:
    """Turn what a JSON file holds back into a configuration; a field that is absent has its part's default.

    Args:
        entry: of the task.
        values: of every field, part by part.

    Raises:
        ValueError: a field that is unknown, of another type or out of range.
    """
    parts = dict(decode(_Parts, {"config": values}, "the file").config)
    sizes = decode(_Parts, {"config": parts.pop("task", None)}, "task").config
    try:
        task = entry.factory(**{name: _plain(value) for name, value in sizes.items()})
    except (TypeError, ValueError) as error:
        raise ValueError(f"task: {error}") from None
    return decode(RunConfig, {"task": task, **parts}, "config")


class _Parts(NamedTuple):
    config: dict[str, Any]


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def leaves_of(config: Settings) -> dict[str, Any]:
    """Return the fields of all parts of a configuration by their own names, as JSON has them."""
    return flat(json.loads(json.dumps(dataclasses.asdict(config))))


def flat(config: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of all parts of a recorded configuration by their own names."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= value if isinstance(value, dict) else {name: value}
    return found


def current_commit() -> str | None:
    """Return the commit of the source that runs, with "+" if it has changes; None outside its repository."""

    def git(*arguments: str) -> str:
        source = Path(relational_rnn.__file__).parent
        done = subprocess.run(
            ["git", *arguments], cwd=source, capture_output=True, text=True, check=True, timeout=10
        )
        return done.stdout.strip()

    try:
        # An installed copy may lie inside somebody else's repository, which does not track it.
        git("ls-files", "--error-unmatch", "__init__.py")
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None
