"""Progress and results on a screen that nobody reads, that is closed or that knows only ASCII."""

import io
import sys
import time

import pytest

from relational_rnn.training.screen import lasting, say_error, silence


def test_what_nobody_reads_is_dropped(unread):
    stream = lasting(unread)
    for _ in range(2):
        print("a line", file=stream, flush=True)
    unread.write("a line")
    unread.close()  # writes what is left, which would fail too


def test_the_writer_without_it_fails(unread):
    with pytest.raises(BrokenPipeError):
        print("a line", file=unread, flush=True)
    silence(unread)


def test_a_stream_that_is_closed_or_full_or_none():
    closed = io.StringIO()
    closed.close()
    print("a line", file=lasting(closed), flush=True)

    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    print("a line", file=lasting(Full()), flush=True)
    assert lasting(None) is None


def test_characters_that_the_encoding_lacks():
    written = io.BytesIO()
    stream = lasting(io.TextIOWrapper(written, encoding="ascii"))
    print("2 ± 1", file=stream, flush=True)
    assert written.getvalue().split() == [b"2", b"?", b"1"]
    assert stream.encoding == "ascii"


def test_errors_go_to_stderr_alone(monkeypatch, capsys, unread):
    say_error("error: no")
    monkeypatch.setattr(sys, "stderr", unread)
    say_error("error: no")
    monkeypatch.setattr(sys, "stderr", None)
    say_error("error: no")
    monkeypatch.undo()
    assert capsys.readouterr() == ("", "error: no\n")


def test_live_tables_and_bars_go_on_unread(monkeypatch, unread):
    from relational_rnn.cli.progress import Display
    from relational_rnn.cli.run import make_console
    from relational_rnn.training.trainer import _progress_bar

    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the stream for a terminal
    monkeypatch.setattr(sys, "stdout", unread)
    record = {"step": 1, "seconds": 1.0, "examples": 16, "progress": 0.5, "loss": 2.5}
    console = make_console(of_training=True)
    assert console.is_terminal
    with Display(console, {"rmc": "RMC"}, {"loss": ("loss", "{:.3f}")}) as display:
        display.show("rmc", record)
        time.sleep(0.3)  # the table is drawn by a thread, four times a second
    with _progress_bar(True) as show:
        show(record)
        time.sleep(0.15)
    assert sys.stdout is unread
