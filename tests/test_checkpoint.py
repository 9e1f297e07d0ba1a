"""Checkpoints: damage, kills, full disks, hostile files, and what they are a start for."""

import copy
import errno
import os
import pickle
import random
import resource
import signal
import tempfile
import time
from pathlib import Path

import pytest
import torch
from toy_checkpoints import BACKBONE, CLASSES, backbone, content

from fashion_lab import checkpoint as files
from fashion_lab.checkpoint import CheckpointError, find, read, warm_start, write
from fashion_lab.digest import digest, file_sha256
from fashion_lab.networks import MobileNetLikeClassifier


@pytest.fixture
def ckpt(tmp_path):
    path = tmp_path / "run" / "checkpoints" / "best.ckpt"
    write(path, content())
    return path


def test_round_trip_with_the_safe_loader(ckpt):
    written = content()
    assert digest(read(ckpt)) == digest(written)
    assert files.DIGEST in torch.load(ckpt, weights_only=True)
    assert [path.name for path in ckpt.parent.iterdir()] == ["best.ckpt"]


def test_a_real_state_dict_keeps_its_versions(tmp_path):
    weights = MobileNetLikeClassifier(3, backbone()).state_dict()
    write(tmp_path / "a.ckpt", content() | {"state_dict": weights})
    assert read(tmp_path / "a.ckpt")["state_dict"]._metadata == weights._metadata


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["state_dict"]["network.head.2.bias"].add_(1e-7),
        lambda c: c.update(epoch=4),
        lambda c: c["hyper_parameters"].update(betas=(0.9, 0.99)),
        lambda c: c["optimizer_states"][0].update(lr=0.1 + 1e-12),
        lambda c: c[files.RECORD].update(classes=CLASSES[::-1]),
        lambda c: c[files.RECORD]["config"]["pixels"].update(size=32),
        lambda c: c.update(extra=None),
        lambda c: c.pop("epoch"),
        lambda c: c.pop(files.DIGEST),
        lambda c: c["state_dict"].update(
            {"network.head.2.bias": c["state_dict"]["network.head.2.bias"].double()}
        ),
    ],
)
def test_any_change_of_the_content_is_refused(ckpt, change):
    loaded = torch.load(ckpt, weights_only=True)
    change(loaded)
    torch.save(loaded, ckpt)
    with pytest.raises(CheckpointError, match="damaged"):
        read(ckpt)


def test_flipped_bits_never_load_as_something_else(ckpt):
    good, expected = ckpt.read_bytes(), digest(content())
    rng, refused, fooled = random.Random(0), 0, 0
    for _ in range(60):
        bad = bytearray(good)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        ckpt.write_bytes(bad)
        try:
            assert (
                digest(read(ckpt)) == expected
            )  # the flip was in a byte that means nothing: padding, a date
        except CheckpointError:
            refused += 1
            fooled += loads_without_a_digest(ckpt)
    assert refused > 30
    assert fooled > 10, "the control: torch alone should load damaged files"


def loads_without_a_digest(path):
    try:
        torch.load(path, weights_only=True)
    except Exception:
        return False
    return True


def test_flipped_weights_are_all_refused(ckpt):
    good, rng = ckpt.read_bytes(), random.Random(1)
    weights = content()["state_dict"]["network.backbone.blocks.0.depthwise.0.weight"].numpy().tobytes()
    start = good.index(weights)
    for _ in range(60):
        bad = bytearray(good)
        bad[start + rng.randrange(len(weights))] ^= 1 << rng.randrange(8)
        ckpt.write_bytes(bad)
        with pytest.raises(CheckpointError, match="damaged"):
            read(ckpt)


def test_cut_files_are_all_refused(ckpt):
    good, rng = ckpt.read_bytes(), random.Random(2)
    for length in [0, 1, len(good) - 1, *(rng.randrange(len(good)) for _ in range(20))]:
        ckpt.write_bytes(good[:length])
        with pytest.raises(CheckpointError, match=r"best\.ckpt cannot be read as a checkpoint"):
            read(ckpt)


class Canary:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (Path(self.marker),))


@pytest.mark.parametrize("place", ["state_dict", "optimizer_states", "hyper_parameters", files.RECORD, "new"])
def test_a_hostile_pickle_is_not_run(tmp_path, place):
    marker, path = tmp_path / "canary", tmp_path / "bad.ckpt"
    torch.save(content() | {place: [Canary(marker)]}, path)
    with pytest.raises(CheckpointError, match=r"bad\.ckpt cannot be read as a checkpoint: .*"):
        read(path)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists(), "the control: the canary sings where it is let"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"state_dict": {}}, "is no checkpoint of fashion_lab"),
        ([1, 2], "is no checkpoint of fashion_lab"),
        ({files.RECORD: "text"}, "is no checkpoint of fashion_lab"),
        ({files.RECORD: {}}, "is damaged"),
        (content(format=2), "has format 2, newer than 1: update fashion_lab"),
    ],
)
def test_foreign_files(tmp_path, payload, message):
    torch.save(payload, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match=message):
        read(tmp_path / "a.ckpt")


