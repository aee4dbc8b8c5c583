"""What is answered to whom, without a browser."""

from __future__ import annotations

import io
import re
from html import unescape
from pathlib import Path

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.followed import AWAY, SIDE, TOP
from vss_ray.index.language import parse
from vss_ray.index.query import KEYWORDS
from vss_ray.viewer.app import build
from vss_ray.viewer.phrases import OPENINGS, PHRASES

HTML = {"accept": "text/html"}


def image_of(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_archive_lists_every_video_with_its_timeline(client, ids):
    page = client.get("/").text
    assert set(re.findall(r'href="/video/([\w-]+)"', page)) == set(ids.values())
    assert page.count("data-shares=") == len(ids)
    assert "5 videos" in page


def test_rows_can_be_filtered_by_name(client, ids):
    page = client.get("/rows", params={"name": "OTHER"}).text
    assert re.findall(r'href="/video/([\w-]+)"', page) == [ids["mkv"]]
    assert 'data-found="1"' in page
    assert 'data-found="0"' in client.get("/rows", params={"name": "no such name"}).text
    assert client.get("/rows", params={"first": "-1"}).status_code == 400
    assert client.get("/rows", params={"first": "99999"}).status_code == 200


def test_timeline_is_the_mean_area(client, run, ids, drawn):
    about = client.get(f"/about/{ids['drive']}").json()
    classes = [run.taxonomy.classes[i] for i in about["timeline"]["classes"]]
    assert set(classes) == {"sky", "road", "car", "pedestrian"}
    road = run.taxonomy.index("road")
    wanted = np.mean([(drawn(n) == road).mean() for n in range(100)])
    assert about["timeline"]["mean"][classes.index("road")] == pytest.approx(wanted, abs=0.01)
    assert about["keyframes"] == [n / 12.5 for n in range(0, 100, 5)]
    assert [clip[3] for clip in about["clips"]] == ["full"] * len(about["clips"])


def test_hits_are_cards_with_pictures(client, run, ids):
    page = client.get("/", params={"q": "pedestrian > 5%"}).text
    links = re.findall(r'href="(/video/[^"]+)"', page)
    assert [unescape(link) for link in links] == [f"/video/{ids['drive']}?q=pedestrian%20%3E%205%25#t=4.800"]
    (source,) = re.findall(r'<img src="(/thumbnail/[^"]+)"', page)
    image = image_of(client.get(unescape(source)).content)
    assert image.shape == (96, 160, 3)
    color = np.array(run.taxonomy.colors[run.taxonomy.index("pedestrian")])
    np.testing.assert_allclose(image[70, 10], 64 + color / 2, atol=14)


def test_errors_of_a_query_stand_on_the_page_with_their_caret(client):
    answer = client.get("/", params={"q": "car > <b>"})
    assert answer.status_code == 400
    text = unescape(re.search(r'<pre id="problem">(.*?)</pre>', answer.text, re.DOTALL)[1])
    first, query, caret = text.split("\n")
    assert "column 7" in first
    assert query[caret.index("^")] == "<"
    assert "<b>" not in answer.text


def test_hits_for_the_player(client, ids):
    answer = client.get("/hits", params={"q": "car"})
    assert {hit["video_id"] for hit in answer.json()["hits"]} == set(ids.values())
    wrong = client.get("/hits", params={"q": "car >"})
    assert wrong.status_code == 400
    assert "^" in wrong.json()["problem"]


@pytest.mark.parametrize(
    "query", ["'; DROP TABLE frames; --", "<script>", "../../etc/passwd", "\x00", "a" * 3000, "\ud800"]
)
def test_hostile_queries_are_inert(client, query):
    raw = query.encode("utf-8", "surrogatepass")
    answer = client.get("/?q=" + "".join(f"%{byte:02X}" for byte in raw))
    assert answer.status_code == 400
    assert "<script>" not in re.sub(r'<script type="module" src="[^"]+"></script>', "", answer.text)


def test_hostile_names_are_inert(client, ids):
    for page in (client.get("/").text, client.get(f"/video/{ids['hostile']}").text, client.get("/?q=car").text):
        assert "alert(1)" in page
        assert "<script>alert" not in page
        assert "{{" not in page.replace("{{7*7}}", "")
        assert "49" not in re.findall(r"'\"&amp;(..)", page)
        for tag in re.findall(r"<[^>]*alert\(1\)[^>]*>", page):
            assert re.search(r'(title|alt|aria-label)="', tag), tag
        assert not re.search(r"\son\w+=", page)
        assert "style=" not in page


def test_no_page_holds_a_script(client, ids):
    for path in ("/", "/?q=car", "/?q=>", f"/video/{ids['drive']}", "/nothing"):
        page = client.get(path, headers=HTML).text
        assert re.findall(r"<script[^>]*>([^<]*)", page) in ([""], [])
        assert "javascript:" not in page


def test_long_names_are_shown_whole_in_their_title(client, ids):
    page = client.get(f"/video/{ids['long']}").text
    assert f'title="{"a" * 150}/{"b" * 146}.mp4"' in page


@pytest.mark.parametrize(
    "path",
    ["/video/nope", "/source/..%2f..%2fetc%2fpasswd", "/source/%2fetc%2fpasswd", "/masks/nope/nope",
     "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/serve.py", "/static//etc/passwd",
     "/thumbnail/run.json", "/source/drive.mp4", "/still/%00"],
)  # fmt: skip
def test_no_path_leads_out(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_masks_only_of_clips_that_are_planned(client, ids):
    for clip in ("..", "..%2f..%2frun", "000000000-000000001", "x" * 300):
        assert client.get(f"/masks/{ids['drive']}/{clip}").status_code == 404


@pytest.mark.parametrize("moment", ["-1", "nan", "inf", "1e9", "x", ""])
def test_moments_must_be_seconds(client, ids, moment):
    assert client.get(f"/thumbnail/{ids['drive']}", params={"t": moment}).status_code == 400


def test_a_picture_past_the_end_is_the_last(client, ids):
    late = client.get(f"/still/{ids['drive']}", params={"t": 1000}).content
    assert (image_of(late)[12, 10::20].mean(-1)[:7] > 128).astype(int).tolist() == [int(b) for b in f"{99:07b}"[::-1]]


@pytest.mark.parametrize("name", ["drive", "mkv", "avi"])
@pytest.mark.parametrize("frame", [0, 1, 13, 29])
def test_stills_are_the_frame_of_their_time(client, ids, name, frame):
    image = image_of(client.get(f"/still/{ids[name]}", params={"t": frame / 12.5}).content)
    number = sum(1 << bit for bit in range(8) if image[12, bit * 20 + 10].mean() > 128)
    assert number == frame


def test_words_are_the_language(client, run):
    words = client.get("/words").json()
    assert [each["name"] for each in words["classes"]] == list(run.taxonomy.classes)
    assert set(words["keywords"]) == KEYWORDS


@pytest.mark.parametrize("phrase", [text for text, _ in PHRASES])
def test_phrases_are_understood(run, phrase):
    parse(
        f"car {phrase} car" if phrase in ("and", "or") else "not car" if phrase == "not" else f"car {phrase}",
        run.taxonomy,
    )


def test_openings_are_understood(run):
    for opening, _ in OPENINGS:
        parse(f"{opening}car) > 1" if opening.endswith("(") else f"{opening} car > 10%", run.taxonomy)


def test_videos_no_browser_plays_are_shown_as_stills(client, ids):
    page = client.get(f"/video/{ids['mkv']}").text
    assert "browsers do not play ffv1 in Matroska" in unescape(page)
    assert f'src="/source/{ids["mkv"]}"' not in page
    assert f'src="/source/{ids["drive"]}"' in client.get(f"/video/{ids['drive']}").text


def test_a_source_that_is_gone_is_said(drives, make_run, tmp_path):
    from vss_ray.storage.location import Location

    copy = tmp_path / "drives"
    copy.mkdir()
    (copy / "a.mp4").write_bytes((drives / "drive.mp4").read_bytes())
    run = make_run(Location.open(tmp_path / "out"), str(copy))
    client = TestClient(build(run), base_url="http://localhost")
    (copy / "a.mp4").write_bytes((drives / "other.mkv").read_bytes() + b"changed")
    (video,) = re.findall(r'href="/video/([\w-]+)"', client.get("/").text)
    assert "has changed since it was segmented" in client.get(f"/video/{video}").text
    (copy / "a.mp4").unlink()
    assert client.get(f"/source/{video}").status_code == 502
    assert client.get(f"/thumbnail/{video}?t=1").status_code == 502


def test_problems_are_pages_for_people_and_json_for_programs(client):
    assert client.get("/video/nope", headers=HTML).headers["content-type"].startswith("text/html")
    assert client.get("/video/nope").json() == {"problem": "no such video in this run"}


def test_static_files_ship(client):
    folder = Path(__file__).parents[2] / "vss_ray" / "viewer" / "static"
    page = client.get("/static/player.js").text
    for module in re.findall(r'from "\./([\w.]+)"', page):
        assert (folder / module).exists()
        assert client.get(f"/static/{module}").headers["content-type"].startswith("text/javascript")


def test_masks_travel_zipped(client, run, ids):
    clip = next(row["clip_id"] for row in run.manifest_rows() if row["video_id"] == ids["drive"])
    answer = client.get(f"/masks/{ids['drive']}/{clip}")
    assert answer.headers["content-encoding"] == "gzip"
    assert io.BytesIO(answer.content).read(4) != b"\x1f\x8b"


def test_moments_that_look_alike(client, run, ids, drives, make_run, tmp_path):
    assert 'id="similar"' in client.get(f"/video/{ids['drive']}").text
    moments = client.get(f"/similar/{ids['drive']}?t=0.1").json()["moments"]
    assert moments[0]["video_id"] != ids["drive"]
    assert set(moments[0]) == {"video_id", "name", "seconds", "score"}
    assert moments[0]["score"] == pytest.approx(1, abs=1e-3)


def test_a_table_that_changes_is_read_anew(drives, make_run, tmp_path, monkeypatch):
    from vss_ray.index.build import compact
    from vss_ray.storage.location import Location
    from vss_ray.viewer import archive

    monkeypatch.setattr(archive, "FRESH_SECONDS", -1.0)
    copy = tmp_path / "drives"
    copy.mkdir()
    (copy / "a.mp4").write_bytes((drives / "drive.mp4").read_bytes())
    run = make_run(Location.open(tmp_path / "out"), str(copy))
    client = TestClient(build(run), base_url="http://localhost")
    assert "of 2 clips" not in client.get("/").text
    run.location.delete(run.location.list("commits")[0])
    compact(run.location)
    assert "1 of 2 clips" in client.get("/").text
    (video,) = re.findall(r'href="/video/([\w-]+)"', client.get("/").text)
    about = client.get(f"/about/{video}").json()
    assert [clip[3] for clip in about["clips"]] == [None, "full"]
    assert client.get(f"/masks/{video}/{about['clips'][0][0]}").status_code == 404
    assert client.get(f"/thumbnail/{video}?t=0.5").status_code == 200


def test_objects_of_a_video_and_their_boxes(client, ids, run):
    about = client.get(f"/about/{ids['drive']}").json()
    assert [(each["id"], each["name"], each["first"]) for each in about["objects"]] == [(3, "car", 0.0)]
    assert about["objects"][0]["seconds"] == pytest.approx((100 - len(AWAY)) / 12.5, abs=0.01)
    for clip_id, start, *_ in about["clips"]:
        answer = client.get(f"/boxes/{ids['drive']}/{clip_id}").json()
        first = round(start * 12.5)
        assert answer["times"][:2] == pytest.approx([first / 12.5, (first + 1) / 12.5])
        for number, boxes in enumerate(answer["boxes"], first):
            assert boxes == ([] if number in AWAY else [[3, number, TOP, number + SIDE, TOP + SIDE]])
    assert client.get(f"/boxes/{ids['drive']}/nothing").status_code == 404
    assert client.get(f"/boxes/nobody/{about['clips'][0][0]}").status_code == 404


def test_tracks_are_found_by_their_number(client, ids):
    hits = client.get("/hits", params={"q": "track 3 in right half"}).json()["hits"]
    assert ids["drive"] in {hit["video_id"] for hit in hits}
    (hit,) = [hit for hit in hits if hit["video_id"] == ids["drive"]]
    assert hit["first_frame"] == 80 - SIDE // 2
