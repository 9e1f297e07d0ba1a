"""The networks of both stages: plain modules, no training code.

B pictures, C channels, H x W pixels, D numbers of an embedding.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashion_lab.backbones.mobilenet import MobileNetBackbone
from fashion_lab.contracts.backbone import Backbone


class MobileNetLikeClassifier(nn.Module):
    """A backbone, average pooling and one linear layer.

    Args:
        num_classes: number of classes.
        backbone: any backbone; by default the notebook's.
    """

    def __init__(self, num_classes: int = 10, backbone: Backbone | None = None) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes is {num_classes}; a classifier needs at least 2")
        self.backbone = MobileNetBackbone() if backbone is None else backbone
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(self.backbone.out_channels, num_classes)
        )

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Map images [B, 3, H, W] to logits [B, num_classes]."""
        logits: Tensor = self.head(self.backbone(images_BCHW))
        return logits


class SiameseEncoder(nn.Module):
    """A backbone and average pooling, then a linear projection and unit length where asked for.

    Args:
        backbone: any backbone.
        projection: numbers of the embedding; None keeps the backbone's channels.
        normalize: scale every embedding to length 1, so that distances lie in 0 .. 2.

    Attributes:
        dim: numbers of an embedding.
    """

    def __init__(self, backbone: Backbone, *, projection: int | None = None, normalize: bool = False) -> None:
        super().__init__()
        if projection is not None and projection < 1:
            raise ValueError(
                f"encoder.projection is {projection}; give a number of at least 1, or null for none"
            )
        self.backbone = backbone
        self.representation = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.projection = None if projection is None else nn.Linear(backbone.out_channels, projection)
        self.normalize = normalize
        self.dim = backbone.out_channels if projection is None else projection

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Map images [B, 3, H, W] to embeddings [B, D], float32 also under autocast."""
        embeddings_BD: Tensor = self.representation(self.backbone(images_BCHW))
        if self.projection is not None:
            embeddings_BD = self.projection(embeddings_BD)
        embeddings_BD = embeddings_BD.float()
        return F.normalize(embeddings_BD) if self.normalize else embeddings_BD


class SiameseNetwork(nn.Module):
    """One encoder for anchors, positives and negatives.

    Args:
        embedding_network: the shared encoder.
        one_pass: encode all three in one pass, with common BatchNorm statistics; False: the notebook's three.
    """

    def __init__(self, embedding_network: SiameseEncoder, *, one_pass: bool = True) -> None:
        super().__init__()
        self.embedding_network = embedding_network
        self.one_pass = one_pass

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map three times [B, 3, H, W] to three times [B, D]."""
        if self.one_pass:
            embeddings = self.embedding_network(torch.cat([anchor, positive, negative]))
            first, second, third = embeddings.chunk(3)
            return first, second, third
        return (
            self.embedding_network(anchor),
            self.embedding_network(positive),
            self.embedding_network(negative),
        )

    def get_embedding(self, image: Tensor) -> Tensor:
        """Map images [B, 3, H, W] to embeddings [B, D]."""
        embedding: Tensor = self.embedding_network(image)
        return embedding

    def embed_batch(self, images_BCHW: Tensor, triplets_3T: Tensor) -> Tensor:
        """Map a training batch [B, 3, H, W] to embeddings [B, D] in its order.

        In three passes the batch must be what `TripletSampler` makes: anchors, positives, then negatives.
        """
        if self.one_pass:
            return self.get_embedding(images_BCHW)
        return torch.cat(self(*(images_BCHW[rows] for rows in triplets_3T)))


def normalise(pixels_BCHW: Tensor) -> Tensor:
    """Map uint8 pixels to float32 in -1 .. 1: the notebook's mean 0.5 and deviation 0.5."""
    return pixels_BCHW.float().mul_(2 / 255).sub_(1)
