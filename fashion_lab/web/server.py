"""From a folder and an address to a server that runs."""

import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from fashion_lab import galleries
from fashion_lab.contracts.index import Index
from fashion_lab.galleries.recorded import remade
from fashion_lab.visual_search import VisualSearch
from fashion_lab.web.app import create
from fashion_lab.web.live import Live
from fashion_lab.web.settings import Settings, is_loopback

BACKLOG = 512
GRACE = 2  # seconds for answers under way when the server ends; assumption


@contextmanager
def bound(host: str, port: object, *, public: bool) -> Iterator[socket.socket]:
    """Take an address before anything slow is done; nobody is let in before `run`.

    Raises:
        ValueError: no such address, taken already, or open to other machines and nobody said so.
    """
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 2**16:
        raise ValueError(f"port={port}: give a number, 0 (any free one) to 65535")
    if not is_loopback(host) and not public:
        raise ValueError(
            f"host={host} lets other machines in, and there is no login: say public=true if that is meant, "
            "or keep host=127.0.0.1"
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise ValueError(f"host={host} is no address of this machine: {error}") from error
    # without its protocol, asyncio does not see that it is TCP, leaves out TCP_NODELAY: answers take 40 ms
    with socket.socket(family, kind, protocol) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(address)
        except OSError as error:
            raise ValueError(
                f"cannot listen on {host}, port {port}: {error.strerror}; choose another port=, or port=0 "
                "for any free one"
            ) from error
        yield taken


def watched(
    folder: str,
    ckpt: str | None,
    *,
    engine: Callable[[], Index] | None,
    runtime: str,
    trusted: Sequence[str],
    every: float,
) -> Live:
    """Open an index, and again whenever its folder changes.

    Args:
        folder: of the index.
        ckpt: its run or bundle, where that has moved.
        engine: makes an empty engine each time; None: the one that the index is made with then.
        runtime: of the encoder.
        trusted: packages outside this project that the index and its run may name.
        every: seconds between two looks.

    Raises:
        ValueError: no index there, a damaged one, or not this encoder's.
    """

    def load(before: VisualSearch | None) -> VisualSearch:
        index = None if engine is None else engine()
        if before is not None:  # its encoder takes seconds to load, and usually still does
            gallery = galleries.Gallery.load(folder)
            if gallery.source.fingerprint == before.encoder.fingerprint:
                index = remade(gallery.engine, trusted) if index is None else index
                return VisualSearch(gallery, before.encoder, index)
        return VisualSearch.load(folder, ckpt, index=index, runtime=runtime, trusted=trusted)

    return Live(load, lambda: galleries.state(folder), every)


def run(live: Live, settings: Settings, listener: socket.socket) -> None:
    """Answer until a signal comes."""
    server = prepared(live, settings, listener)
    if not is_loopback(listener.getsockname()[0]):
        _warn(live, server.address)
    server.run(sockets=[listener])


def prepared(live: Live, settings: Settings, listener: socket.socket) -> "Server":
    """Make a server that will answer at an address taken by `bound`."""
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        create(live, settings),
        log_config=None,
        log_level="critical",  # what fails in a request, `Guard` writes down
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE,
    )
    return Server(config, f"http://{f'[{host}]' if ':' in host else host}:{port}/")


class Server(uvicorn.Server):
    """Says where it is, once it really is there."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self.address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        if self.started:
            print(f"serving {self.address} (Ctrl-C ends it)", flush=True)


def _warn(live: Live, address: str) -> None:
    source, count = live.current.finder.gallery.source, len(live.current)
    print(
        f"{address} is open to every machine that reaches this one. There is no login and no encryption: "
        f"whoever comes may search, and see the pictures of all {count:,} items of {source.catalog} with "
        "ids, classes and other columns. Where that is not meant for all, put a proxy with both before it.",
        file=sys.stderr,
    )
