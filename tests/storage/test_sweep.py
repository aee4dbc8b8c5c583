"""What killed writes have left goes, what is being written stays."""

from __future__ import annotations

import os
import time
import uuid

import pytest
import s3fs

from vss_ray.storage.location import Location
from vss_ray.storage.sweep import ABANDONED_SECONDS, SCRATCH_SECONDS, sweep


def test_unfinished_files_go_when_they_are_old(tmp_path):
    location = Location.open(tmp_path)
    for name in ("masks/v/.a.mkv.0123456789abcdef.partial", "masks/v/.b.mkv.0123456789abcdef.partial", "masks/v/c.mkv"):
        location.write(name, b"half")
    old = time.time() - ABANDONED_SECONDS - 1
    os.utime(tmp_path / "masks/v/.a.mkv.0123456789abcdef.partial", (old, old))
    os.utime(tmp_path / "masks/v/c.mkv", (old, old))
    assert sweep(location) == 1
    assert sorted(os.listdir(tmp_path / "masks/v")) == [".b.mkv.0123456789abcdef.partial", "c.mkv"]
    assert sweep(Location.open(tmp_path / "nowhere")) == sweep(Location.open("memory://x")) == 0


def test_scratch_folders_go_when_they_are_old(tmp_path, monkeypatch):
    monkeypatch.setattr("vss_ray.storage.sweep.gettempdir", lambda: str(tmp_path))
    old = time.time() - SCRATCH_SECONDS - 1
    for name in ("vss-tables-a", "vss-tables-b", "vss-search-c", "of-others"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_bytes(b"1")
        if name != "vss-tables-b":
            os.utime(tmp_path / name / "x", (old, old))
        os.utime(tmp_path / name, (old, old))
    sweep(Location.open("memory://x"))
    assert sorted(os.listdir(tmp_path)) == ["of-others", "vss-tables-b"]


@pytest.mark.s3
def test_uploads_in_parts_go_when_they_are_old(s3):
    location = Location.open(f"{s3.url}/{uuid.uuid4().hex}/out")
    filesystem = s3fs.S3FileSystem(use_listings_cache=False)
    bucket, _, prefix = location.root.removeprefix("s3://").partition("/")
    for key in (f"{prefix}/masks/v/a.mkv", f"{prefix}-of-another/a.mkv"):
        begun = filesystem.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
        filesystem.call_s3(
            "upload_part", Bucket=bucket, Key=key, UploadId=begun["UploadId"], PartNumber=1, Body=b"half"
        )
    location.write("masks/v/b.mkv", b"whole")
    assert sweep(location) == 0
    assert sweep(location, seconds=-60) == 1
    left = [upload["Key"] for upload in filesystem.list_multipart_uploads(bucket) if prefix in upload["Key"]]
    assert left == [f"{prefix}-of-another/a.mkv"]
    assert location.list() == ["masks/v/b.mkv"]
