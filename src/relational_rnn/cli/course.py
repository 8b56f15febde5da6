"""`relational-rnn course`: list the exercises, start one, check it, measure, show its solution."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import tyro

from relational_rnn.cli.arguments import NUMBERS
from relational_rnn.cli.choice import check_first

if TYPE_CHECKING:
    from relational_rnn.course import Exercise, Result

Number = Annotated[int, tyro.conf.Positional, tyro.conf.arg(metavar="N")]
WIDTH: Final = 96
LONGEST: Final = 86_400.0
NOTEBOOK: Final = ".ipynb"


@dataclass(frozen=True, kw_only=True)
class CourseList:
    """List the exercises."""

    def run(self) -> int:
        """Print a line an exercise; return the exit code."""
        from relational_rnn.course import EXERCISES
        from relational_rnn.course.registry import material

        for exercise in EXERCISES.values():
            needs = f", needs {exercise.needs}" if exercise.needs else ""
            print(f"{exercise.number:2}  {exercise.title} ({exercise.minutes} minutes{needs})")
        print(f"\nWhat the course is, and how to work: {material() / 'README.md'}")
        print("Begin: relational-rnn course start 1")
        return 0


@dataclass(frozen=True, kw_only=True)
class CourseStart:
    """Put the starter of an exercise into a folder; nothing is overwritten."""

    number: Number
    """Number of the exercise."""
    into: Path = Path()
    """Folder; it is made if it is not there."""

    def run(self) -> int:
        """Copy the file; return the exit code."""
        from relational_rnn.config.paths import kind_of
        from relational_rnn.course import find_exercise
        from relational_rnn.training.files import check_folder

        exercise = find_exercise(self.number)
        if self.into.exists() and not self.into.is_dir():
            raise ValueError(f"--into takes a folder, and {self.into} is {kind_of(self.into)}")
        check_folder(self.into)
        target = self.into / exercise.file_name
        self.into.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("x", encoding="utf-8") as file:
                file.write(exercise.starter.read_text(encoding="utf-8"))
        except FileExistsError:
            raise ValueError(
                f"{target} is there already; move it away to start anew. The lesson: {exercise.page}"
            ) from None
        print(f"Exercise {exercise.number}: {exercise.title}")
        print(f"read     {exercise.page}")
        print(f"edit     {target}")
        print(f"check    relational-rnn course check {exercise.number}{_argument(self.into, target)}")
        if exercise.measured:
            print(f"measure  relational-rnn course measure {exercise.number} {shlex.quote(str(target))}")
        return 0


@dataclass(frozen=True, kw_only=True)
class CourseCheck:
    """Check what you wrote; says in words what is wrong. Exit code 0 if all is right, 1 if not."""

    number: Number
    """Number of the exercise."""
    file: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[FILE]")] = None
    """Your file; without it the exercise's file in this folder, else that of the checkout's course."""
    seconds: float = 60.0
    """Most time of one check; a file that takes longer has a loop without an end."""

    def run(self) -> int:
        """Print a line a check; return the exit code."""
        from relational_rnn.config.checks import check_number
        from relational_rnn.config.paths import check_file
        from relational_rnn.course import EXERCISES, find_exercise
        from relational_rnn.course.apart import check_apart
        from relational_rnn.training.screen import say_error

        exercise = find_exercise(self.number)
        if check_number("seconds", self.seconds, maximum=LONGEST) <= 0:
            raise ValueError(f"seconds must be above 0, got {self.seconds}")
        path = check_file(_there(self.file or _find(exercise)))
        _check_whose(path, exercise, "check")
        print(f"Exercise {exercise.number}: {exercise.title}\n{path}{_which(path, exercise, self.file)}")
        function, results = "", []
        for result in check_apart(exercise, path, self.seconds, say_error):
            results.append(result)
            if result.function != function:
                function = result.function
                print(f"\n{function}")
            print("\n".join(_lines(result)), flush=True)
        wrong = [result for result in results if not result.passed]
        if wrong:
            where = ", ".join(result.function or path.name for result in wrong)
            print(f"\nTo do: {where}\nThe lesson: {exercise.page}")
            return 1
        print(f"\nAll {len(results)} checks pass.")
        print(f"compare  relational-rnn course solution {exercise.number}")
        if exercise.measured:
            print(f"measure  relational-rnn course measure {exercise.number} {shlex.quote(str(path))}")
        print(f"answer   the questions at the end of {exercise.page}")
        if exercise.number + 1 in EXERCISES:
            print(f"go on    relational-rnn course start {exercise.number + 1}")
        return 0


@dataclass(frozen=True, kw_only=True)
class CourseMeasure:
    """Print the tables that an exercise's page shows as measured; takes up to some minutes."""

    number: Number
    """Number of the exercise."""
    file: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[FILE]")] = None
    """Your file, whose functions are used; without it the solution's are."""
    script: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Your copy of the measurement, with other settings; without it the course's, which is named first."""

    def run(self) -> int:
        """Print the tables; return the exit code."""
        from relational_rnn.config.paths import check_file
        from relational_rnn.course import EXERCISES, WrongAnswer, find_exercise
        from relational_rnn.course.measuring import measure
        from relational_rnn.training.screen import say_error

        exercise = find_exercise(self.number)
        if not exercise.measured:
            measured = ", ".join(str(one.number) for one in EXERCISES.values() if one.measured)
            raise ValueError(f"exercise {exercise.number} has no measurement; exercises with one: {measured}")
        path = check_file(_there(self.file or exercise.solution))
        _check_whose(path, exercise, "measure")
        script = check_file(_there(self.script or exercise.measurement))
        print(f"Measurement of exercise {exercise.number}: {script}")
        print(f"with the functions of {path}\n", flush=True)
        try:
            measure(exercise, path, script)
        except WrongAnswer as wrong:
            say_error(f"error: {wrong}")
            if self.file and str(wrong).startswith(f"{path}: "):
                say_error(f"try:   relational-rnn course check {exercise.number} {shlex.quote(str(path))}")
            return 1
        return 0


