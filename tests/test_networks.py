import pytest
import torch
import torch.nn.functional as F

from fashion_lab.backbones.mobilenet import MobileNetBackbone
from fashion_lab.networks import MobileNetLikeClassifier, SiameseEncoder, SiameseNetwork, normalise


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return MobileNetBackbone()


@pytest.fixture
def triplet():
    torch.manual_seed(1)
    return torch.randn(3, 5, 3, 32, 32).unbind()


def test_a_classifier_needs_two_classes():
    with pytest.raises(ValueError, match="num_classes is 1"):
        MobileNetLikeClassifier(1)


def test_encoder_is_the_mean_of_the_feature_map(backbone):
    encoder = SiameseEncoder(backbone).eval()
    images = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(encoder(images), backbone(images).mean((2, 3)))
    assert encoder.dim == 64


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("projection", [None, 10])
def test_encoder_dimensions_and_lengths(backbone, projection, normalize):
    encoder = SiameseEncoder(backbone, projection=projection, normalize=normalize).eval()
    embeddings = encoder(torch.randn(4, 3, 32, 32))
    assert embeddings.shape == (4, encoder.dim) == (4, projection or 64)
    lengths = embeddings.norm(dim=1)
    assert torch.allclose(lengths, torch.ones(4), atol=1e-6) is normalize


def test_projection_must_have_a_dimension(backbone):
    with pytest.raises(ValueError, match=r"encoder\.projection is 0"):
        SiameseEncoder(backbone, projection=0)


def test_embeddings_are_float32_and_of_unit_length_under_autocast(backbone):
    encoder = SiameseEncoder(backbone, projection=10, normalize=True).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embeddings = encoder(torch.randn(4, 3, 32, 32))
    assert embeddings.dtype == torch.float32
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(4), rtol=0, atol=1e-6)


def test_one_pass_equals_three_in_evaluation(backbone, triplet):
    encoder = SiameseEncoder(backbone, normalize=True).eval()
    one, three = SiameseNetwork(encoder), SiameseNetwork(encoder, one_pass=False)
    for ours, theirs, images in zip(one(*triplet), three(*triplet), triplet, strict=True):
        torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(ours, encoder(images))
        torch.testing.assert_close(ours, one.get_embedding(images))


def test_three_passes_have_batchnorm_statistics_of_their_own(backbone, triplet):
    anchor, positive, negative = triplet
    triplet = anchor, positive, negative * 3
    encoder = SiameseEncoder(backbone).train()
    one = SiameseNetwork(encoder)(*triplet)
    three = SiameseNetwork(encoder, one_pass=False)(*triplet)
    assert all(not torch.allclose(a, b, rtol=1e-2) for a, b in zip(one, three, strict=True))
    torch.testing.assert_close(three[0], encoder(anchor))


@pytest.mark.parametrize("one_pass", [True, False])
def test_embed_batch_keeps_the_order(backbone, triplet, one_pass):
    network = SiameseNetwork(SiameseEncoder(backbone), one_pass=one_pass).train()
    triplets = torch.arange(15).view(3, 5)
    embeddings = network.embed_batch(torch.cat(triplet), triplets)
    torch.testing.assert_close(embeddings, torch.cat(network(*triplet)))


def test_normalise_is_the_notebooks():
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    before = pixels.clone()
    expected = (pixels.float() / 255 - 0.5) / 0.5
    torch.testing.assert_close(normalise(pixels), expected, rtol=0, atol=2e-7)
    assert normalise(pixels).min() == -1
    assert normalise(pixels).max() == 1
    assert torch.equal(pixels, before)


def test_gradients_flow_through_the_unit_length(backbone, triplet):
    network = SiameseNetwork(SiameseEncoder(backbone, projection=4, normalize=True))
    F.triplet_margin_loss(*network(*triplet)).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
