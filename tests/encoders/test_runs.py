import numpy as np
import pytest
import torch
from toy_checkpoints import BACKBONE, CLASSES, ENCODER, backbone, content
from toy_runs import save_runs

from fashion_lab import encoders
from fashion_lab.checkpoint import RECORD, CheckpointError, write
from fashion_lab.config import ConfigError
from fashion_lab.digest import file_sha256
from fashion_lab.encoders.batches import EMBED_BATCH
from fashion_lab.encoders.runs import read_run
from fashion_lab.encoders.torch_encoder import embed
from fashion_lab.networks import MobileNetLikeClassifier, SiameseEncoder, normalise
from fashion_lab.pictures import PixelSpec


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16), dtype=np.uint8)


def loaded(tmp_path, *args, **options):
    path = tmp_path / "a.ckpt"
    write(path, content(*args, **options))
    return encoders.load(path)


def test_encoder_of_a_classifier_is_its_pooled_backbone(tmp_path, pixels):
    encoder = loaded(tmp_path)
    torch.manual_seed(0)
    classifier = MobileNetLikeClassifier(len(CLASSES), backbone()).eval()
    expected = classifier.backbone(normalise(torch.from_numpy(pixels))).mean((2, 3))
    np.testing.assert_allclose(encoder.embed(pixels), expected.detach(), rtol=1e-6, atol=1e-6)
    assert encoder.dim == 8
    assert encoder.classes == tuple(CLASSES)
    assert encoder.pixels == PixelSpec(size=16, fit="squash")
    assert encoder.run == str(tmp_path / "a.ckpt")


def test_encoder_of_stage_two_has_its_projection_and_unit_length(tmp_path, pixels):
    encoder = loaded(tmp_path, "siamese")
    torch.manual_seed(0)
    network = SiameseEncoder(backbone(), projection=5, normalize=True).eval()
    expected = network(normalise(torch.from_numpy(pixels)))
    embeddings = encoder.embed(pixels)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, expected.detach(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-6)


def test_a_loaded_encoder_is_at_rest(tmp_path):
    network = loaded(tmp_path).network
    assert not any(module.training for module in network.modules())
    assert not any(p.requires_grad for p in network.parameters())
    stem = next(p for p in network.parameters() if p.ndim == 4)
    assert stem.is_contiguous(memory_format=torch.channels_last)


def test_embed_in_several_batches_is_embed_one_by_one():
    network = SiameseEncoder(backbone()).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (EMBED_BATCH + 3, 3, 8, 8), dtype=np.uint8)
    pixels.setflags(write=False)
    together = embed(network, pixels)
    assert together.shape == (EMBED_BATCH + 3, 8)
    for row in (0, EMBED_BATCH - 1, EMBED_BATCH, EMBED_BATCH + 2):
        np.testing.assert_allclose(
            together[row], embed(network, pixels[row : row + 1])[0], rtol=1e-5, atol=1e-6
        )


def test_fingerprint_is_of_weights_and_preprocessing(tmp_path):
    def fingerprint(*args, **options):
        return loaded(tmp_path, *args, **options).fingerprint

    first = fingerprint()
    assert fingerprint() == first
    assert fingerprint(config={"seed": 7, "data": "other"}) == first
    others = [
        fingerprint(seed=1),
        fingerprint(config={"pixels": {"size": 32, "fit": "squash"}}),
        fingerprint(config={"pixels": {"size": 16, "fit": "crop"}}),
        fingerprint("siamese"),
    ]
    assert len({first, *others}) == 5


def test_fingerprint_follows_the_decode(tmp_path, monkeypatch):
    first = loaded(tmp_path).fingerprint
    monkeypatch.setattr("fashion_lab.encoders.blueprint.DECODE_VERSION", 99)
    assert loaded(tmp_path).fingerprint != first


