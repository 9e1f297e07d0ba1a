"""What Lightning reads of a checkpoint whose run has moved."""

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from toy_checkpoints import content

from fashion_lab.callbacks.checkpoint_io import AtomicCheckpointIO


def saver(folder):
    return ModelCheckpoint(folder / "checkpoints", filename="best", monitor="val/accuracy", mode="max")


def test_a_run_that_moved_still_knows_its_best(tmp_path, recwarn):
    old, new = saver(tmp_path / "old"), saver(tmp_path / "new")
    old.best_model_score = old.kth_value = torch.tensor(0.75)
    best = f"{tmp_path}/old/checkpoints/best.ckpt"
    old.best_model_path = old.kth_best_model_path = best
    old.best_k_models = {best: torch.tensor(0.75)}
    state = content(config={"folder": str(tmp_path / "old")})
    path = tmp_path / "new/checkpoints/last.ckpt"
    AtomicCheckpointIO().save_checkpoint({**state, "callbacks": {old.state_key: old.state_dict()}}, path)
    loaded = AtomicCheckpointIO().load_checkpoint(path)["callbacks"][new.state_key]
    new.load_state_dict(loaded)
    assert not recwarn.list
    moved = f"{tmp_path}/new/checkpoints/best.ckpt"
    assert (new.best_model_path, list(new.best_k_models)) == (moved, [moved])
    assert (float(new.best_model_score), float(new.kth_value)) == (0.75, 0.75)