def test_files_that_are_no_torch_files(tmp_path):
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    (tmp_path / "pickle.ckpt").write_bytes(pickle.dumps({"a": 1}))
    for name in ("text.ckpt", "pickle.ckpt", "absent.ckpt", "."):
        with pytest.raises(CheckpointError):
            read(tmp_path / name)


def test_a_record_without_its_keys(tmp_path):
    bad = content()
    del bad[files.RECORD]["classes"], bad[files.RECORD]["stage"]
    write(tmp_path / "a.ckpt", bad)
    with pytest.raises(CheckpointError, match="lacks stage, classes"):
        read(tmp_path / "a.ckpt")
    write(tmp_path / "a.ckpt", {key: value for key, value in content().items() if key != "state_dict"})
    with pytest.raises(CheckpointError, match="lacks weights"):
        read(tmp_path / "a.ckpt")


def failing(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_a_failed_write_keeps_the_file_and_says_where(ckpt, monkeypatch, call):
    before = file_sha256(ckpt)
    with monkeypatch.context() as patch:
        patch.setattr(call, failing)
        with pytest.raises(
            OSError, match=r"best\.ckpt could not be written \(No space left.*bytes free"
        ) as error:
            write(ckpt, content(seed=1))
    assert error.value.errno == errno.ENOSPC
    assert file_sha256(ckpt) == before
    assert [path.name for path in ckpt.parent.iterdir()] == ["best.ckpt"]
    write(ckpt, content(seed=1))
    assert file_sha256(ckpt) != before


def test_bytes_are_on_the_disk_before_the_name_is(ckpt, monkeypatch):
    calls, fsync, replace = [], os.fsync, Path.replace

    def spy(descriptor):
        calls.append(Path(f"/proc/self/fd/{descriptor}").readlink().name.split(".ckpt")[0])
        fsync(descriptor)

    def put(path, target):
        calls.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", spy)
    monkeypatch.setattr(Path, "replace", put)
    write(ckpt, content())
    assert calls == [".best", "rename", "checkpoints"]


def in_a_child(task):
    """Run a task in a fork of this process, and give its exit status."""
    child = os.fork()
    if child == 0:
        try:
            task()
        finally:
            os._exit(1)
    return child


@pytest.mark.forks
def test_a_file_that_outgrows_the_disk(ckpt):
    """The real thing: the system refuses the bytes in the middle of the file."""
    before = file_sha256(ckpt)

    def task():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        try:
            write(ckpt, content() | {"more": torch.zeros(100_000)})
        except OSError as error:
            told = "best.ckpt could not be written" in str(error) and error.errno == errno.EFBIG
            os._exit(7 if told else 8)

    _, status = os.waitpid(in_a_child(task), 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert file_sha256(ckpt) == before
    assert [path.name for path in ckpt.parent.iterdir()] == ["best.ckpt"]


@pytest.mark.forks
def test_kills_leave_the_old_file_or_the_new(tmp_path):
    """SIGKILL at random moments of a process that does nothing but save; temporary files live elsewhere."""
    path, rng = tmp_path / "checkpoints" / "last.ckpt", random.Random(3)
    elsewhere = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else tmp_path / "elsewhere"
    elsewhere.mkdir(exist_ok=True)

    def numbered(number):
        return content() | {"number": number, "bulk": torch.full((250_000,), float(number))}

    def task():
        os.environ["TMPDIR"], tempfile.tempdir = str(elsewhere), None
        number = read(path)["number"]
        while True:
            number += 1
            write(path, numbered(number))

    write(path, numbered(0))
    seen = [0]
    for _ in range(15):
        saved, child = path.stat().st_mtime_ns, in_a_child(task)
        while path.stat().st_mtime_ns == saved:  # on a busy machine its first save may take a while
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = read(path)
        assert (found["bulk"] == found["number"]).all()
        seen.append(found["number"])
    assert seen == sorted(set(seen)), "each child saves at least once"
    files.sweep(tmp_path)
    assert [left.name for left in path.parent.iterdir()] == ["last.ckpt"]


def test_sweep_keeps_what_is_not_its_own(ckpt):
    kept = ckpt.with_name(".keep.tmp")
    kept.touch()
    ckpt.with_name(".best.ckpt.123.tmp").touch()
    files.sweep(ckpt.parent.parent)
    assert sorted(path.name for path in ckpt.parent.iterdir()) == [".keep.tmp", "best.ckpt"]
    files.sweep(ckpt.parent / "nowhere")


def test_find(ckpt):
    run = ckpt.parent.parent
    assert find(ckpt) == find(str(ckpt)) == find(run) == ckpt
    ckpt.rename(ckpt.with_name("last.ckpt"))
    assert find(run) == ckpt.with_name("last.ckpt")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "https://example.org/best.ckpt",
            "is an address; only files and run folders are read: download it first",
        ),
        ("nowhere/run", "'nowhere/run' does not exist; give a run folder"),
        ("empty", r"'empty' holds no checkpoints/best\.ckpt or checkpoints/last\.ckpt"),
        ("", "holds no checkpoints"),
        ("*.ckpt", "does not exist"),
        ("../elsewhere", "does not exist"),
    ],
)
def test_find_says_what_is_wrong(tmp_path, monkeypatch, given, message):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        find(given)


