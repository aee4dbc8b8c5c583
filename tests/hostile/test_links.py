"""An OUT of somebody else may hold links: none of them leads a reader, or a writer, out of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.export.conftest import build as build_run
from vss_ray.errors import StorageError
from vss_ray.export.export import export
from vss_ray.index.build import compact
from vss_ray.index.direct import answer
from vss_ray.index.search import search
from vss_ray.index.tables import PATHS
from vss_ray.run import Run
from vss_ray.storage.commit import read_mask, read_record
from vss_ray.storage.location import Location
from vss_ray.viewer.app import build

SECRET = b"nobody's business"
REFUSED = "leads to .*, out of .*: links that do are not followed"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A run that was whole, and a file beside it."""
    made = build_run(tmp_path)
    compact(made.run.location)
    (tmp_path / "secret").write_bytes(SECRET)
    return tmp_path / "out"


def replaced(file: Path) -> None:
    """A file of OUT is now a link to one that is not."""
    outside = Path(str(file).replace("/out/", "/")).with_suffix(".moved")
    outside.parent.mkdir(parents=True, exist_ok=True)
    file.rename(outside)
    file.symlink_to(outside)


def run_in(out: Path) -> Run:
    return Run.open(Location.open(out))


def test_files_and_folders(out):
    location = Location.open(out)
    (out / "file").symlink_to("../secret")
    (out / "folder").symlink_to(out.parent)
    (out / "inside").symlink_to("run.json")
    (out / "dangling").symlink_to("../nothing")
    for path in ("file", "folder/secret", "dangling"):
        for use in (location.read, location.open_input, location.exists, location.size, location.delete):
            with pytest.raises(StorageError, match=REFUSED):
                use(path)
        for write in (location.write, location.create):
            with pytest.raises(StorageError, match=REFUSED):
                write(path, b"x")
    assert location.read("inside") == location.read("run.json")
    assert (out.parent / "secret").read_bytes() == SECRET
    assert not (out.parent / "nothing").exists()


def test_the_run_itself_may_be_a_link(out, tmp_path):
    (tmp_path / "link").symlink_to(out)
    run = run_in(tmp_path / "link")
    assert search(run.location, "car", run.taxonomy) == search(run_in(out).location, "car", run.taxonomy)


def test_run_json_and_the_plan(out):
    replaced(out / "manifest.parquet")
    with pytest.raises(StorageError, match=REFUSED):
        run_in(out).manifest()
    replaced(out / "run.json")
    with pytest.raises(StorageError, match=REFUSED):
        run_in(out)


@pytest.mark.parametrize("name", PATHS)
def test_tables(out, name):
    replaced(out / PATHS[name])
    run = run_in(out)
    with pytest.raises(StorageError, match=REFUSED):
        search(run.location, "car", run.taxonomy)
    with pytest.raises(StorageError, match=REFUSED), answer(run.location, run.taxonomy, f"FROM {name}"):
        pass


def test_records_and_masks(out, tmp_path):
    run = run_in(out)
    row = run.manifest_rows()[0]
    key = row["video_id"], row["clip_id"]
    record, _ = read_record(run.location, *key)
    mask = out / record["mask_path"]
    replaced(mask)
    with pytest.raises(StorageError, match=REFUSED):
        read_mask(run.location, record)
    with pytest.raises(StorageError, match=REFUSED):
        list(export(run, str(tmp_path / "dest"), "png"))
    client = TestClient(build(run), base_url="http://localhost", raise_server_exceptions=False)
    answered = client.get(f"/masks/{key[0]}/{key[1]}")
    assert answered.status_code >= 400
    assert "links that do are not followed" in answered.text
    replaced(out / "commits" / key[0] / f"{key[1]}.parquet")
    with pytest.raises(StorageError, match=REFUSED):
        read_record(run.location, *key)


def test_an_export_is_not_led_astray(out, tmp_path):
    dest = tmp_path / "dest"
    dest.mkdir()
    (tmp_path / "elsewhere").mkdir()
    video = run_in(out).manifest_rows()[0]["video_id"]
    (dest / video).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match=REFUSED):
        list(export(run_in(out), str(dest), "png"))
    assert not list((tmp_path / "elsewhere").iterdir())
