"""What tasks keep of the network: the folder for it, and how a file comes from there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

TIMEOUT: Final = 30.0


def cache_folder() -> Path:
    """Return the folder where downloads are kept: `.cache/relational-rnn` at home.

    Raises:
        OSError: there is no home.
    """
    try:
        home = Path.home()
    except RuntimeError as wrong:  # no HOME, and a user whom the system does not know
        raise OSError("there is no home folder to keep downloads in: set HOME, or name a folder") from wrong
    return home / ".cache" / "relational-rnn"


def retrieve(address: str, file: Path) -> None:
    """Write what is at an address to a file.

    Raises:
        OSError: the network or the disk fails.
    """
    import http.client  # here, because the network takes longer to import than all tasks together
    import urllib.request

    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as answer, file.open("wb") as target:
            shutil.copyfileobj(answer, target)
    except http.client.HTTPException as wrong:
        raise OSError(f"the download was cut off: {wrong!r}") from wrong


def put_in_place(made: Path, folder: Path) -> None:
    """Let a finished folder take the place of another one, if there is one."""
    if folder.exists():
        shutil.rmtree(folder)
    made.rename(folder)
