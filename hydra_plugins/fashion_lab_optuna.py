"""Hydra's way to a search with Optuna, `-m sweep=optuna`. Hydra imports this file at every start.

The published hydra-optuna-sweeper pins Optuna below 3.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class OptunaSweeper(Sweeper):
    """Searches with TPE; one job at a time.

    Args:
        n_trials: total over all sessions.
        seed: of the sampler.
        startup: random trials before TPE begins.
        pruner: `startup` trials and `warmup` epochs before a run may be given up; None: none ever is.
        space: settings, nested as in the config, to `{low, high, log, step}` or `{choices}`.
    """

    def __init__(
        self,
        *,
        n_trials: int,
        seed: int,
        startup: int,
        pruner: Mapping[str, int] | None,
        space: Mapping[str, Any] | None,
    ) -> None:
        named = {"n_trials": n_trials, "seed": seed, "startup": startup}
        named |= {f"pruner.{key}": value for key, value in (pruner or {}).items()}
        for key, value in named.items():
            least = 1 if key in ("n_trials", "startup") else 0
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(
                    f"hydra.sweeper.{key}={value}; it must be a whole number of at least {least}"
                )
        if pruner is not None and pruner.keys() != {"startup", "warmup"}:
            raise ValueError(
                f"hydra.sweeper.pruner={dict(pruner)}; give startup and warmup, or null: none is given up"
            )
        self.n_trials, self.seed, self.startup, self.pruner, self.space = (
            n_trials,
            seed,
            startup,
            pruner,
            space,
        )
        self.hydra_context: HydraContext | None = None
        self.launcher: Launcher | None = None
        self.config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take over what Hydra has composed, and make the launcher."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[JobReturn]:
        """Run the search that the config and these words describe."""
        from fashion_lab.extras import require

        require(["optuna"], "sweep=optuna", "optuna")
        from fashion_lab.sweeps.points import identity
        from fashion_lab.sweeps.search import Search
        from fashion_lab.sweeps.space import check_space, from_word, space_of

        assert self.hydra_context is not None
        assert self.config is not None
        loader = self.hydra_context.config_loader
        parser = OverridesParser.create(config_loader=loader)
        overrides = parser.parse_overrides(arguments)
        plain: Any = OmegaConf.to_container(self.space) if OmegaConf.is_config(self.space) else self.space
        space = space_of(plain or {}, parser.parse_override)
        space |= {word.get_key_element(): from_word(word) for word in overrides if word.is_sweep_override()}
        fixed = {o.get_key_element(): str(o.input_line) for o in overrides if not o.is_sweep_override()}
        cfg = loader.load_sweep_config(self.config, list(fixed.values()))
        check_space(space, cfg, list(fixed), loader.get_group_options)
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        search = Search(
            words=list(fixed.values()),
            recipe=identity(cfg),
            space=space,
            metric=cfg.monitor.metric,
            mode=cfg.monitor.mode,
            trials=self.n_trials,
            seed=self.seed,
            startup=self.startup,
            pruner=self.pruner,
        )
        return search.run(folder, self._launch)

    def _launch(self, words: Sequence[str], number: int) -> JobReturn:
        assert self.launcher is not None
        (job,) = self.launcher.launch([list(words)], initial_job_idx=number)
        return job
