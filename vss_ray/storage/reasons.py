"""Why a place cannot be read or written, and what to do: one sentence each."""

from __future__ import annotations

import errno

from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.exceptions import HTTPClientError, NoCredentialsError, PartialCredentialsError

from vss_ray.addresses import without_secrets

KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
OF_CODE = {
    "NoSuchBucket": ("the bucket does not exist", "create it or correct its name"),
    "ExpiredToken": ("the keys have expired", "get new ones and run the same command again"),
    "RequestTimeTooSkewed": ("the clock of this machine is wrong", "set it and run the same command again"),
}
"""By S3's own name of what went wrong."""
OF_NUMBER = {
    errno.ENOSPC: ("there is no space left", "make room"),
    errno.EDQUOT: ("there is no space left", "make room"),
    errno.EROFS: ("it can only be read", "mount it for writing or choose another folder"),
}


def code(error: BaseException) -> str:
    """S3's own name of what went wrong, or nothing."""
    response = getattr(error.__cause__, "response", None) or {}
    return response.get("Error", {}).get("Code", "")


def explain(error: Exception, is_local: bool) -> tuple[str, str]:
    """Why, and what to do."""
    if code(error) in OF_CODE:
        return OF_CODE[code(error)]
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return "there are no credentials", KEYS
    if isinstance(error, BotoConnectionError | HTTPClientError | ConnectionError | TimeoutError):
        return "the endpoint cannot be reached", "check AWS_ENDPOINT_URL and the network"
    if isinstance(error, PermissionError):
        if is_local:
            return "permission denied", "choose a folder that is yours, or change its rights"
        return f"access is denied ({code(error) or 'forbidden'})", f"{KEYS}, and what they may do in this bucket"
    if isinstance(error, FileNotFoundError):
        return "its folder cannot be made", "choose a folder that is yours"
    if isinstance(error, NotADirectoryError | FileExistsError | IsADirectoryError):
        return "a file stands where a folder belongs, or the reverse", "choose another path"
    if isinstance(error, OSError) and error.errno in OF_NUMBER:
        return OF_NUMBER[error.errno]
    reason = without_secrets(" ".join(str(error).split()))[:300] or type(error).__name__
    return reason, "check the path" if is_local else "check the path and AWS_ENDPOINT_URL, then try again"
