"""Unpack a zip from elsewhere, trusting nothing in it."""

import errno
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

MAX_FILES = 20_000  # clothing-dataset-small has about 3,800
MAX_UNPACKED = 1_000_000_000  # bytes; it has about 110 MB


class ArchiveError(ValueError):
    """An archive that is broken or unsafe."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip without the one folder at its top, member by member.

    Raises:
        ArchiveError: broken, too much in it, links or devices, names that lead out of `folder`, a name twice.
    """
    try:
        with zipfile.ZipFile(archive) as bundle:
            members = bundle.infolist()
            size = sum(member.file_size for member in members)
            if len(members) > MAX_FILES or size > MAX_UNPACKED:
                raise ArchiveError(f"the archive holds too much: {len(members):,} members, {size:,} bytes")
            for member in members:
                _unpack_one(bundle, member, folder)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeError,
    ) as error:
        raise ArchiveError(f"the archive is broken: {type(error).__name__}: {error}") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise ArchiveError(f"the archive has a name twice: {error.filename}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # what a seek to before the start of a file gives
            raise
        raise ArchiveError("the archive is broken: its index points outside it") from error


def _unpack_one(bundle: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Write one file. `zipfile` stops at the size that the member declares and checks its CRC."""
    path = _safe_path(member)
    if member.is_dir() or not path.parts:
        return
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    with bundle.open(member) as packed, (folder / path).open("xb") as out:
        shutil.copyfileobj(packed, out)


def _safe_path(member: zipfile.ZipInfo) -> PurePosixPath:
    """Say where a member goes, below its top folder."""
    name = member.orig_filename
    path = PurePosixPath(name)
    kind = stat.S_IFMT(member.external_attr >> 16)
    odd_name = path.is_absolute() or ".." in path.parts or any(sign in name for sign in "\\:\0")
    if odd_name or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError(f"the archive has an unsafe member {name!r}")
    return PurePosixPath(*path.parts[1:])
