"""Lightning's TensorBoard logger, with tags that TensorBoard shows in an order that reads well."""

from collections.abc import Mapping

from pytorch_lightning.loggers import TensorBoardLogger

CONSTANT = "num_queries"  # the same at every epoch; `result.json` has it


class BoardLogger(TensorBoardLogger):
    """Writes to `<save_dir>/tensorboard`.

    TensorBoard opens the first two groups of tags only. Lightning's `epoch` would be one of them, so it joins
    `train`, and what never changes is left out.

    Args:
        save_dir: the run's folder.
    """

    def __init__(self, *, save_dir: str) -> None:
        super().__init__(save_dir, name="tensorboard", version="", default_hp_metric=False)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write scalars."""
        told = {name: value for name, value in metrics.items() if not name.endswith(CONSTANT)}
        if "epoch" in told:
            told["train/epoch"] = told.pop("epoch")
        super().log_metrics(told, step)