def test_weights_that_do_not_fit_their_own_config(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"does not fit the config inside it:\n.*stem\.0\.weight: \(4, 3, 3, 3\)"
    ):
        loaded(tmp_path, config={"backbone": BACKBONE | {"width": 2.0}})
    with pytest.raises(CheckpointError, match=r"projection\.weight: only in the checkpoint"):
        loaded(tmp_path, "siamese", config={"encoder": ENCODER | {"projection": None}})


def test_an_option_that_is_no_more_comes_from_other_code(tmp_path):
    with pytest.raises(
        ConfigError, match=r"a\.ckpt was made by other.* takes no 'relu_after_sum'.*result\.json"
    ):
        loaded(tmp_path, config={"backbone": BACKBONE | {"relu_after_sum": True}})


@pytest.mark.parametrize("place", ["backbone", "elsewhere"])
def test_an_unresolved_interpolation_is_refused(tmp_path, place, monkeypatch):
    monkeypatch.setenv("SECRET", "1.0")
    with pytest.raises(CheckpointError, match="unresolved interpolation"):
        loaded(tmp_path, config={place: BACKBONE | {"width": "${oc.env:SECRET}"}})


HOSTILE = [
    "os.system",
    "builtins.open",
    "pathlib.Path.touch",
    "shutil.copyfile",
    "subprocess.run",
    "torch.load",
    "torch.save",
    "torch.hub.load",
    "fashion_lab.checkpoint.write",
    "fashion_lab.networks.torch.save",
    "fashion_lab.backbones.mobilenet.F.torch.save",
    "hydra.utils.get_object",
]


@pytest.mark.parametrize("target", HOSTILE)
@pytest.mark.parametrize("nested", [False, True])
def test_the_config_inside_a_checkpoint_names_no_hostile_target(tmp_path, target, nested):
    marker = tmp_path / "canary"
    bad = {"_target_": target, "_args_": [str(marker)], "trusted": ["os", "torch"]}
    node = BACKBONE | {"stages": bad} if nested else bad
    with pytest.raises(ConfigError, match="_target_"):
        loaded(
            tmp_path, config={"backbone": node, "trusted": ["os", "builtins", "pathlib", "torch", "shutil"]}
        )
    assert not marker.exists()