@dataclass(frozen=True, kw_only=True)
class CourseSolution:
    """Print the solution of an exercise."""

    number: Number
    """Number of the exercise."""

    def run(self) -> int:
        """Print the file; return the exit code."""
        from relational_rnn.course import find_exercise

        print(find_exercise(self.number).solution.read_text(encoding="utf-8"), end="")
        return 0


COMMANDS: Final[dict[str, Any]] = {
    "list": CourseList,
    "start": CourseStart,
    "check": CourseCheck,
    "measure": CourseMeasure,
    "solution": CourseSolution,
}


def main(argv: Sequence[str]) -> int:
    """Run one of the commands; return the exit code."""
    check_first("course", "command", argv, COMMANDS)
    _check_number_first(argv)
    command: CourseList | CourseStart | CourseCheck | CourseMeasure | CourseSolution
    command = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="relational-rnn course",
        args=list(argv) or ["list"],
        config=(tyro.conf.OmitArgPrefixes,),
        registry=NUMBERS,
    )
    try:
        return command.run()
    except KeyboardInterrupt as stop:
        if str(stop):
            from relational_rnn.training.screen import say_error

            say_error(str(stop))
        raise


def _find(exercise: Exercise) -> Path:
    """Return the file to check: the one in this folder, else the one in the checkout's course."""
    from relational_rnn.course.registry import in_checkout

    here = Path(exercise.file_name)
    if here.is_file():
        return here
    if in_checkout():
        return exercise.starter
    raise ValueError(
        f"there is no {here} in this folder: `relational-rnn course start {exercise.number}` puts it here, "
        f"or name yours: `relational-rnn course check {exercise.number} FILE`"
    )


def _check_number_first(argv: Sequence[str]) -> None:
    """Raise ValueError if a file stands where `check` and `measure` take an exercise's number."""
    command, word = (*argv[:2], "", "")[:2]
    path = Path(word)
    if command not in ("check", "measure") or not (path.suffix in (".py", NOTEBOOK) or path.is_file()):
        return
    _check_kind(path, "N", command)
    from relational_rnn.course import EXERCISES
    from relational_rnn.course.registry import belongs_to

    known = {one.file_name: str(one.number) for one in EXERCISES.values()}
    number = str(belongs_to(path, EXERCISES[1]).number) if path.is_file() else known.get(path.name, "N")
    raise ValueError(
        f"course {command} takes the exercise's number first; did you mean "
        f"`relational-rnn course {command} {number} {shlex.quote(word)}`?"
    )


def _check_kind(path: Path, number: str, command: str) -> None:
    """Raise ValueError if a file is a notebook."""
    if path.suffix == NOTEBOOK:
        raise ValueError(
            f"this is a notebook: {path}; course {command} takes a Python file. "
            f"`relational-rnn course start {number}` makes one; put your functions there"
        )


def _check_whose(path: Path, exercise: Exercise, command: str) -> None:
    """Raise ValueError if a file is a notebook, or that of another exercise."""
    from relational_rnn.course.registry import belongs_to

    _check_kind(path, str(exercise.number), command)
    if (other := belongs_to(path, exercise)) != exercise:
        command = command if other.measured else "check"
        raise ValueError(
            f"this is exercise {other.number}'s file: {path}; did you mean "
            f"`relational-rnn course {command} {other.number} {shlex.quote(str(path))}`?"
        )


def _which(path: Path, exercise: Exercise, named: Path | None) -> str:
    """Say why a file was taken that nobody named, and that nothing is written in it yet."""
    where = ""
    if named is None and path == exercise.starter:
        where = f"\nThat is the checkout's file: there is no {exercise.file_name} in this folder."
    unchanged = path.read_bytes() == exercise.starter.read_bytes()
    return f"{where}\nThis is the unchanged starter: nothing is written yet." if unchanged else where


def _there(path: Path) -> Path:
    """Return a path where something is."""
    if not path.exists():
        raise ValueError(f"there is no file {path}")
    return path


def _argument(folder: Path, target: Path) -> str:
    return "" if folder.resolve() == Path.cwd() else f" {shlex.quote(str(target))}"


def _lines(result: Result) -> list[str]:
    """Return what a result looks like."""
    lines = [f"  {'passed' if result.passed else 'FAILED'}  {result.tried}"]
    if not result.passed:
        indent = " " * 10
        lines += textwrap.wrap(
            result.message,
            WIDTH,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    if result.untried:
        checks = "check waits" if result.untried == 1 else "checks wait"
        lines.append(f"          ({result.untried} more {checks} for this one)")
    return lines
