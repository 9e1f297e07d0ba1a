"""What a run got right and wrong, picture by picture: `outcomes/<split>.npz` in its folder.

Means of these are its metrics; kept apart by picture, they say how sure a mean is, and compare two runs on
the same pictures without asking a network again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from fashion_lab.folders import flush

FOLDER = "outcomes"
FORMAT = 1
VALIDATION, START, LAST_EPOCH = "validation", "validation-start", "validation-last"
"""Names of what a training leaves: of its best checkpoint, of where stage 2 began, of the last epoch."""

RAW, PRETRAINED, STAGE_1 = "raw pixels", "pretrained backbone", "stage 1"
STAGE_2, NO_STAGE_1 = "stage 2", "untrained"
BESIDE = {RAW: "raw", PRETRAINED: "pretrained", STAGE_1: "stage_1", NO_STAGE_1: "start"}
"""Embeddings that stage 2 is compared with: what the names of their outcomes end with."""


def beside(split: str, embedding: str) -> str:
    """Name the outcomes of an embedding that stage 2 is compared with: `test-raw`."""
    return f"{split}-{BESIDE[embedding]}"


CORRECT = "accuracy"
"""The score of a classifier: 1 where it is right, else 0."""


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """N pictures of a split, and how a run did on each.

    Attributes:
        catalog: the catalog's name.
        split: the split's.
        classes: C class names; a label is a position in it.
        items_N: each picture's name in the catalog.
        labels_N: its class.
        groups_N: who took it; None where nobody knows.
        scores: by the name of the metric whose mean they are (`accuracy`, `other_senders/map_at_r`): float64
            [N], NaN where a picture has no right answer.
        probabilities_NC: of a classifier, float32; None of an encoder.
    """

    catalog: str
    split: str
    classes: tuple[str, ...]
    items_N: NDArray[np.str_]
    labels_N: NDArray[np.int64]
    groups_N: NDArray[np.int64] | None
    scores: Mapping[str, NDArray[np.float64]]
    probabilities_NC: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        counts = {name: len(scores_N) for name, scores_N in self.scores.items()}
        optional = {"groups": self.groups_N, "probabilities": self.probabilities_NC, "labels": self.labels_N}
        counts |= {name: len(array) for name, array in optional.items() if array is not None}
        for name, count in counts.items():
            if count != len(self):
                raise ValueError(f"outcomes have {len(self)} pictures and {count} {name}")

    def __len__(self) -> int:
        return len(self.items_N)

    def same_pictures(self, other: "Outcomes") -> bool:
        """Say whether another's are the same pictures with the same labels, in the same order."""
        return (
            self.classes == other.classes
            and np.array_equal(self.items_N, other.items_N)
            and np.array_equal(self.labels_N, other.labels_N)
        )

    def save(self, run: Path) -> Path:
        """Write them into a run's folder, whole or not at all."""
        path = run / FOLDER / f"{self.split}.npz"
        path.parent.mkdir(exist_ok=True)
        facts = {
            "format": FORMAT,
            "catalog": self.catalog,
            "split": self.split,
            "classes": list(self.classes),
            "scores": list(self.scores),
        }
        arrays = {
            "facts": np.array(json.dumps(facts)),
            "items": self.items_N,
            "labels": self.labels_N,
            **{f"score{number}": scores_N for number, scores_N in enumerate(self.scores.values())},
        }
        if self.groups_N is not None:
            arrays["groups"] = self.groups_N
        if self.probabilities_NC is not None:
            arrays["probabilities"] = self.probabilities_NC
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        flush(temporary)
        temporary.replace(path)
        return path

    @classmethod
    def load(cls, run: Path, split: str) -> Self:
        """Read those of a split. Raises ValueError where there are none, or what is there is damaged."""
        path = run / FOLDER / f"{split}.npz"
        if not path.is_file():
            raise ValueError(
                f"{run} has no outcomes of its {split} pictures: "
                f"python -m fashion_lab.evaluate ckpt={run} split={split}"
            )
        try:
            with np.load(path, allow_pickle=False) as arrays:
                facts = json.loads(str(arrays["facts"]))
                if facts["format"] != FORMAT:
                    raise ValueError(f"format {facts['format']}, this version reads {FORMAT}")
                return cls(
                    catalog=facts["catalog"],
                    split=facts["split"],
                    classes=tuple(facts["classes"]),
                    items_N=arrays["items"],
                    labels_N=arrays["labels"],
                    groups_N=arrays.get("groups"),
                    scores={name: arrays[f"score{number}"] for number, name in enumerate(facts["scores"])},
                    probabilities_NC=arrays.get("probabilities"),
                )
        except (BadZipFile, OSError, EOFError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} is damaged ({error}): evaluate the run again: "
                f"python -m fashion_lab.evaluate ckpt={run} split={split}"
            ) from error
