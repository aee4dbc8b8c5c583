"""A machine whose own disk is full, where temporary files and what Ray spills go: no clip is to blame for that.

A full OUT is another thing, and a ``StorageError``.
"""

from __future__ import annotations

import errno
import socket

from ray.exceptions import OutOfDiskError

from vss_ray.addresses import without_secrets
from vss_ray.cluster.causes import causes
from vss_ray.errors import VssError

FULL = (errno.ENOSPC, errno.EDQUOT)
STEP = "make room there, in /tmp or where TMPDIR and RAY_TMPDIR point, and run the same command again"


class DiskFullError(VssError):
    """A machine of the cluster has no room left on its own disk."""


def full_disk(error: Exception) -> DiskFullError | None:
    """The same error as one sentence, where it comes of a full disk of this machine; None where it does not."""
    for each in causes(error):
        if isinstance(each, DiskFullError):
            return each
        if isinstance(each, VssError):  # said by who knows better
            return None
        if isinstance(each, OutOfDiskError):
            return DiskFullError(f"Ray's object store and the disk that it spills to are full on a machine; {STEP}")
        if isinstance(each, OSError) and each.errno in FULL:
            where = f" ({without_secrets(str(each.filename))})" if each.filename else ""
            return DiskFullError(f"{socket.gethostname()}: there is no space left on its own disk{where}; {STEP}")
    return None
