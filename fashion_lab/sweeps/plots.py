"""Plots of a study: how the best came, which settings mattered, and where the good values lie."""

import logging
import warnings
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

log = logging.getLogger(__name__)

FEW = 2  # finished trials that an estimate of importance needs


def write_plots(study: optuna.Study, folder: Path, metric: str) -> list[Path]:
    """Write history, slices and, where there are enough trials, importances as PNG; gives their paths."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt
    from optuna.visualization import matplotlib as plots

    complete = study.get_trials(states=[TrialState.COMPLETE])
    varied = [key for key in study.best_params if len({trial.params.get(key) for trial in complete}) > 1]
    wanted: dict[str, Any] = {"history": lambda: plots.plot_optimization_history(study, target_name=metric)}
    if varied:
        wanted["slice"] = lambda: plots.plot_slice(study, params=varied, target_name=metric)
    if varied and len(complete) >= FEW and len({trial.value for trial in complete}) > 1:
        wanted["importances"] = lambda: plots.plot_param_importances(study, params=varied, target_name=metric)
    else:
        log.info("too few different trials for importances")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, plot in wanted.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            plot()
        figure = plt.gcf()
        width = max(7.0, 3.2 * len(varied)) if name == "slice" else 7.0
        figure.set_size_inches(width, 4.2)
        for axes in figure.axes:  # within a decade these would run into each other
            axes.tick_params(axis="x", which="minor", labelsize=7, labelrotation=45)
        figure.savefig(folder / f"{name}.png", dpi=130, bbox_inches="tight")
        plt.close(figure)
        paths.append(folder / f"{name}.png")
    return paths
