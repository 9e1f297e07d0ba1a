"""What classifiers say about pictures that they did not learn from: the folds of a catalog, put together.

N pictures, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fashion_lab.contracts.catalog import Catalog, Ints
from fashion_lab.outcomes import VALIDATION, Outcomes
from fashion_lab.run_files import CONFIG
from fashion_lab.studies.reading import read_config


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Out-of-fold predictions: each picture's is of a run that held it back.

    Attributes:
        rows_N: positions in the catalog, in order.
        probabilities_NC: of the classes; where several runs held a picture back, their mean.
        runs: how many.
    """

    rows_N: Ints
    probabilities_NC: NDArray[np.float64]
    runs: int


def read_predictions(runs: Sequence[Path], catalog: Catalog) -> Predictions:
    """Read what runs say about their validation pictures.

    Args:
        runs: folders of classifiers: all folds of the catalog (`data.folds`, `data.fold`), or, where it has
            none, runs with other divisions of it.
        catalog: whose pictures they are.

    Raises:
        ValueError: no classifier's run, folds that are not all there, or pictures of another catalog.
    """
    if repeated := sorted({str(run) for run in runs if runs.count(run) > 1}):
        raise ValueError(f"runs= names {', '.join(repeated)} more than once: name every run once")
    configs = [_config(run) for run in runs]
    check_folds(runs, configs)
    places = {catalog.item(row): row for row in range(len(catalog))}
    sums_NC = np.zeros((len(catalog), len(catalog.classes)))
    times_N = np.zeros(len(catalog), dtype=np.int64)
    for run in runs:
        outcomes = _outcomes(run, catalog)
        rows = np.array([places.get(str(name), -1) for name in outcomes.items_N])
        strange = np.flatnonzero((rows < 0) | (catalog.labels[rows] != outcomes.labels_N))
        if len(strange):
            raise ValueError(
                f"{run}: {len(strange):,} of its {len(rows):,} validation pictures are not in catalog "
                f"{catalog.name!r} under the same label, such as {outcomes.items_N[strange[0]]}: is data= "
                "the catalog that it was trained on?"
            )
        assert outcomes.probabilities_NC is not None
        sums_NC[rows] += outcomes.probabilities_NC
        times_N[rows] += 1
    rows_N = np.flatnonzero(times_N)
    return Predictions(
        rows_N=rows_N, probabilities_NC=sums_NC[rows_N] / times_N[rows_N, None], runs=len(runs)
    )


def check_folds(runs: Sequence[Path], configs: Sequence[Mapping[str, Any]]) -> None:
    """Raise ValueError unless runs with folds are all folds of one catalog, and all have them or none."""
    folds = [(config.get("data.folds"), config.get("data.fold")) for config in configs]
    names = [f"{run} (data.folds={of} data.fold={fold})" for run, (of, fold) in zip(runs, folds, strict=True)]
    if len({of for of, _ in folds}) > 1:
        raise ValueError(f"runs= mixes divisions that do not fit: {', '.join(names)}: give folds of one kind")
    of = folds[0][0]
    if of is None:
        return
    missing = sorted(set(range(of)) - {fold for _, fold in folds})
    if missing:
        raise ValueError(
            f"runs= lacks fold {', '.join(map(str, missing))} of {of}: train with data.folds={of} "
            f"data.fold={','.join(map(str, missing))} and name all {of} runs"
        )


def _config(run: Path) -> dict[str, Any]:
    if not (run / CONFIG).is_file():
        raise ValueError(f"runs={run} is no run: give folders of trained classifiers, which hold {CONFIG}")
    config = read_config(run / CONFIG)
    if config.get("stage") != "classifier":
        raise ValueError(f"runs={run} has stage={config.get('stage')}: give runs with stage=classifier")
    return config


def _outcomes(run: Path, catalog: Catalog) -> Outcomes:
    outcomes = Outcomes.load(run, VALIDATION)
    if outcomes.classes != tuple(catalog.classes):
        raise ValueError(
            f"{run} knows {', '.join(outcomes.classes)}; catalog {catalog.name!r} has "
            f"{', '.join(catalog.classes)}: is data= the catalog that it was trained on?"
        )
    if outcomes.probabilities_NC is None:
        raise ValueError(
            f"{run} keeps no probabilities: python -m fashion_lab.evaluate ckpt={run} split={VALIDATION}"
        )
    return outcomes
