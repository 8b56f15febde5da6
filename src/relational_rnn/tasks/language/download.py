"""Public texts by name: from the cache, or downloaded into it and checked."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import IO, Final, NamedTuple

from relational_rnn.config.paths import in_words
from relational_rnn.tasks.downloads import cache_folder, put_in_place, retrieve

BLOCK: Final = 1 << 20
"""Bytes that are read at once."""


class Published(NamedTuple):
    """A text that somebody publishes."""

    address: str
    """Of the text, or of a .zip with its files."""
    check: str
    """Of what is there: the name of a hash, and the hash."""
    files: tuple[str, ...]
    """Of the text, as they are kept."""
    licence: str


WIKITEXT: Final = ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens")

TEXTS: Final[dict[str, Published]] = {
    "wikitext-2": Published(
        "https://wikitext.smerity.com/wikitext-2-v1.zip",
        "md5 542ccefacc6c27f945fb54453812b3cd",
        WIKITEXT,
        "CC BY-SA 3.0, Merity et al. 2016",
    ),
    "wikitext-103": Published(
        "https://wikitext.smerity.com/wikitext-103-v1.zip",
        "md5 9ddaacaf6af0710eda8c456decff7832",
        WIKITEXT,
        "CC BY-SA 3.0, Merity et al. 2016",
    ),
    "tiny-shakespeare": Published(
        "https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/"
        "data/tinyshakespeare/input.txt",
        "sha256 86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ("input.txt",),
        "public domain",
    ),
}
"""Texts that `--data` knows by name. The hashes of WikiText are those of torchtext."""


def folder_of(name: str) -> Path:
    """Return the folder of a text in the cache, `.cache/relational-rnn/texts` at home.

    Raises:
        OSError: there is no home.
    """
    return cache_folder() / "texts" / name


def is_kept(name: str) -> bool:
    """Say whether a text is in the cache."""
    try:
        return name in TEXTS and all((folder_of(name) / file).is_file() for file in TEXTS[name].files)
    except OSError:
        return False


def fetch(name: str) -> tuple[Path, str]:
    """Return the folder of a text, and where it comes from in words; download it if the cache lacks it.

    Args:
        name: one of `TEXTS`.

    Raises:
        OSError: the network, the archive or the disk fails, or it is another text; the message names the
            folder where the files can be put.
    """
    folder, text = folder_of(name), TEXTS[name]
    if is_kept(name):
        return folder, f"the cache, {folder}"
    try:
        _download(text, folder)
    except OSError as wrong:
        raise OSError(
            f"{name} cannot be had from {text.address}: {in_words(wrong)}; put {', '.join(text.files)} into "
            f"{folder}, or name another folder or file as data"
        ) from wrong
    return folder, f"{text.address}, kept in {folder} ({text.licence})"


def _download(text: Published, folder: Path) -> None:
    """Download a text, check it and put it in its place, whole or not at all.

    Raises:
        OSError: something fails, or it is another text.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        got, made = Path(temporary) / "download", Path(temporary) / "text"
        made.mkdir()
        retrieve(text.address, got)
        kind, _, wanted = text.check.partition(" ")
        with got.open("rb") as file:
            found = _hash(kind, file)
        if found != wanted:
            raise OSError(f"what is there is another text: its {kind} is {found}, not {wanted}")
        if text.address.endswith(".zip"):
            _unpack(got, text.files, made)
        else:
            got.rename(made / text.files[0])
        put_in_place(made, folder)  # what was there was not whole, else there would be no download


def _hash(kind: str, file: IO[bytes]) -> str:
    found = hashlib.new(kind, usedforsecurity=False)
    while block := file.read(BLOCK):
        found.update(block)
    return found.hexdigest()


def _unpack(archive: Path, files: tuple[str, ...], folder: Path) -> None:
    """Write some files of an archive, whatever folder they are in there.

    Raises:
        OSError: it is damaged, or lacks one.
    """
    import zipfile

    try:
        with zipfile.ZipFile(archive) as packed:
            names = {PurePosixPath(name).name: name for name in packed.namelist()}
            for file in files:
                if file not in names:
                    raise OSError(f"the archive has no {file}")
                with packed.open(names[file]) as source, (folder / file).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except zipfile.BadZipFile as wrong:
        raise OSError(f"the archive is damaged: {wrong}") from wrong
