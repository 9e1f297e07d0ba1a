"""What a server is told when it starts: addresses, limits, batches. Values are checked here, in one place."""

import ipaddress
from dataclasses import dataclass, field

from fashion_lab.pictures import MAX_PIXELS

MEGA = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Upload:
    """What a client may send.

    Attributes:
        max_mb: megabytes of a request's body.
        max_megapixels: width x height of a picture, checked before it is decoded.
        seconds: that a body may take to arrive.
        threads: pictures decoded at once; each may take 300 MB at 20 megapixels.
        waiting: pictures that may wait for one of these threads.
        held_mb: bodies in memory at once, all clients together.
    """

    max_mb: float = 10
    max_megapixels: float = 20
    seconds: float = 30
    threads: int = 2
    waiting: int = 128
    held_mb: float = 256

    def __post_init__(self) -> None:
        if not 0 < self.max_megapixels * MEGA <= MAX_PIXELS:
            raise ValueError(
                f"upload.max_megapixels={self.max_megapixels}: give more than 0, {MAX_PIXELS // MEGA} at most"
            )
        if not 0 < self.max_mb <= self.held_mb:
            raise ValueError(
                f"upload.max_mb={self.max_mb}: give more than 0 and at most upload.held_mb={self.held_mb}"
            )
        _check("upload", self.threads >= 1, "threads", self.threads, "1 or more")
        _check("upload", self.waiting >= 0, "waiting", self.waiting, "0 or more")
        _check("upload", self.seconds > 0, "seconds", self.seconds, "more than 0")

    @property
    def max_bytes(self) -> int:
        """Bytes of a request's body."""
        return int(self.max_mb * MEGA)

    @property
    def max_pixels(self) -> int:
        """Pixels of a picture."""
        return int(self.max_megapixels * MEGA)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """How queries that come together share a forward pass.

    Attributes:
        size: pictures in one pass; 1 switches batching off.
        wait_ms: how long a picture waits for others that are being decoded; alone, it never waits.
        waiting: pictures that may wait for a pass.
    """

    size: int = 32
    wait_ms: float = 3
    waiting: int = 256

    def __post_init__(self) -> None:
        _check("batch", self.size >= 1, "size", self.size, "1 or more")
        _check("batch", 0 <= self.wait_ms <= 1000, "wait_ms", self.wait_ms, "0 to 1000")
        _check("batch", self.waiting >= 1, "waiting", self.waiting, "1 or more")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything else.

    Attributes:
        hosts: further names that a browser may call this server by.
        public: whether clients on other machines are meant to come in.
        sample: pictures of the catalog on the first page.
        max_k: hits that one query may ask for.
        reload_seconds: between two looks at the index folder.
        upload: limits of what clients send.
        batch: how queries share a forward pass.
    """

    hosts: tuple[str, ...] = ()
    public: bool = False
    sample: int = 24
    max_k: int = 200
    reload_seconds: float = 2
    upload: Upload = field(default_factory=Upload)
    batch: Batch = field(default_factory=Batch)

    def __post_init__(self) -> None:
        _check("", 1 <= self.sample <= 200, "sample", self.sample, "1 to 200")
        _check("", self.max_k >= 1, "max_k", self.max_k, "1 or more")
        _check("", self.reload_seconds > 0, "reload_seconds", self.reload_seconds, "more than 0")


def is_loopback(host: str) -> bool:
    """Say whether an address can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check(group: str, good: bool, name: str, value: float, allowed: str) -> None:
    if not good:
        raise ValueError(f"{group}{'.' if group else ''}{name}={value}: give {allowed}")
