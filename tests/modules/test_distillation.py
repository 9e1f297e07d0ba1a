import pytest
import torch
from torch import nn

from fashion_lab.modules.distillation import Teacher

IMAGES = torch.rand(5, 3, 4, 4)
LABELS = torch.tensor([0, 2, 1, 1, 0])


def network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 3)).eval()


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_targets_are_those_of_a_naive_loop(share):
    targets = Teacher(network(), share=share).targets(IMAGES, LABELS)
    for image, label, target in zip(IMAGES, LABELS, targets, strict=True):
        answer = network()(image[None])[0].softmax(0)
        expected = [share * float(answer[k]) + (1 - share) * (k == label) for k in range(3)]
        torch.testing.assert_close(target, torch.tensor(expected))


def test_mixed_targets_are_blended_too():
    mixed = torch.rand(5, 3).softmax(1)
    answer = network()(IMAGES).softmax(1)
    found = Teacher(network(), share=0.25).targets(IMAGES, mixed)
    torch.testing.assert_close(found, 0.75 * mixed + 0.25 * answer)
    torch.testing.assert_close(found.sum(1), torch.ones(5))
    assert not found.requires_grad


@pytest.mark.parametrize("share", [0, -0.1, 1.1])
def test_shares_that_cannot_be(share):
    with pytest.raises(ValueError, match=rf"module\.teacher_share is {share}; allowed is over 0, up to 1"):
        Teacher(network(), share=share)
