"""What a training prints before it starts and when it is done."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fashion_lab.checkpoint import Record
from fashion_lab.contracts.catalog import Catalog
from fashion_lab.data.module import CatalogData


class NetworkSize(NamedTuple):
    """Numbers that a network learns, and multiply-adds of its convolutions and matrices for one picture."""

    parameters: int
    multiply_adds: int


def network_size(network: nn.Module, pixels: int) -> NetworkSize:
    """Count a network's parameters, and its multiply-adds for one picture [3, pixels, pixels]."""
    inner = getattr(network, "embedding_network", network)
    was_training = network.training
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        inner(torch.zeros(1, 3, pixels, pixels))
    network.train(was_training)
    return NetworkSize(sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2)


def opening_block(
    catalog: Catalog, data: CatalogData, size: NetworkSize, record: Record, folder: Path
) -> Panel:
    """Say what is trained on what."""
    splits = ", ".join(f"{name} {len(rows):,}" for name, rows in data.splits.items())
    table = _table()
    table.add_row("catalog", f"{catalog.name}: {len(catalog.classes)} classes; {splits}")
    if data.store.broken:
        table.add_row("unreadable", f"{len(data.store.broken)} pictures left out")
    millions = size.multiply_adds / 1e6
    table.add_row("network", f"{size.parameters:,} parameters, {millions:.1f} M multiply-adds a picture")
    if (origin := pretraining(record)) is not None:
        table.add_row("starts from", origin)
    if (teacher := record["teacher"]) is not None:
        began = f", from {teacher['pretraining']}" if "pretraining" in teacher else ""
        table.add_row("learns from", f"{teacher['path']} (sha256 {teacher['sha256'][:12]}){began}")
    table.add_row("folder", str(folder))
    return Panel(table, title=f"stage {record['stage']}", title_align="left")


def pretraining(record: Record) -> str | None:
    """Say what weights a run started from: those of stage 1, of a file or a hub, or None."""
    parent, origin = record["parent"], record.get("pretraining")
    steps = [] if parent is None else [f"stage 1, {parent['path']} (sha256 {parent['sha256'][:12]})"]
    if origin is not None:
        steps.append(f"{origin['source']} (sha256 {origin['sha256'][:12]})")
    return ", from ".join(steps) or None


def closing_block(result: Mapping[str, Any], path: Path) -> Panel:
    """Say what came out and where it is."""
    table = _table()
    metrics: Mapping[str, float] = result["metrics"]
    for name, value in metrics.items():
        if name.startswith(("val_start/", "val_last/")) or "/recall/" in name:
            continue
        before = metrics.get(f"val_start/{name.removeprefix('val/')}") if name.startswith("val/") else None
        table.add_row(name, _number(value) + ("" if before is None else f"  (start {_number(before)})"))
    paths = _table()
    paths.add_row("result", str(path))
    paths.add_row("checkpoint", str(Path(result["folder"], result["checkpoint"])))
    seconds = result["seconds"]
    paths.add_row("time", f"{seconds['fit']:.0f} s of training, {seconds['total']:.0f} s in all")
    return Panel(Group(table, "", paths), title=f"{result['stage']}: done", title_align="left")


def _table() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and abs(value) > 1 else f"{value:.4f}"
