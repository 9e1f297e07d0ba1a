"""Fetch a data set: over https, checked against pins, there as a whole or not at all."""

import hashlib
import logging
import shutil
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from fashion_lab.folders import locked, whole

log = logging.getLogger(__name__)

TIMEOUT = 30  # seconds without a byte; assumption
BLOCK = 1 << 16
MAX_BYTES = 400_000_000  # of the archive: clothing-dataset-small packs about 110 MB
MAX_FILES = 20_000  # of the archive: it has about 3,800
MAX_UNPACKED = 1_000_000_000
LOOPBACK = ("127.0.0.1", "localhost", "::1")  # plain http is for tests on this machine only


class DownloadError(ValueError):
    """A data set that could not be fetched: one line that says why; nothing of it was kept."""


@dataclass(frozen=True)
class Source:
    """Where a data set comes from and what it must be.

    Attributes:
        archive: address of a zip with one folder at its top, which becomes the data set's folder.
        files: further files, name to (address, sha256).
        splits: split name to (pictures, sha256 of their `sha256sum` lines in byte order of the paths). An archive
            that a server packs anew has no stable bytes of its own, so its files are what is pinned.
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
            unpack(archive, folder)
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
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        why = getattr(error, "reason", None) or error
        raise DownloadError(f"cannot fetch {address}: {type(error).__name__}: {why}") from error
    if length and received != int(length):
        raise DownloadError(f"{address} was cut off after {received:,} of {int(length):,} bytes: try again")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip without the one folder at its top, member by member. Raises DownloadError."""
    try:
        with zipfile.ZipFile(archive) as bundle:
            members = bundle.infolist()
            if len(members) > MAX_FILES or sum(member.file_size for member in members) > MAX_UNPACKED:
                raise DownloadError(f"archive holds too much: {len(members):,} members; nothing was kept")
            for member in members:
                path = _safe_path(member)
                if path is None:
                    continue
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                with bundle.open(member) as packed, (folder / path).open("xb") as out:
                    shutil.copyfileobj(packed, out)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DownloadError(f"archive is broken ({type(error).__name__}: {error}): try again") from error
    except FileExistsError as error:
        raise DownloadError(f"archive has a name twice: {error.filename}; nothing was kept") from error


def split_sha256(folder: Path, split: str) -> str:
    """Hash a split as pinned: sha256 of the lines `<sha256>  <split>/<class>/<file>` of its jpgs, by path bytes."""
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


def _safe_path(member: zipfile.ZipInfo) -> PurePosixPath | None:
    """Say where a member goes, below its top folder; None for a folder. Raises DownloadError for anything odd."""
    name = member.orig_filename
    path = PurePosixPath(name)
    kind = stat.S_IFMT(member.external_attr >> 16)
    odd_name = path.is_absolute() or ".." in path.parts or any(sign in name for sign in "\\:\0")
    if odd_name or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DownloadError(f"archive has an unsafe member {name!r}: nothing was kept")
    inner = PurePosixPath(*path.parts[1:])
    return None if member.is_dir() or not inner.parts else inner


Fetch = Callable[[Source, Path], None]
