"""Does the server hold out: many clients for a minute, then what batches of queries gain.

python experiments/search/load.py index=<folder> pictures=<folder of queries>

More words: clients=50 seconds=60 rounds=5 out=<folder of load.md and load.json>; all others go to the server,
such as ckpt=<bundle>. Server and clients share this machine. Linux only: memory is read from /proc.
"""

import asyncio
import json
import os
import platform
import statistics
import sys
import threading
import time
import urllib.request
from pathlib import Path

from clients import Told, crowd, queries, serving

HERE = Path(__file__).parent
OWN = {"pictures": "", "clients": "50", "seconds": "60", "rounds": "5", "out": str(HERE)}
ROW = "| {size} | {kind} | {per_second:g} | {p50_ms:g} | {p95_ms:g} |"
KINDS = {"batched": [], "one by one": ["batch.size=1"]}


def main(words: list[str]) -> None:
    given = dict(word.split("=", 1) for word in words)
    options = {name: given.pop(name, usual) for name, usual in OWN.items()}
    server = [f"{name}={value}" for name, value in given.items()]
    requests = queries(Path(options["pictures"]))
    clients, seconds = int(options["clients"]), float(options["seconds"])
    result = {
        "load": load(server, requests, clients, seconds),
        "batching": batching(server, requests, clients, seconds / 6, int(options["rounds"])),
        "machine": machine(server),
    }
    out = Path(options["out"])
    (out / "load.json").write_text(json.dumps(result, indent=2) + "\n")
    (out / "load.md").write_text(report(result))
    print(report(result))
    if result["load"]["errors"]:
        sys.exit(f"{result['load']['errors']} answers were errors")


def load(server: list[str], requests: list[bytes], clients: int, seconds: float) -> dict:
    """Ask for a while; watch the server's memory."""
    with serving(server) as (process, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as health:
            items = json.load(health)["items"]
        asyncio.run(crowd(port, requests, clients, seconds / 2))  # until caches and the allocator are full
        memory, done = [], threading.Event()

        def watch() -> None:
            while not done.wait(seconds / 60):
                memory.append(resident(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        told = asyncio.run(crowd(port, requests, clients, seconds))
        done.set()
        watcher.join()
    third = max(1, len(memory) // 3)
    return {
        "items": items,
        "clients": clients,
        "seconds": seconds,
        **timing(told, seconds),
        "errors": sum(one.status != 200 for one in told),
        "memory_mb": memory,
        "memory_first_third_mb": round(statistics.median(memory[:third]), 1),
        "memory_last_third_mb": round(statistics.median(memory[-third:]), 1),
    }


def batching(server: list[str], requests: list[bytes], clients: int, seconds: float, rounds: int) -> dict:
    """Ask two servers in turns: one that batches, one that does not; also with a single client."""
    found: dict[str, dict[str, list[dict]]] = {}
    with (
        serving([*server, *KINDS["batched"]]) as (_, first),
        serving([*server, *KINDS["one by one"]]) as (_, second),
    ):
        ports = dict(zip(KINDS, (first, second), strict=True))
        for port in ports.values():
            asyncio.run(crowd(port, requests, 2, 2))
        for number in range(2 * rounds):
            order = list(KINDS) if number % 2 else list(KINDS)[::-1]
            size = clients if number < rounds else 1
            for kind in order:
                told = asyncio.run(crowd(ports[kind], requests, size, seconds / 2))
                found.setdefault(str(size), {}).setdefault(kind, []).append(timing(told, seconds / 2))
    return {size: {kind: medians(all_) for kind, all_ in kinds.items()} for size, kinds in found.items()}


def medians(rounds: list[dict]) -> dict:
    return {key: round(statistics.median(one[key] for one in rounds), 2) for key in rounds[0]}


def timing(told: list[Told], seconds: float) -> dict:
    ordered = sorted(one.seconds * 1000 for one in told)
    shares = {f"p{part}_ms": round(ordered[len(ordered) * part // 100], 1) for part in (50, 95, 99)}
    return {"requests": len(told), "per_second": round(len(told) / seconds, 1), **shares}


def resident(pid: int) -> float:
    """Memory of a process in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def machine(server: list[str]) -> dict:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "load_average": [round(value, 1) for value in os.getloadavg()],
        "python": platform.python_version(),
        "options": [word for word in server if not word.startswith(("index=", "ckpt="))],
        "date": time.strftime("%Y-%m-%d"),
    }


def report(result: dict) -> str:
    load, machine = result["load"], result["machine"]
    lines = [
        "# The server under load",
        "",
        "`python experiments/search/load.py index=<folder> pictures=<folder>`",
        "",
        f"{load['clients']} clients for {load['seconds']:g} s, each sending the next picture once it is "
        f"answered, 12 hits among {load['items']:,} items, server and clients on one machine "
        f"({machine['cores']} cores; load average at the end {machine['load_average'][0]}):",
        "",
        f"- {load['requests']:,} requests, **{load['errors']} errors**, {load['per_second']:g} a second",
        f"- p50 {load['p50_ms']:g} ms, **p95 {load['p95_ms']:g} ms**, p99 {load['p99_ms']:g} ms",
        f"- memory of the server: {load['memory_first_third_mb']:g} MB in the first third of the time, "
        f"{load['memory_last_third_mb']:g} MB in the last",
        "",
        "What batches gain, two servers asked in turns (medians of the rounds):",
        "",
        "| clients | server | requests a second | p50 ms | p95 ms |",
        "|---|---|---:|---:|---:|",
    ]
    for size, kinds in result["batching"].items():
        for kind, one in kinds.items():
            lines.append(ROW.format(size=size, kind=kind, **one))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
