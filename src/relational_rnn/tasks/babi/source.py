"""Where the files of the stories are: a given folder, the cache, the network, or nowhere."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from relational_rnn.config.checks import check_choice
from relational_rnn.config.paths import in_words
from relational_rnn.tasks.downloads import cache_folder, put_in_place, retrieve

ADDRESS = "https://huggingface.co/datasets/facebook/babi_qa/resolve/main/data/tasks_1-20_v1-2.tar.gz"
"""Version 1.2, CC BY 3.0."""

VARIANTS = ("en", "en-10k", "en-valid", "en-valid-10k")
"""Folders of the data set: 1,000 or 10,000 questions of a task to learn from, without or with validation."""

SPLITS = ("train", "valid", "test")

_ARCHIVE = "tasks_1-20_v1-2"
_FILE = re.compile(rf"qa(\d+)_(?:.*_)?({'|'.join(SPLITS)})\.txt")


class Source(NamedTuple):
    """Where stories come from."""

    directory: Path | None
    """The folder with the files; None if the stories have to be synthetic."""
    how: str
    """In one line, for people."""


def default_cache() -> Path:
    """Return the folder where downloads are kept: `.cache/relational-rnn/babi` at home.

    Raises:
        OSError: there is no home.
    """
    return cache_folder() / "babi"


def files_in(directory: Path) -> dict[tuple[int, str], Path]:
    """Return the story files of a folder, if any, by number of the task and split (train, valid or test)."""
    if not directory.is_dir():
        return {}
    named = ((path, _FILE.fullmatch(path.name)) for path in sorted(directory.iterdir()))
    return {(int(match[1]), match[2]): path for path, match in named if match}


def find(
    data_dir: Path | None = None,
    *,
    variant: str = "en",
    cache: Path | None = None,
    may_download: bool = True,
    address: str = ADDRESS,
) -> Source:
    """Find the files: in `data_dir` if one is given, else in the cache, else by a download into the cache.

    Args:
        data_dir: a folder with files like `qa1_..._train.txt`, or with a folder `variant` that has them.
        variant: one of `VARIANTS`.
        cache: where downloads are kept; None for `default_cache()`.
        may_download: whether to try the network.
        address: of the archive.

    Returns:
        The folder and how it was found. Without a folder: `how` says why, and synthetic stories are left.

    Raises:
        ValueError: unknown variant, or `data_dir` has no such files: who names a folder wants no other.
    """
    check_choice("variant", variant, VARIANTS)
    if data_dir is not None:
        for directory in (data_dir, data_dir / variant, data_dir / _ARCHIVE / variant):
            if files_in(directory):
                return Source(directory, f"bAbI stories from {directory}")
        raise ValueError(
            f"{data_dir} has no bAbI files: none like qa1_..._train.txt is in it or in its folder {variant}"
        )
    try:
        cache = default_cache() if cache is None else cache
        directory = cache / _ARCHIVE / variant
        there = files_in(directory)
    except OSError as wrong:
        return Source(None, f"synthetic stories: {in_words(wrong)}")
    if there:
        return Source(directory, f"bAbI stories from the cache, {directory}")
    if not may_download:
        return Source(None, f"synthetic stories: no bAbI files in {directory}, and no download was wanted")
    try:
        download(cache, address)
        if not files_in(directory):
            raise OSError(f"the archive has no stories of {variant}")
    except OSError as wrong:
        return Source(
            None, f"synthetic stories: no bAbI files in {directory} nor from {address}: {in_words(wrong)}"
        )
    return Source(directory, f"bAbI stories downloaded from {address} to {directory}")


def download(cache: Path, address: str = ADDRESS) -> None:
    """Download the archive and keep its English stories in `cache`, instead of those that are there.

    Raises:
        OSError: the network, the archive or the disk fails; what the cache had is untouched.
    """
    kept = (cache / _ARCHIVE).resolve()  # a link stays a link
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as temporary:
        packed, unpacked = Path(temporary) / "archive", Path(temporary) / _ARCHIVE
        retrieve(address, packed)
        _unpack(packed, unpacked)
        put_in_place(unpacked, kept)


def _unpack(archive: Path, directory: Path) -> None:
    """Write the stories of the English variants to `directory`; other files of the archive have no effect.

    Raises:
        OSError: the archive is damaged or has no stories.
    """
    import tarfile

    directory.mkdir()
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                content = tar.extractfile(member)
                if content is not None and name.parent.name in VARIANTS and _FILE.fullmatch(name.name):
                    target = directory / name.parent.name / name.name
                    target.parent.mkdir(exist_ok=True)
                    target.write_bytes(content.read())
    except (tarfile.TarError, EOFError) as wrong:
        raise OSError(f"the archive is damaged: {wrong}") from wrong
    if not any(directory.iterdir()):
        raise OSError("the archive has no stories")
