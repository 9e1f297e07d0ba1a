"""Shards made by several processes, on one machine or many, through Ray Data (extra `ray`).

Every node must see the pictures, the run and the index folder under the same paths. Where Ray is not told
otherwise (RAY_ADDRESS), it begins on this machine and ends with this process; one machine needs no Ray.
"""

import logging
import os
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from fashion_lab import extras
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.contracts.encoder import Encoder
from fashion_lab.galleries.embedding import Embed, Model, Parts, embed_shard

Load: TypeAlias = Callable[[str], Encoder]
SPARE = 1  # CPUs that no worker holds: Ray Data reads with them; without, nothing moves and nothing is said


class Worker:
    """Makes shards in a process of its own, with an encoder of its own.

    Args:
        catalog: the pickled catalog, as Ray keeps it.
        load: loads the encoder of a run.
        run: whose.
        folder: of the index.
    """

    def __init__(self, catalog: Any, load: Load, run: str, folder: Path) -> None:
        import ray

        self.catalog: Catalog = pickle.loads(ray.get(catalog))
        self.encoder, self.folder = load(run), folder

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Make the shards of some parts: {"number", "part"} to {"number", "name"}."""
        parts = [pickle.loads(part) for part in batch["part"]]
        names = [embed_shard(self.catalog, part, self.encoder, self.folder, threads=1) for part in parts]
        return {"number": list(batch["number"]), "name": names}


def on_ray(load: Load, *, most: int | None = None) -> Embed:
    """Make shards through Ray Data, as many at once as there are CPUs, but for one.

    Args:
        load: loads the encoder of a run, in each worker; it must be picklable.
        most: workers; None: all CPUs of the cluster but one.

    Raises:
        ValueError: Ray is not installed.
    """
    extras.require(["ray"], "executor=ray", "ray", "executor=here")

    def embed(catalog: Catalog, parts: Parts, model: Model, folder: Path) -> Sequence[str]:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        import ray

        is_ours = not ray.is_initialized()
        if is_ours:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
        try:
            given = (load, str(Path(model.run).absolute()), folder.absolute())
            return _mapped(catalog, parts, given, most)
        finally:
            if is_ours:
                ray.shutdown()

    return embed


def _mapped(catalog: Catalog, parts: Parts, given: tuple[Load, str, Path], most: int | None) -> list[str]:
    """Map workers over the parts, and give the names of the shards in the order of the parts."""
    import ray
    from ray.exceptions import RayTaskError

    cpus = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
    workers = min(len(parts), most or max(1, cpus - SPARE))
    rows = [{"number": number, "part": pickle.dumps(list(part))} for number, part in enumerate(parts)]
    _quiet()
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        Worker,
        fn_constructor_args=(ray.put(pickle.dumps(catalog)), *given),
        batch_size=1,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1 if cpus > SPARE else 0.5,
    )
    try:
        names = {int(row["number"]): str(row["name"]) for row in done.iter_rows()}
    except RayTaskError as error:
        raise error.cause if isinstance(error.cause, ValueError | OSError) else error from None
    return [names[number] for number in range(len(parts))]


def _quiet() -> None:
    """Keep Ray Data from telling the whole plan and all progress where nobody watches."""
    import ray

    context = ray.data.DataContext.get_current()
    context.print_on_execution_start = False
    context.enable_progress_bars = sys.stderr.isatty()
    logging.getLogger("ray.data").setLevel(logging.WARNING)
