"""Addresses that carry a key: refused where they come in, cut out of whatever is told.

SOURCE, OUT and the addresses of files are written into run.json, the plan, every record and the tables, and workers
open them from there. So an address that holds a password, or a signature that stands for one, cannot be kept secret:
it is refused. Keys belong into variables and files that the drivers read themselves.
"""

from __future__ import annotations

import os
import re

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
ADDRESS = re.compile(r"[^\s\"'<>]*")
"""Passwords hold any character, those of S3 often slashes; so only these end an address inside a sentence."""
WEB = ("http", "https")
BUCKETS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
"""Schemes without ports: a colon in front of a number is that of a key, too."""
NAMED = ("abfs", "abfss", "wasb", "wasbs", "sftp", "ssh", "hdfs", "smb")
"""Schemes in which what stands in front of ``@`` is a name, and no secret unless a colon follows."""
PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d+)?")
SIGNED = re.compile(r"[?&;](x-amz-[a-z-]+|x-goog-[a-z-]+|[a-z_-]*(sig|signature|token|secret|password|key))=", re.I)
"""Parameters that stand for a key."""
REMOVED = "[removed]"


def check_address(address: str) -> None:
    """Refuse an address that carries a key.

    Raises:
        ValueError: It does; the sentence does not repeat it.
    """
    safe = without_secrets(address)
    if safe != address:
        raise ValueError(
            f"{safe}: the address carries a password, a signature or a query, which OUT would keep for all to read; "
            "leave it out, and give keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials, or "
            "fsspec's settings in ~/.config/fsspec"
        )


def absolute(address: str) -> str:
    """A path or URL as it means the same everywhere on this machine; no slash at the end of a URL."""
    return address.rstrip("/") if "://" in address else os.path.abspath(os.path.expanduser(address))


def without_secrets(text: str) -> str:
    """A text, such as an error message, with users, passwords and queries cut out of the addresses in it."""
    if "://" not in text:
        return text
    starts = [0, *(match.start() for match in SCHEME.finditer(text))]
    parts = [text[start:stop] for start, stop in zip(starts, [*starts[1:], len(text)], strict=True)]
    return "".join([parts[0], *map(_cleaned, parts[1:])])


def _cleaned(part: str) -> str:
    """One address, and the words behind it."""
    scheme, _, rest = part.partition("://")
    address = ADDRESS.match(rest)[0]  # type: ignore[index]
    return f"{scheme}://{_without_query(scheme.lower(), _without_user(scheme.lower(), address))}{rest[len(address) :]}"


def _without_user(scheme: str, address: str) -> str:
    authority = re.split(r"[/?#]", address, maxsplit=1)[0]
    user, _, rest = address.rpartition("@")
    if "@" in authority:
        is_name = scheme in NAMED and ":" not in authority.partition("@")[0]
    else:  # a name with @ in it further on, unless the authority is a key and half of a secret with a slash
        host = authority.rstrip(":") if authority == address else authority  # colons of the sentence
        has_port = PORT.fullmatch(host) is not None and not (scheme in BUCKETS and ":" in host)
        is_name = has_port or host.startswith("arn:")
    return address if is_name or not user else f"{REMOVED}@{rest}"


def _without_query(scheme: str, address: str) -> str:
    path, mark, query = address.partition("?")
    is_secret = bool(query) and (scheme in WEB or SIGNED.search(address) is not None)
    return f"{path}{mark}{REMOVED}" if is_secret else address