def test_digest_tells_kinds_and_orders_apart():
    values = [
        *(
            1,
            1.0,
            True,
            "1",
            None,
            [1],
            {1: 1},
            {"1": 1},
            [[1], 2],
            [[1, 2]],
            [],
            {},
            float("nan"),
            -0.0,
            0.0,
        ),
        *(torch.zeros(2), torch.zeros(1, 2), torch.zeros(2).long(), torch.zeros(0), {1, 2}, {"a": 1, "b": 2}),
    ]
    assert len({digest(value) for value in values}) == len(values)
    assert digest(torch.arange(6).view(2, 3).t()) == digest(torch.arange(6).view(2, 3).t().contiguous())
    assert digest({"x", "y", "z"}) == digest({"z", "y", "x"})
    assert digest((1, 2)) == digest([1, 2])


def started(given, network=None, *, config=BACKBONE, classes=CLASSES):
    return warm_start(network or backbone(), given, backbone_config=config, classes=classes)


def test_warm_start_copies_every_weight_and_leaves_the_file(ckpt):
    before = ckpt.read_bytes()
    torch.manual_seed(9)
    network = backbone()
    parent = started(ckpt.parent.parent, network)
    theirs = content()["state_dict"]
    for name, value in network.state_dict().items():
        assert torch.equal(value, theirs[f"network.backbone.{name}"])
    assert parent == {
        "path": str(ckpt),
        "sha256": file_sha256(ckpt),
        "stage": "classifier",
        "config": content()[files.RECORD]["config"],
        "pretraining": None,
    }
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(1)
    again = backbone()
    started(ckpt, again)
    assert ckpt.read_bytes() == before
    assert torch.equal(again.stem[0].weight, theirs["network.backbone.stem.0.weight"])


def test_warm_start_names_its_parent_for_every_folder(ckpt, monkeypatch):
    monkeypatch.chdir(ckpt.parent)
    assert started(ckpt.name)["path"] == str(ckpt)


def test_warm_start_refuses_another_architecture(ckpt):
    network = backbone(width=2.0)
    weights = copy.deepcopy(network.state_dict())
    with pytest.raises(
        CheckpointError, match=r"does not fit.*\n  backbone\.width: 1\.0 in the checkpoint, 2\.0 here$"
    ):
        started(ckpt, network, config=BACKBONE | {"width": 2.0})
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


def test_warm_start_lists_every_difference(ckpt):
    with pytest.raises(CheckpointError) as error:
        started(ckpt, config=BACKBONE | {"width": 2.0, "depth": 3}, classes=["dress", "shoes"])
    assert str(error.value).splitlines()[1:] == [
        "  backbone.depth: None in the checkpoint, 3 here",
        "  backbone.width: 1.0 in the checkpoint, 2.0 here",
        "  classes: dress, hat, pants in the checkpoint, dress, shoes here",
    ]


def test_warm_start_refuses_the_same_classes_in_another_order(ckpt):
    with pytest.raises(
        CheckpointError, match="classes: dress, hat, pants in the checkpoint, pants, hat, dress here"
    ):
        started(ckpt, classes=CLASSES[::-1])


def test_warm_start_refuses_stage_two(tmp_path):
    write(tmp_path / "a.ckpt", content("siamese"))
    with pytest.raises(CheckpointError, match="a siamese checkpoint; stage 2 starts from stage=classifier"):
        started(tmp_path / "a.ckpt")


def test_warm_start_refuses_weights_that_are_not_all_there(tmp_path):
    bad = content()
    del bad["state_dict"]["network.backbone.stem.1.running_var"]
    bad["state_dict"]["network.backbone.new"] = torch.zeros(1)
    bad["state_dict"]["network.backbone.stem.0.weight"] = torch.zeros(4, 3, 5, 5)
    write(tmp_path / "a.ckpt", bad)
    network = backbone()
    weights = copy.deepcopy(network.state_dict())
    with pytest.raises(CheckpointError) as error:
        started(tmp_path / "a.ckpt", network)
    assert str(error.value).splitlines()[1:] == [
        "  stem.1.running_var: only here",
        "  new: only in the checkpoint",
        "  stem.0.weight: (4, 3, 5, 5) in the checkpoint, (4, 3, 3, 3) here",
    ]
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


def test_warm_start_refuses_foreign_and_damaged_files(tmp_path, ckpt):
    torch.save(backbone().state_dict(), tmp_path / "foreign.ckpt")
    with pytest.raises(CheckpointError, match="no checkpoint of fashion_lab"):
        started(tmp_path / "foreign.ckpt")
    ckpt.write_bytes(ckpt.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot be read"):
        started(ckpt)
