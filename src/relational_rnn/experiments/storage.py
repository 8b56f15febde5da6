"""The database that a study of Optuna's is in: an SQLite file, or a server's."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from relational_rnn.training.files import find_target

R = TypeVar("R")

WITH_TIMEOUT = ("psycopg", "psycopg2", "pymysql", "mysqldb")
"""Drivers that take `connect_timeout`: without it a server that is gone keeps them waiting for minutes."""


class Place(NamedTuple):
    """Where a study is."""

    storage: str
    """Path of an SQLite file, or URL of a database."""
    name: str
    """Of the study in it."""
    grace: int = 120
    """Seconds without a heartbeat after which a trial is given to another worker; half of them without the
    storage, and it counts as lost."""

    @property
    def shown(self) -> str:
        """The storage as it may be shown: without a password, and without options, which may hold one.

        Example:
            >>> Place("postgresql://me:secret@host:5432/db?sslpassword=secret", "ours").shown
            'postgresql://me@host:5432/db'
        """
        url, (scheme, is_url, _) = self._url, self.storage.partition("://")
        if url is None:  # nobody knows then which part is the password
            return f"{scheme}://..." if is_url else self.storage
        host = url.host and url.host.rpartition("@")[2]  # of a password with an @
        return URL.create(url.drivername, url.username, None, host, url.port, url.database).render_as_string()

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database, None if a server keeps the study.

        Raises:
            ValueError: none is named.
        """
        if "://" not in self.storage:
            if not self.storage.strip():
                raise ValueError("give the path of a file or the URL of a database")
            return Path(self.storage)
        url = self._url
        if url is None:
            raise ValueError("SQLAlchemy cannot read this URL")
        if url.get_backend_name() != "sqlite":
            return None
        if not url.database or url.database == ":memory:" or url.host or url.query:
            raise ValueError("workers share a file: give its path, or sqlite:///PATH and nothing more")
        return Path(url.database)

    def told(self, error: BaseException) -> str:
        """Return the first line of what is at the root of an error of this storage, without a password."""
        while (root := error.__cause__ or error.__context__) is not None:
            error = root
        said = str(
            error.args[0] if isinstance(error, KeyError) and error.args else error
        )  # a key comes in quotes
        told = next(iter(said.splitlines()), "") or type(error).__name__
        return told.replace(str(self._url.password), "***") if self._url and self._url.password else told

    @property
    def _url(self) -> URL | None:
        try:
            return make_url(self.storage)
        except (ArgumentError, ValueError):
            return None


class Database(RDBStorage):
    """Optuna's, with heartbeats that may miss it for a while.

    Args:
        place: where it is.
        owner: whose attempts the heartbeats are for.
        create: whether to make an SQLite file that is not there.

    Raises:
        Exception: it cannot be used; each kind of database has its own errors.
    """

    def __init__(self, place: Place, owner: str, *, create: bool) -> None:
        self.grace, self.owner = place.grace, owner
        self.used = time.monotonic()
        """When it was last known to work."""
        self.returned = False
        """Whether the attempt was given to another worker, as that of one who is dead."""
        url, options = _engine_of(place, create)
        beat = max(1, place.grace // 4)
        quietly(super().__init__, url, options, heartbeat_interval=beat, grace_period=place.grace)
        if place.file is not None:
            event.listen(self.engine, "begin", _begin_immediately)

    def record_heartbeat(self, trial_id: int) -> None:
        """Beat; a beat that fails is missed, and `silent` says when too many were."""
        with contextlib.suppress(Exception):  # each kind of database has its own
            super().record_heartbeat(trial_id)
            trial = self.get_trial(trial_id)
            self.returned = not self.holds(trial)
            if not self.returned and "worker" not in trial.user_attrs:
                self.set_trial_user_attr(trial_id, "worker", self.owner)
            self.used = time.monotonic()

    def holds(self, trial: FrozenTrial) -> bool:
        """Return whether an attempt is still its owner's."""
        return trial.state == TrialState.RUNNING and trial.user_attrs.get("worker", self.owner) == self.owner

    @property
    def silent(self) -> bool:
        """Whether the database could not be used for so long that it counts as lost."""
        return time.monotonic() - self.used > self.grace / 2

    @property
    def in_vain(self) -> bool:
        """Whether to stop training."""
        return self.returned or self.silent


def _engine_of(place: Place, create: bool) -> tuple[str, dict[str, Any]]:
    """Return the URL of a database for Optuna, and the options of SQLAlchemy's engine."""
    timeout, file = max(1, place.grace // 8), place.file
    options: dict[str, Any] = {"poolclass": NullPool}  # a kept connection does not notice a replaced file
    if file is None:
        if make_url(place.storage).get_dialect().driver in WITH_TIMEOUT:
            options["connect_args"] = {"connect_timeout": timeout}
        return place.storage.replace("{", "{{").replace("}", "}}"), options  # Optuna formats it
    path = find_target(file)  # opening a FIFO would wait for ever
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError("this file may not be read and written")
    if create:
        path.touch()
    address = f"{path.as_uri()}?mode=rw"  # never made by opening: an empty file would hide that one was lost
    options["creator"] = lambda: sqlite3.connect(address, timeout, uri=True, isolation_level=None)
    return "sqlite://", options


def quietly(function: Callable[..., R], *arguments: Any, **options: Any) -> R:
    """Call what Optuna has marked as experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return function(*arguments, **options)


def _begin_immediately(connection: Connection) -> None:
    """Lock SQLite when a transaction begins: else two workers read that a trial waits, and both take it."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
