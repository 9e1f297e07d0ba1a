import math

import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as V

from fashion_lab.data.augment import Augment, mix
from fashion_lab.data.recolour import CHANGES, recolour

MIDDLE = 0.5  # the draw that changes nothing
NAMES = [
    "flip",
    "turn",
    "zoom",
    "dx",
    "dy",
    "bright",
    "contrast",
    "colour",
    "chance",
    "size",
    "shape",
    "x",
    "y",
    "recolour",
    "strength",
]
ALL = {"flip": 0.5, "rotation": 15, "scale": 0.2, "translation": 0.1, "brightness": 0.2, "contrast": 0.3}
ALL |= {"saturation": 0.3, "erasing": 0.5, "recolour": 0.9}


@pytest.fixture
def pictures():
    """Smooth pictures with a blob off the middle, so that a wrong direction shows: float32 [3, 3, 32, 32]."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    blobs = [torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 18) for cx, cy in ((11, 14), (19, 12), (16, 20))]
    colours = torch.tensor([[0.9, 0.2, -0.4], [-0.3, 0.5, 0.8], [0.1, -0.8, 0.6]])
    return 1 - torch.stack(blobs)[:, None] * (1 - colours)[..., None, None]


def draws(batch=3, **given):
    """Draws that change nothing, but for the named ones."""
    table = torch.full((batch, Augment.DRAWS), MIDDLE)
    table[:, 0] = 0.99  # no mirror image
    table[:, 8] = 0.99  # no box
    table[:, 13] = 0.99  # no drawn colour change
    for name, values in given.items():
        table[:, NAMES.index(name)] = torch.as_tensor(values, dtype=torch.float32)
    return table


def test_there_is_a_draw_for_each_name():
    assert len(NAMES) == Augment.DRAWS


def test_zero_is_the_identity(pictures):
    assert torch.equal(Augment()(pictures, torch.rand(3, Augment.DRAWS)), pictures)


def test_middle_draws_are_the_identity(pictures):
    torch.testing.assert_close(Augment(**ALL)(pictures, draws()), pictures, rtol=0, atol=1e-5)


def test_flip_is_an_exact_mirror_of_the_pictures_drawn(pictures):
    flipped = Augment(flip=0.5)(pictures, draws(flip=[0.1, 0.9, 0.49]))
    expected = torch.stack([pictures[0].flip(-1), pictures[1], pictures[2].flip(-1)])
    torch.testing.assert_close(flipped, expected, rtol=0, atol=1e-5)


def test_flip_has_its_probability():
    uniform = torch.rand(4000, Augment.DRAWS, generator=torch.Generator().manual_seed(0))
    ramp = torch.linspace(-1, 1, 8).expand(4000, 3, 8, 8)
    flipped = Augment(flip=0.3)(ramp, uniform)[:, 0, 0, 0] > 0
    assert abs(flipped.float().mean() - 0.3) < 0.03
    assert Augment(flip=1.0)(ramp, uniform)[:, 0, 0, 0].min() > 0


def affine(picture, *, angle=0.0, translate=(0.0, 0.0), scale=1.0):
    """torchvision's answer, around white."""
    options = {"angle": angle, "translate": list(translate), "scale": scale, "shear": [0.0, 0.0]}
    return V.affine(picture - 1, **options, interpolation=InterpolationMode.BILINEAR) + 1


def test_rotation_is_torchvisions(pictures):
    turned = Augment(rotation=30)(pictures, draws(turn=[0.0, 0.75, 1.0]))
    for picture, angle, result in zip(pictures, (-30, 15, 30), turned, strict=True):
        # our angle turns the sampling grid, so the picture turns the other way round
        torch.testing.assert_close(result, affine(picture, angle=-angle), rtol=0, atol=0.02)
        assert (result - affine(picture, angle=angle)).abs().max() > 0.2


def test_scale_is_torchvisions(pictures):
    zoomed = Augment(scale=0.4)(pictures, draws(zoom=[0.0, 0.75, 1.0]))
    for picture, scale, result in zip(pictures, (0.6, 1.2, 1.4), zoomed, strict=True):
        torch.testing.assert_close(result, affine(picture, scale=scale), rtol=0, atol=0.02)


def test_translation_counts_sides(pictures):
    moved = Augment(translation=0.25)(pictures, draws(dx=[0.0, 1.0, 0.5], dy=[0.5, 0.5, 1.0]))
    for picture, shift, result in zip(pictures, ((8, 0), (-8, 0), (0, -8)), moved, strict=True):
        torch.testing.assert_close(result, affine(picture, translate=shift), rtol=0, atol=0.02)


def test_what_comes_into_the_picture_is_white():
    black = torch.full((1, 3, 16, 16), -1.0)
    moved = Augment(translation=0.5)(black, draws(1, dx=1.0))
    assert (moved[..., :8] == -1).all()
    assert (moved[..., 8:] == 1).all()


