"""How long a run waits for S3 that does not answer, is overloaded or breaks off: by botocore's own retries.

Fifteen attempts, with 1, 2, 4, 8, 16 and then 20 s between them at most, each time a random share of it, are 105 s on
average and less than 60 s once in 200 times: a server that restarts is waited out. One that takes the connection and
says nothing counts as an attempt after 15 s (s3fs), which ends before the half hour after which Ray Data gives up.
Commands that somebody waits for keep botocore's default and say within seconds that nobody answers.

botocore's standard mode bounds retries by a budget of 500 for a client, 5 each: enough for seven calls at once. s3fs
has a client for every thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import s3fs

DEFAULTS = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "15"}
"""botocore's variables; whoever sets them decides."""


def variables() -> dict[str, str]:
    """What the processes of a run get into their environment: nothing that somebody has set otherwise."""
    return {name: value for name, value in DEFAULTS.items() if os.environ.get(name, value) == value}


@contextmanager
def patient() -> Iterator[None]:
    """This process, and those that it starts, wait for S3 as a run does."""
    missing = [name for name in DEFAULTS if name not in os.environ]
    os.environ.update({name: DEFAULTS[name] for name in missing})
    s3fs.S3FileSystem.clear_instance_cache()  # clients read the variables when they are made
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)
        s3fs.S3FileSystem.clear_instance_cache()
