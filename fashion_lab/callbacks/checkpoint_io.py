"""Lightning's way to files, replaced by ours: its own tears them where TMPDIR is another disk."""

import os
from pathlib import Path
from typing import Any

from pytorch_lightning.plugins.io import CheckpointIO

from fashion_lab import checkpoint as files
from fashion_lab.folders import relocated


class AtomicCheckpointIO(CheckpointIO):
    """Saves and loads through `fashion_lab.checkpoint`: whole, flushed, checked, `weights_only`.

    What callbacks remember of a run's folder becomes its present one.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        files.write(Path(path), checkpoint)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        checkpoint = files.read(Path(path))
        then, now = checkpoint[files.RECORD]["config"].get("folder"), Path(path).parent.parent
        if then is not None:  # paths as ModelCheckpoint writes them: where another, it forgets the best score
            places = os.path.realpath(then), os.path.realpath(now)
            checkpoint["callbacks"] = relocated(checkpoint.get("callbacks", {}), *places)
        return checkpoint

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)
