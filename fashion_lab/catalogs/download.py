"""Fetch a data set: over https, checked against pins, there as a whole or not at all."""

import hashlib
import logging
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from fashion_lab.catalogs.archive import ArchiveError, unpack
from fashion_lab.folders import locked, whole

log = logging.getLogger(__name__)

TIMEOUT = 30  # seconds without a byte; assumption
BLOCK = 1 << 16
MAX_BYTES = 400_000_000  # of the archive: clothing-dataset-small packs about 110 MB
LOOPBACK = ("127.0.0.1", "localhost", "::1")  # plain http is for tests on this machine only


class DownloadError(ValueError):
    """A data set that could not be fetched: one line that says why; nothing of it was kept."""


@dataclass(frozen=True)
class Source:
    """Where a data set comes from and what it must be.

    Attributes:
        archive: address of a zip with one folder at its top, which becomes the data set's folder.
        files: further files, name to (address, sha256).
        splits: split name to (pictures, `split_sha256`). The archive itself has no pin: servers pack it anew.
    """

    archive: str
    files: Mapping[str, tuple[str, str]]
    splits: Mapping[str, tuple[int, str]]


def fetch(source: Source, target: Path) -> None:
    """Bring a data set to `target`, unless it is there already; two processes at once fetch it once.

    Raises:
        DownloadError: unreachable, cut off, unsafe, or not what the pins say.
        OSError: disk full or not writable.
    """
    with locked(target):
        if target.is_dir():
            return
        log.info("fetching %s to %s", source.archive, target)
        with whole(target) as folder:
            archive = folder / ".archive.zip"
            download(source.archive, archive)
            try:
                unpack(archive, folder)
            except ArchiveError as error:
                raise DownloadError(f"{source.archive}: {error}; nothing was kept") from error
            archive.unlink()
            for name, (address, pin) in source.files.items():
                download(address, folder / name)
                _check(f"{name} from {address}", sha256_of(folder / name), pin)
            for split, (_, pin) in source.splits.items():
                _check(f"split {split!r} of {source.archive}", split_sha256(folder, split), pin)


def download(address: str, file: Path) -> None:
    """Stream an address into a file, with a progress bar. Raises DownloadError."""
    _require_safe(address)
    request = Request(address, headers={"User-Agent": "fashion_lab"})
    try:
        with build_opener(_SafeRedirects).open(request, timeout=TIMEOUT) as answer, file.open("wb") as out:
            length = answer.headers.get("Content-Length")
            received = _stream(answer, out, file.name, int(length) if length else None)
    except (URLError, HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        why = getattr(error, "reason", None) or error
        raise DownloadError(f"cannot fetch {address}: {type(error).__name__}: {why}") from error
    if length and received != int(length):
        raise DownloadError(f"{address} was cut off after {received:,} of {int(length):,} bytes: try again")


def split_sha256(folder: Path, split: str) -> str:
    """Hash a split: sha256 of the lines `<sha256>  <split>/<class>/<file>` of its jpgs, by path bytes."""
    paths = [path.relative_to(folder).as_posix() for path in folder.glob(f"{split}/*/*.jpg")]
    lines = (f"{sha256_of(folder / path)}  {path}\n" for path in sorted(paths, key=str.encode))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def sha256_of(file: Path) -> str:
    """Hash a file's bytes."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _check(what: str, found: str, pin: str) -> None:
    if found != pin:
        raise DownloadError(f"{what} has sha256 {found}, not {pin}: it was changed; nothing was kept")


def _stream(answer: IO[bytes], out: IO[bytes], name: str, length: int | None) -> int:
    """Copy an answer block by block; says how many bytes came."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    quiet = not sys.stderr.isatty()
    received = 0
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task(f"fetching {name.removeprefix('.')}", total=length)
        while block := answer.read(BLOCK):
            received += len(block)
            if received > MAX_BYTES:
                raise DownloadError(f"{name} is larger than {MAX_BYTES:,} bytes: this is something else")
            out.write(block)
            bar.update(task, completed=received)
    return received


def _require_safe(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise DownloadError(f"{address} is not https: refused")


class _SafeRedirects(HTTPRedirectHandler):
    """Follows a redirect to https, or within one server; never down to http or to a file."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme != "https" and (old.scheme, old.netloc) != (new.scheme, new.netloc):
            raise DownloadError(f"{req.full_url} redirects to {newurl}, which is not https: refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
