"""A run folder: what is in it, and the rule that nothing in it is overwritten by accident.

config.json (configuration, version, commit), metrics.jsonl (a record a line), results.json, report.html,
checkpoints/, plots/.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import relational_rnn
from relational_rnn.tasks import TaskEntry
from relational_rnn.training.config import FREE, PARTS, RunConfig
from relational_rnn.training.files import (
    check_folder,
    find_target,
    kind_of,
    read_json,
    read_lines,
    write_json,
    write_text,
)


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

    def create(self, command: str, config: RunConfig[Any], resume: bool) -> None:
        """Make the folder, or with `resume` check that it holds the same run.

        Args:
            command: what made the run.
            config: of the run.
            resume: go on in a folder.

        Raises:
            ValueError: the folder is not empty and `resume` is off; or it is on and the folder holds no
                run, or one with another configuration.
            OSError: nothing can be written there.
        """
        if resume:
            if not self.config.exists():
                raise ValueError(f"nothing to resume: {self.path} holds no run (no config.json)")
            recorded = read_json(self.config)
            previous = {"command": recorded.get("command"), **flat(recorded.get("config", {}))}
            now = {"command": command, **leaves_of(config)}
            changed = [name for name in now if name not in FREE and previous.get(name) != now[name]]
            if changed:
                told = ", ".join(
                    f"{name}: {previous.get(name)!r} there, {now[name]!r} now" for name in changed
                )
                raise ValueError(
                    f"{self.path} holds a run with other settings ({told}); resume with the same ones"
                )
            self._check_writable()
            return
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} is {kind_of(self.path)}; a run needs a folder")
        if self.path.exists() and any(self.path.iterdir()):
            raise ValueError(
                f"{self.path} is not empty; choose another folder with --out, or go on there with --resume"
            )
        record = {
            "command": command,
            "version": relational_rnn.__version__,
            "commit": current_commit(),
            "python": platform.python_version(),
            "seed": config.seed,
            "config": dataclasses.asdict(config),
        }
        write_json(self.config, record)

    def _check_writable(self) -> None:
        """Check now what a run writes only at its end."""
        for folder in (self.path, self.checkpoints, self.plots):
            check_folder(folder)
        for file in (self.config, self.metrics, self.results, self.report):
            find_target(file)

    def weights(self, name: str) -> Path:
        """Return where the final weights of a training are."""
        return self.checkpoints / f"{name}.safetensors"

    def score(self, name: str) -> Path:
        """Return where the score of a finished training is."""
        return self.checkpoints / f"{name}.json"

    def append(self, record: dict[str, Any]) -> None:
        """Add one line to metrics.jsonl."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def records(self, model: str | None = None) -> list[dict[str, Any]]:
        """Return the lines of metrics.jsonl, of one model if named."""
        return [r for r in read_lines(self.metrics) if model is None or r["model"] == model]

    def evaluations(self, model: str) -> list[dict[str, Any]]:
        """Return the lines of metrics.jsonl of one model that hold a point of its curve."""
        return [r for r in self.records(model) if "validation_accuracy" in r]

    def forget_after(self, steps: dict[str, int]) -> None:
        """Drop the lines that come after each model's last checkpoint: a resumed run writes them again."""
        kept = [r for r in read_lines(self.metrics) if r["step"] <= steps.get(r["model"], 0)]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        write_text(self.metrics, text)

    def require(self) -> dict[str, Any]:
        """Return config.json.

        Raises:
            ValueError: the folder holds no run.
        """
        if not self.config.exists():
            raise ValueError(f"{self.path} holds no run (no config.json)")
        return dict(read_json(self.config))


def config_from(entry: TaskEntry, values: dict[str, Any]) -> RunConfig[Any]:
    """Turn what a JSON file holds back into a configuration.

    Args:
        entry: of the task.
        values: of every field, part by part.

    Raises:
        TypeError, ValueError: a field that is missing, unknown or out of range.
    """
    kinds = {**PARTS, "task": entry.factory}  # which names a size that the task lacks
    parts = {
        name: kinds[name](**{leaf: _plain(value) for leaf, value in part.items()}) if name in kinds else part
        for name, part in values.items()
    }
    return RunConfig(**parts)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def leaves_of(config: RunConfig[Any]) -> dict[str, Any]:
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