def test_brightness_is_added_and_clamped(pictures):
    brighter = Augment(brightness=0.4)(pictures, draws(bright=[0.0, 0.75, 1.0]))
    for picture, amount, result in zip(pictures, (-0.4, 0.2, 0.4), brighter, strict=True):
        torch.testing.assert_close(result, (picture + amount).clamp(-1, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("option", "name", "reference"),
    [("contrast", "contrast", V.adjust_contrast), ("saturation", "colour", V.adjust_saturation)],
)
def test_colour_steps_are_torchvisions(pictures, option, name, reference):
    changed = Augment(**{option: 0.6})(pictures, draws(**{name: [0.0, 0.75, 1.0]}))
    for picture, factor, result in zip(pictures, (0.4, 1.3, 1.6), changed, strict=True):
        # torchvision's are for 0 .. 1, and for grey weights that are rounded to four places
        expected = reference(picture / 2 + 0.5, factor) * 2 - 1
        torch.testing.assert_close(result, expected, rtol=0, atol=2e-3)


def test_saturation_keeps_grey_pictures_grey():
    grey = torch.rand(3, 1, 8, 8).expand(3, 3, 8, 8) * 2 - 1
    changed = Augment(saturation=0.9)(grey, draws(colour=[0.0, 0.3, 1.0]))
    torch.testing.assert_close(changed, grey, rtol=0, atol=1e-6)


def test_recolour_draws_each_change_and_none():
    picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    chances = [(number + 0.5) / 10 for number in range(len(CHANGES) + 1)]
    expected = recolour(picture.expand(9, -1, -1, -1), torch.arange(9), torch.full((9,), 0.8))
    changed = Augment(recolour=0.8)(picture.expand(9, -1, -1, -1), draws(9, recolour=chances, strength=0.8))
    assert torch.equal(changed, expected)
    assert torch.equal(changed[8], picture[0])
    rarely = Augment(recolour=1e-30)(picture, draws(1, recolour=0.5))
    assert torch.equal(rarely, picture)


def test_erasing_against_a_naive_box(pictures):
    uniform = torch.rand(3, Augment.DRAWS, generator=torch.Generator().manual_seed(5))
    uniform[:, 8] = torch.tensor([0.1, 0.9, 0.3])
    erased = Augment(erasing=0.5)(pictures, uniform)
    for picture, row, result in zip(pictures, uniform.tolist(), erased, strict=True):
        chance, size, shape, x, y = row[8:13]
        area, aspect = 0.02 + 0.18 * size, math.exp((2 * shape - 1) * math.log(3))
        height, width = math.sqrt(area * aspect) * 32, math.sqrt(area / aspect) * 32
        top, left = y * (32 - height), x * (32 - width)
        expected = picture.clone()
        if chance < 0.5:
            for i in range(32):
                for j in range(32):
                    if top <= i < top + height and left <= j < left + width:
                        expected[:, i, j] = 0
        assert torch.equal(result, expected)


def test_boxes_cover_two_to_twenty_percent():
    uniform = torch.rand(500, Augment.DRAWS, generator=torch.Generator().manual_seed(0))
    pictures = torch.ones(500, 3, 64, 64)
    share = (Augment(erasing=1.0)(pictures, uniform) == 0).float().mean((1, 2, 3))
    assert 0.015 < share.min() < 0.04
    assert 0.18 < share.max() < 0.21


def test_pictures_of_a_batch_change_differently_and_by_themselves(pictures):
    same = pictures[:1].expand(6, -1, -1, -1)
    uniform = torch.rand(6, Augment.DRAWS, generator=torch.Generator().manual_seed(0))
    augment = Augment(**ALL)
    together = augment(same, uniform)
    assert all(not torch.allclose(together[i], together[j]) for i in range(6) for j in range(i))
    alone = torch.cat([augment(same[i : i + 1], uniform[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


def test_same_draws_same_result_and_the_pictures_stay(pictures):
    before, uniform = pictures.clone(), torch.rand(3, Augment.DRAWS)
    first = Augment(**ALL)(pictures, uniform)
    torch.manual_seed(99)
    assert torch.equal(Augment(**ALL)(pictures, uniform), first)
    assert torch.equal(pictures, before)


def test_results_stay_in_range():
    pictures = torch.rand(200, 3, 16, 16).round() * 2 - 1
    changed = Augment(**ALL | {"rotation": 180, "scale": 1.0, "brightness": 2.0})(
        pictures, torch.rand(200, Augment.DRAWS)
    )
    assert changed.isfinite().all()
    assert -1 <= changed.min() <= changed.max() <= 1


def test_mixup_blends_pictures_and_targets_alike(pictures):
    targets, partners = torch.eye(3), [2, 0, 1]
    images, blended = mix(pictures, targets, torch.tensor(partners), torch.tensor([0.7]))
    for i, j in enumerate(partners):
        torch.testing.assert_close(images[i], 0.7 * pictures[i] + 0.3 * pictures[j])
        torch.testing.assert_close(blended[i], 0.7 * targets[i] + 0.3 * targets[j])
    torch.testing.assert_close(blended.sum(1), torch.ones(3))


@pytest.mark.parametrize("name", ["flip", "scale", "translation", "contrast", "erasing"])
@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_shares_must_be_shares(name, value):
    with pytest.raises(ValueError, match=rf"augment\.{name} is .*allowed is 0 \.\. 1"):
        Augment(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rotation", 181),
        ("rotation", -1),
        ("brightness", -1),
        ("saturation", math.inf),
        ("mixup", -1),
    ],
)
def test_other_values_that_cannot_be(name, value):
    with pytest.raises(ValueError, match=rf"augment\.{name} is {value}"):
        Augment(**{name: value})


def test_a_misspelt_step_is_an_error():
    with pytest.raises(TypeError, match="rotations"):
        Augment(rotations=3)
