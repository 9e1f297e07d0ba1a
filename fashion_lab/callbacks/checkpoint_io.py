"""Lightning's way to files, replaced by ours: its own tears them where TMPDIR is another disk."""

from pathlib import Path
from typing import Any

from pytorch_lightning.plugins.io import CheckpointIO

from fashion_lab import checkpoint as files


class AtomicCheckpointIO(CheckpointIO):
    """Saves and loads through `fashion_lab.checkpoint`: whole, flushed, checked, `weights_only`."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        files.write(Path(path), checkpoint)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return files.read(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)
