"""The torchmetrics shell around `metrics.retrieval`. N items, D embedding, B a batch of them."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from fashion_lab.metrics.retrieval import leave_one_out


class RetrievalMetrics(Metric):
    """Collects embeddings over an epoch and scores them leave-one-out.

    `compute()` gives `KEYS` and `num_queries` and, where groups came, the same under `other_senders/` with
    the query's own group hidden. Several processes gather all embeddings: show each item to one only.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    embeddings: list[Tensor]
    labels: list[Tensor]
    groups: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for state in ("embeddings", "labels", "groups"):
            self.add_state(state, default=[], dist_reduce_fx="cat")

    def update(self, embeddings_BD: Tensor, labels_B: Tensor, groups_B: Tensor | None = None) -> None:
        """Keep one batch; groups with every batch or with none."""
        if self.embeddings and (groups_B is not None) != bool(self.groups):
            raise ValueError("groups came with some batches and not with others: give them always or never")
        self.embeddings.append(embeddings_BD.detach().float())
        self.labels.append(labels_B.detach())
        if groups_B is not None:
            self.groups.append(groups_B.detach())

    def compute(self) -> dict[str, Tensor]:
        """Score everything kept since the last `reset`: scalars on the metric's device."""
        if not len(self.embeddings):
            raise ValueError("no embeddings to score: call update() before compute()")
        items = dim_zero_cat(self.embeddings), dim_zero_cat(self.labels)
        scores = leave_one_out(*items)
        if len(self.groups):
            hidden = leave_one_out(*items, dim_zero_cat(self.groups))
            scores |= {f"other_senders/{key}": score for key, score in hidden.items()}
        return {key: torch.tensor(score, device=self.device) for key, score in scores.items()}
