"""What stands for a training in a process of its own; such a process imports it by its name."""

import os
import signal
import time

LONG = 60.0
"""Seconds after which a training here gives up."""


def train(name, report, stopped):
    """Do what the name says, and report all the time."""
    end = time.monotonic() + LONG
    report({"step": 0})
    if name == "exits":
        os._exit(3)
    if name == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "fails":
        raise ValueError("this one fails")
    while name == "goes on" and not stopped() and time.monotonic() < end:
        report({"step": 1})
    report({"step": 2, "late": time.monotonic() > end})