def test_code_of_ones_own_needs_trust_from_outside(tmp_path, monkeypatch):
    (tmp_path / "toy_package.py").write_text(
        "from fashion_lab.backbones.mobilenet import MobileNetBackbone\nclass Mine(MobileNetBackbone): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = {"backbone": BACKBONE | {"_target_": "toy_package.Mine"}, "trusted": ["toy_package"]}
    with pytest.raises(ConfigError, match=r"trusted=\[toy_package\]"):
        loaded(tmp_path, config=config)
    encoder = encoders.load(tmp_path / "a.ckpt", trusted=["toy_package"])
    assert type(encoder.network.backbone).__name__ == "Mine"


def test_the_record_is_what_a_training_writes():
    assert set(content()[RECORD]) >= {"format", "stage", "config", "classes"}


def test_a_classifier_says_what_it_sees(tmp_path, pixels):
    encoder = loaded(tmp_path)
    torch.manual_seed(0)
    classifier = MobileNetLikeClassifier(len(CLASSES), backbone()).eval()
    expected = classifier(normalise(torch.from_numpy(pixels))).softmax(1)
    assert encoder.has_head
    assert encoder.calibration is None
    np.testing.assert_allclose(encoder.classify(pixels), expected.detach(), rtol=1e-5, atol=1e-6)


def test_a_head_changes_no_fingerprint(tmp_path):
    classifier, siamese = save_runs(tmp_path)
    fingerprints = {read_run(siamese, head=head).fingerprint for head in ("auto", None, classifier)}
    assert len(fingerprints) == 1


def test_stage_two_classifies_with_the_run_that_it_started_from(tmp_path, pixels):
    classifier, siamese = save_runs(tmp_path)
    run = read_run(siamese)
    assert run.head.source["path"] == str(classifier / "checkpoints/best.ckpt")
    expected = encoders.load(classifier).classify(pixels)
    np.testing.assert_allclose(run.encoder().classify(pixels), expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(
        read_run(siamese, head=classifier).encoder().classify(pixels), expected, rtol=1e-6, atol=1e-7
    )


def test_a_parent_that_is_gone_or_another_one_is_no_head(tmp_path):
    classifier, siamese = save_runs(tmp_path)
    path = classifier / "checkpoints/best.ckpt"
    assert read_run(siamese, head=None).why_no_head == "head=null"
    write(path, content(seed=7))
    run = read_run(siamese)
    assert run.head is None
    assert "is not the classifier any more" in run.why_no_head
    path.unlink()
    assert "is not there any more" in read_run(siamese).why_no_head
    assert not encoders.load(siamese).has_head
    write(path, content("siamese", seed=3))
    assert "not started from a classifier" in read_run(path).why_no_head


def test_a_parent_is_found_again(tmp_path, monkeypatch):
    """From any folder, and where both runs have moved together: the file with the same bytes."""
    classifier, _ = save_runs(tmp_path / "outputs")
    expected = encoders.load(classifier).fingerprint
    record = content("siamese", parent={"path": "outputs/classifier/checkpoints/best.ckpt", "stage": "x"})
    record[RECORD]["parent"]["sha256"] = file_sha256(classifier / "checkpoints/best.ckpt")
    write(tmp_path / "outputs/relative.ckpt", record)
    assert read_run(tmp_path / "outputs/relative.ckpt").head is not None
    (tmp_path / "outputs").rename(tmp_path / "kept")
    moved = read_run(tmp_path / "kept/siamese")
    assert moved.head.source["path"] == str(tmp_path / "kept/classifier/checkpoints/best.ckpt")
    assert moved.source["parent"]["path"] == moved.head.source["path"]
    assert encoders.load(moved.source["parent"]["path"]).fingerprint == expected
    monkeypatch.chdir(tmp_path / "kept/siamese")
    assert read_run("checkpoints/best.ckpt").head is not None


def test_a_head_that_is_lost_is_told(tmp_path, caplog):
    classifier, siamese = save_runs(tmp_path)
    encoders.load(siamese)
    assert caplog.text == ""
    (classifier / "checkpoints/best.ckpt").unlink()
    encoders.load(siamese)
    assert f"{siamese} finds pictures, but cannot say of which class they are: the classifier" in caplog.text


def test_a_parent_is_only_read_where_it_can_be_a_checkpoint(tmp_path):
    """A record may come from elsewhere: /dev/zero has no end, and somebody's private file is no .ckpt."""
    for path in ("/dev/zero", str(tmp_path), __file__):
        parent = {"path": path, "sha256": "0" * 64, "stage": "classifier", "config": {}}
        write(tmp_path / "b.ckpt", content("siamese", parent=parent))
        assert "is not there any more" in read_run(tmp_path / "b.ckpt").why_no_head


def test_a_head_that_does_not_fit_is_refused(tmp_path):
    _, siamese = save_runs(tmp_path)
    other = tmp_path / "other.ckpt"
    for said, made in (
        ("stage siamese, needed classifier", content("siamese")),
        (r"classes \('a', .*needed \('dress'", content(classes=["a", "b", "c"])),
        ("pixels .*crop.*squash", content(config={"pixels": {"size": 16, "fit": "crop"}})),
        ("no plain classifier: backbone", content(config={"backbone": BACKBONE | {"width": 2.0}})),
    ):
        write(other, made)
        with pytest.raises(CheckpointError, match=said):
            read_run(siamese, head=other)
    with pytest.raises(CheckpointError, match="does not exist"):
        read_run(siamese, head=tmp_path / "nowhere")


def test_a_classifier_with_a_head_of_ones_own_still_embeds(tmp_path):
    made = content()
    made["state_dict"]["network.head.3.weight"] = torch.zeros(3, 3)
    write(tmp_path / "a.ckpt", made)
    run = read_run(tmp_path / "a.ckpt")
    assert run.head is None
    assert "more than a linear layer" in run.why_no_head
