"""Distillation: a classifier that learns from another one's answers to the very pictures that it gets.

Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", section 2. Both see the same augmented
picture, as in Beyer et al. 2021, "Knowledge distillation: a good teacher is patient and consistent", sec. 3.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Teacher:
    """A trained classifier whose answers become a share of the targets.

    It is no module, so the student's checkpoints do not hold its weights and nothing trains them.

    Args:
        network: pictures to logits, at rest.
        share: of its answer in the targets; the rest are the labels. A loss may smooth both.
    """

    def __init__(self, network: nn.Module, *, share: float) -> None:
        if not 0 < share <= 1:
            raise ValueError(
                f"module.teacher_share is {share}; allowed is over 0, up to 1 (no labels at all)"
            )
        self.network = network
        self.share = share

    @torch.no_grad()
    def targets(self, images_BCHW: Tensor, target: Tensor) -> Tensor:
        """Blend targets with the teacher's answer to the same pictures.

        Args:
            images_BCHW: the student's training batch.
            target: labels [B], or probabilities [B, classes] where pictures were mixed.

        Returns:
            Probabilities [B, classes].
        """
        answer_BK: Tensor = self.network(images_BCHW).float().softmax(1)
        if target.ndim == 1:
            target = F.one_hot(target, answer_BK.shape[1]).float()
        return torch.lerp(target, answer_BK, self.share)
