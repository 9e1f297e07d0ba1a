"""Each change against Pillow's, which the paper's authors used, or against its definition."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from fashion_lab.data.recolour import CHANGES, REACH, recolour

NAMES = list(CHANGES)
STRENGTHS = [0.0, 0.2, 0.5, 0.9, 1.0]


@pytest.fixture
def photo():
    """Blobs of colour and some noise: bytes [24, 20, 3]."""
    y, x, channel = np.meshgrid(np.arange(24), np.arange(20), np.arange(3), indexing="ij")
    smooth = 120 + 80 * np.sin(x / 5 + channel) * np.cos(y / 4 - channel)
    return (smooth + np.random.default_rng(0).normal(0, 6, smooth.shape)).clip(20, 230).astype(np.uint8)


def changed(photo, change, strength):
    """What it makes of a photo: bytes."""
    images = torch.from_numpy(photo).permute(2, 0, 1)[None] / 127.5 - 1
    (result,) = recolour(images, torch.tensor([NAMES.index(change)]), torch.tensor([strength]))
    return ((result + 1) * 127.5).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize(
    ("change", "enhance"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("saturation", ImageEnhance.Color),
    ],
)
def test_factors_are_pillows(photo, change, enhance, strength):
    expected = enhance(Image.fromarray(photo)).enhance(1 + (2 * strength - 1) * REACH)
    np.testing.assert_allclose(changed(photo, change, strength), np.asarray(expected, float), atol=2)


def test_sharpness_blurs_and_sharpens(photo):
    def roughness(picture):
        return np.abs(np.diff(picture.astype(float), axis=0)).mean()

    soft, same, sharp = (changed(photo, "sharpness", strength) for strength in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(same, photo, atol=1e-3)
    assert roughness(soft) < 0.8 * roughness(photo)
    assert roughness(sharp) > 1.2 * roughness(photo)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_solarize_is_pillows(photo, strength):
    expected = ImageOps.solarize(Image.fromarray(photo), threshold=int((1 - strength) * 255) + 1)
    np.testing.assert_allclose(changed(photo, "solarize", strength), np.asarray(expected, float), atol=1e-3)


@pytest.mark.parametrize(("strength", "bits"), [(0.0, 8), (0.5, 5), (1.0, 2)])
def test_posterize_leaves_so_many_levels(photo, strength, bits):
    values = changed(photo, "posterize", strength)
    steps = values / 255 * (2**bits - 1)
    np.testing.assert_allclose(steps, steps.round(), atol=1e-3)
    np.testing.assert_allclose(values, photo, atol=255 / (2**bits - 1) / 2 + 1e-3)


def test_autocontrast_is_pillows(photo):
    expected = ImageOps.autocontrast(Image.fromarray(photo))
    np.testing.assert_allclose(changed(photo, "autocontrast", 0.3), np.asarray(expected, float), atol=1.01)


def test_equalize_is_pillows(photo):
    expected = ImageOps.equalize(Image.fromarray(photo))
    np.testing.assert_allclose(changed(photo, "equalize", 0.3), np.asarray(expected, float), atol=1.01)


def test_the_middle_changes_nothing(photo):
    for change in ("brightness", "contrast", "saturation", "sharpness"):
        np.testing.assert_allclose(changed(photo, change, 0.5), photo, atol=1e-3)


def test_each_picture_by_itself_and_the_batch_stays():
    images = torch.rand(40, 3, 9, 9, generator=torch.Generator().manual_seed(0)) * 2 - 1
    choice, strength, before = torch.arange(40) % (len(CHANGES) + 1), torch.linspace(0, 1, 40), images.clone()
    together = recolour(images, choice, strength)
    alone = [recolour(images[i : i + 1], choice[i : i + 1], strength[i : i + 1]) for i in range(40)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)
    assert torch.equal(images, before)
    assert torch.equal(together[8::9], images[8::9])
    assert together.abs().max() <= 1
