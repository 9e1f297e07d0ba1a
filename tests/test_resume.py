import pytest
from toy_checkpoints import content

from fashion_lab.checkpoint import CheckpointError, write
from fashion_lab.config import ConfigError
from fashion_lab.resume import held, last_checkpoint, resumed_config

OLD = "/old/place/run"


def saved(folder, name="last.ckpt", **config):
    path = folder / "checkpoints" / name
    write(path, content(config={"folder": OLD, "seed": 3, "threads": None, "trusted": ["os"]} | config))
    return path


def test_a_run_that_moved_takes_its_paths_along(tmp_path):
    logs = {
        "save_dir": OLD,
        "sub": [f"{OLD}/tensorboard"],
        "parent": f"{OLD}-2/best.ckpt",
        "other": "/x/old/place/run",
    }
    cfg = resumed_config(saved(tmp_path, logger=logs), tmp_path, ["resume=x"])
    assert cfg.folder == str(tmp_path)
    assert cfg.logger.save_dir == str(tmp_path)
    assert cfg.logger.sub == [f"{tmp_path}/tensorboard"]
    assert cfg.logger.parent == f"{OLD}-2/best.ckpt"
    assert cfg.logger.other == "/x/old/place/run"


def test_trust_is_not_taken_from_the_checkpoint(tmp_path):
    path = saved(tmp_path)
    assert resumed_config(path, tmp_path, []).trusted == []
    assert resumed_config(path, tmp_path, ["trusted=[my_package]"]).trusted == ["my_package"]


def test_an_interpolation_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="unresolved interpolation"):
        resumed_config(saved(tmp_path, data={"root": "${oc.env:HOME}"}), tmp_path, [])


def test_what_may_change_and_what_may_not(tmp_path):
    path = saved(tmp_path)
    assert resumed_config(path, tmp_path, ["threads=2", "+cache=/elsewhere"]).threads == 2
    with pytest.raises(ConfigError, match=r"seed=4 cannot change on resume: the run was started with seed=3"):
        resumed_config(path, tmp_path, ["seed=4"])
    with pytest.raises(ConfigError, match="threadsafe=1 cannot change"):
        resumed_config(path, tmp_path, ["threadsafe=1"])


def test_the_last_checkpoint_that_is_whole(tmp_path, caplog):
    best, last = saved(tmp_path, "best.ckpt"), saved(tmp_path)
    assert last_checkpoint(tmp_path) == last
    last.write_bytes(last.read_bytes()[:-50])
    assert last_checkpoint(tmp_path) == best
    assert "last.ckpt cannot be read" in caplog.text
    best.unlink()
    with pytest.raises(CheckpointError, match=r"last\.ckpt cannot be read"):
        last_checkpoint(tmp_path)
    last.unlink()
    with pytest.raises(ConfigError, match="stopped before its first epoch ended"):
        last_checkpoint(tmp_path)


def test_holding_a_folder_sweeps_what_a_kill_left(tmp_path):
    left = saved(tmp_path).with_name(".last.ckpt.99.tmp")
    left.touch()
    with held(tmp_path):
        assert not left.exists()
        with pytest.raises(ConfigError, match="in use by another training"), held(tmp_path):
            pass
    with held(tmp_path):
        pass
