"""The same shards by several processes: killed in the middle, resumed, the bytes of one process alone."""

import os
import subprocess
import sys
import time

import pytest
from shops import content as bytes_of
from toy_checkpoints import content
from toy_runs import bundle_of, save

from fashion_lab import extras
from fashion_lab.galleries import Gallery, nodes

WORDS = ["ckpt=bundle", "data.products=42", "data.views=4", "data.size=32", "shard=12"]


def start(folder, *words):
    command = [sys.executable, "-m", "fashion_lab.index", *WORDS, *words]
    environment = {**os.environ, "HOME": str(folder), "OMP_NUM_THREADS": "1"}  # Ray keeps a token at home
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(extras, "is_installed", lambda module: False)
    with pytest.raises(ValueError, match=r"executor=ray needs ray .*: pip install 'fashion_lab\[ray\]', or"):
        nodes.on_ray(None)


def test_ray_is_imported_only_where_it_is_asked_for():
    code = "import sys, fashion_lab.indexing, fashion_lab.galleries.nodes; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_killed_in_the_middle_and_resumed_it_has_equal_bytes(tmp_path):
    pytest.importorskip("ray")
    # a bundle: its processes import no torch
    bundle_of(save(tmp_path / "run", content()), tmp_path / "bundle")
    process = start(tmp_path, "executor=ray", "out=index")
    deadline = time.monotonic() + 200
    while not list(tmp_path.glob("index/shard-*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    done = {path.name: path.stat().st_ino for path in tmp_path.glob("index/shard-*")}
    assert 1 <= len(done) < 14, process.returncode
    assert not (tmp_path / "index/manifest.json").exists()
    (tmp_path / "alone").mkdir()
    plan = (tmp_path / "index/plan.json").read_bytes()
    (tmp_path / "alone/plan.json").write_bytes(plan)
    for words in (["executor=ray", "out=index"], ["out=alone"]):
        process = start(tmp_path, *words)
        assert (process.wait(200), words) == (0, words), process.communicate()[1]
    assert len(Gallery.load(tmp_path / "index")) == 168
    assert bytes_of(tmp_path / "index") == bytes_of(tmp_path / "alone")
    assert all((tmp_path / "index" / name).stat().st_ino == inode for name, inode in done.items())
