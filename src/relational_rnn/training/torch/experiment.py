"""Nth farthest for experiments of many runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from relational_rnn.training.common.experiment import Report, Stopped
from relational_rnn.training.common.nth_farthest import NthFarthestSettings
from relational_rnn.training.common.records import RunFolder
from relational_rnn.training.torch import run
from relational_rnn.training.torch.models import contestants


@dataclass(frozen=True)
class NthFarthestTrainer:
    """Trains runs of Nth farthest."""

    task: str = "nth-farthest"

    def check(self, settings: NthFarthestSettings) -> None:
        """Check that no opponent is smaller than the RMC, and that the device is there."""
        run.check(settings)

    def trainings(self, settings: NthFarthestSettings) -> list[str]:
        """Return the names of a run's trainings; the RMC, whose examples others replay, comes first."""
        return [contestant.name for contestant in contestants(settings)]

    def saved_step(self, settings: NthFarthestSettings, folder: RunFolder, name: str) -> int:
        """Return the step of a training's checkpoint."""
        return run.saved_step(folder, next(c for c in contestants(settings) if c.name == name))

    def train(
        self, settings: NthFarthestSettings, folder: RunFolder, name: str, report: Report, stopped: Stopped
    ) -> None:
        """Train in this process."""
        run.train_one(settings, folder, name, report, stopped)

    def summarise(self, settings: NthFarthestSettings, folder: RunFolder) -> dict[str, Any]:
        """Write results.json."""
        return run.summarise(settings, folder, wall_seconds=None)
