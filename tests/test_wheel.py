"""The package as a wheel, installed elsewhere and used from another folder: configs travel inside."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the installed wheel, and nothing else of this project."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    install = [
        "uv",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--offline",
        "--target",
        str(folder / "site"),
        str(wheel),
    ]
    subprocess.run([sys.executable, "-m", *install], check=True, capture_output=True)
    return folder / "site"


def python(site, cwd, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_configs_travel_in_the_wheel(site, tmp_path):
    from_wheel = python(site, tmp_path, "-c", "import fashion_lab.config as c; print(c.__file__, c.CONF)")
    assert from_wheel.split() == [str(site / "fashion_lab/config.py"), str(site / "fashion_lab/conf")]
    for source in (ROOT / "conf").rglob("*.yaml"):
        inside = site / "fashion_lab/conf" / source.relative_to(ROOT / "conf")
        assert inside.read_bytes() == source.read_bytes()


def test_the_wheel_trains_from_another_folder(site, tmp_path):
    words = ["trainer=smoke", "data.products=21", "data.views=2", "logger=none", "hydra.run.dir=here"]
    python(site, tmp_path, "-m", "fashion_lab.train", *words)
    assert (tmp_path / "here/result.json").is_file()
