"""The command itself: its streams, whatever they are, and its exit codes."""

import io
import os
import re
import subprocess
import sys

import pytest

from relational_rnn.cli.choice import OPTIONS
from relational_rnn.cli.commands import COMMANDS
from relational_rnn.cli.main import main
from relational_rnn.tasks import TASKS

COMMAND = [sys.executable, "-m", "relational_rnn"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["train", "sorting", "--help"],
        ["tasks", "list"],
        ["tasks", "sample", "sorting", "--count", "5000"],
        ["check-gradients", "lstm", "--entries", "1", "--steps", "2"],
    ],
    ids=" ".join,
)
@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_a_reader_that_has_seen_enough(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, *arguments], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_help_lists_the_tasks_and_imports_only_what_it_shows():
    code = (
        "import sys; from relational_rnn.cli.commands import COMMANDS\n"
        "from relational_rnn.cli.choice import OPTIONS; from relational_rnn.cli.main import main\n"
        "codes = [main([*command.split(), '--help']) for command in ('', *OPTIONS)]\n"
        "sys.exit('the parser') if 'tyro' in sys.modules else None\n"
        "codes += [main([name, '--help']) for name in COMMANDS]\n"
        "codes += [main([name, 'pair-matching', '--help']) for name in ('train', 'ablate')]\n"
        "rooms = [f'relational_rnn.{room}' for room in ('analysis', 'experiments', 'reference')]\n"
        "heavy = {'torch', 'matplotlib', 'jaxtyping', 'multiprocessing', *rooms}\n"
        "sys.exit(str([*codes, *(sys.modules.keys() & heavy)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == f"{[0] * (1 + len(OPTIONS) + len(COMMANDS) + 2)}\n"
    usage, _, rest = done.stdout.partition("relational-rnn COMMAND --help")
    train = rest.partition("usage: relational-rnn train TASK")[2]
    for name, entry in TASKS.items():
        for shown in (usage, train):
            assert f"  {name:<15}  {entry.description}\n" in shown


@pytest.mark.parametrize("command", OPTIONS)
def test_the_help_before_a_task_is_named_has_options_that_there_are(command, capsys):
    task = "language" if command == "plan" else "sorting"
    assert main([*command.split(), task, "--help"]) == 0
    told = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    for flag in OPTIONS[command]:
        assert f"{flag.split()[0]} " in told


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["trian", "sorting"], "there is no command 'trian' (did you mean train?)"),
        (["--versoin"], "there is no command '--versoin' (did you mean --version?)"),
        (
            ["pair_matching"],
            "'pair_matching' (pair-matching is a task: relational-rnn train pair-matching)",
        ),
        (["train", "sorting", "--preset"], "--preset needs a value"),
        (["train", "sorting", "--out", "--steps", "3"], "--out needs a value"),
        (["train", "sortin"], "there is no task 'sortin' (did you mean sorting?)"),
        (["train", "sorting", "--preset", "tinny"], "no preset 'tinny' for sorting (did you mean tiny?)"),
        (["train", "sorting", "--models", "ltsm"], "got 'ltsm' (did you mean lstm?)"),
        (["train", "sorting", "--modells", "rmc"], "--models"),
        (["tasks", "sample", "pair_match"], "there is no task 'pair_match' (did you mean pair-matching?)"),
    ],
)
def test_the_nearest_name(arguments, near, capsys):
    assert main(arguments) == 2
    assert near in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_an_error_that_nobody_reads_is_still_one(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as unread:
        monkeypatch.setattr(sys, "stderr", unread)
        assert main(["chess"]) == 2
        assert main(["tasks", "sample", "chess"]) == 2
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["chess"]) == 2


def test_output_that_cannot_be_written_is_an_error(monkeypatch, capsys):
    class Full(io.StringIO):
        def flush(self):
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Full())
        assert main(["tasks", "list"]) == 1
    assert "no space left on device" in capsys.readouterr().err


def test_an_encoding_that_lacks_characters(monkeypatch):
    shown = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr("relational_rnn.cli.main.usage", lambda: "2 ± 1")
    monkeypatch.setattr(sys, "stdout", shown)
    assert main(["--help"]) == 0
    assert shown.buffer.getvalue().split() == [b"2", b"?", b"1"]
    assert shown.errors == "strict"


@pytest.mark.skipif(os.name == "nt", reason="descriptors")
def test_closed_streams_are_led_nowhere(tmp_path):
    code = (
        "import os, sys; from relational_rnn.cli import main\n"
        "main.usage = lambda: open(sys.argv[2], 'w').write(' '.join(map(os.readlink, paths)))\n"
        "paths = [f'/proc/self/fd/{n}' for n in range(3)] if os.path.exists('/proc/self/fd') else []\n"
        "sys.exit(main.main())"
    )
    command = [sys.executable, "-c", code, "--help", str(tmp_path / "found")]
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command], capture_output=True, check=False
    )
    assert (closed.returncode, closed.stdout, closed.stderr) == (0, b"", b"")
    assert set((tmp_path / "found").read_text().split()) <= {os.devnull}


def test_a_broken_library_is_told_and_a_fault_of_ours_is_not_hidden(monkeypatch, capsys):
    from relational_rnn.cli import tasks

    def fails(argv):
        raise ImportError("torch cannot be imported here: libgomp.so.1", name="torch")

    monkeypatch.setattr(tasks, "main", fails)
    assert main(["tasks"]) == 1
    assert capsys.readouterr().err == "error: torch cannot be imported here: libgomp.so.1\n"

    def wrong(argv):
        raise ImportError("cannot import name 'lits'", name="relational_rnn.tasks")

    monkeypatch.setattr(tasks, "main", wrong)
    with pytest.raises(ImportError, match="lits"):
        main(["tasks"])
