"""The report: one page without a script that says what the tables say, whatever its names are."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np
import pytest
from typer.testing import CliRunner

from vss_ray.cli.app import app
from vss_ray.errors import StorageError
from vss_ray.export.report import duration, percent, report
from vss_ray.export.report_charts import HEIGHT, heat, scatter, stacked
from vss_ray.export.report_facts import Agreement, gather
from vss_ray.index.build import compact
from vss_ray.labels import taxonomy
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.storage.commit import commit, read_mask, read_record

CAMVID = taxonomy.load("camvid")


class Page(HTMLParser):
    """What a browser makes of it: elements that are open, and text."""

    VOID = ("meta", "br", "img", "line", "circle", "rect", "path")

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID or tag == "path":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def page(made):
    compact(made.run.location)
    return Page(report(made.run))


def test_page_needs_nothing_else(page):
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "form"}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in ("src", "href") or tag == "none"
            assert "url(" not in (value or "")


def test_totals_are_those_of_the_tables(made, page):
    facts = gather(made.run)
    assert (facts.totals.videos, facts.totals.clips, facts.totals.frames) == (2, 5, len(made.labels))
    assert facts.totals.coarse_clips == 3
    shares = np.mean([np.bincount(ids.ravel(), minlength=256)[:11] / ids.size for ids in made.labels.values()], 0)
    np.testing.assert_allclose(facts.shares, shares, atol=1e-6)
    text = " ".join(page.text.split())
    assert "videos, 5 clips" in text
    assert "frames labeled" in text
    assert "Nothing was audited" in text
    assert f"sky {100 * shares[0]:.1f} %" in text


def test_columns_show_the_frames_that_begin_in_them(made):
    compact(made.run.location)
    facts = gather(made.run)
    (drive, walk) = facts.strips
    assert (drive.video_id, drive.frames, walk.frames) == ("drive_1-0000beef", 20, 3)
    for strip, length in ((drive, 1.6), (walk, 2.4)):
        for column in range(120):
            time = (column + 1) / 120 * length - 1e-9
            key = max(k for k in made.labels if k[0] == strip.video_id and made.seconds[k] < time)
            expected = np.bincount(made.labels[key].ravel(), minlength=256)[:11] / made.labels[key].size
            np.testing.assert_allclose(strip.shares[column], expected, atol=1e-6)


def test_distances_add_up(made):
    compact(made.run.location)
    counts = dict(gather(made.run).distances)
    assert counts == {0: 5, **dict.fromkeys(range(1, 10), 2)}


def test_audits_are_shown_with_intervals(made):
    generator = np.random.default_rng(0)
    location = made.run.location
    pictures = []
    for name in ("000000000-000000010", "000000010-000000020"):
        row, frames = read_record(location, "drive_1-0000beef", name)
        audit = []
        for n in range(1, 8):
            pixels = generator.integers(100, 1000, 11)
            agreeing = (pixels * generator.uniform(0.8, 1, 11)).astype(int)
            audit.append({"frame": n, "distance": 1 + n % 3, "pixels": pixels.tolist()})
            audit[-1] |= {"agreeing": agreeing.tolist(), "repeated": pixels.tolist()}
        pictures += audit
        commit(location, row["video_id"], name, read_mask(location, row), frames, row | {"audit": json.dumps(audit)})
    compact(location)
    facts = gather(made.run)
    assert [row.name for row in facts.by_distance] == ["1", "2", "3"]
    assert [row.name for row in facts.by_class] == list(CAMVID.classes)
    car = facts.by_class[CAMVID.index("car")]
    share = [sum(p[key][8] for p in pictures) for key in ("agreeing", "pixels")]
    assert car.mean == pytest.approx(share[0] / share[1])
    assert car.ceiling == 1
    assert 0.01 < car.half_width < 0.1
    text = " ".join(Page(report(made.run)).text.split())
    assert f"{100 * car.mean:.1f} ± {100 * car.half_width:.1f} %" in text


def test_hostile_names_are_text(make, tmp_path):
    names = ("<script>alert(1)</script>", "\"><img src=x onerror='x'>", "{{ 7 * 7 }}", "a\nb", "ü" * 300)
    hostile = Taxonomy.from_dict({"name": "<b>", "classes": [{"name": name} for name in names]})
    made = make(tmp_path / "<svg onload=x>&amp;", hostile)
    compact(made.run.location)
    content = report(made.run)
    page = Page(content)
    assert not {tag for tag, _ in page.tags} & {"script", "img"}
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    for name in names:
        assert name in page.text
    assert "<svg onload=x>&amp;" in page.text


def test_empty_run_has_a_page(make, tmp_path):
    made = make(tmp_path)
    for path in made.run.location.list("commits"):
        made.run.location.delete(path)
    compact(made.run.location)
    assert "Nothing is labeled yet" in Page(report(made.run)).text


def test_command_writes_the_page(made, tmp_path):
    target = tmp_path / "new" / "report.html"
    arguments = ["report", made.run.location.root, "--out", str(target)]
    with pytest.raises(StorageError, match=r"has no tables"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    compact(made.run.location)
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert target.read_text().startswith("<!doctype html>")


def test_areas_stand_on_one_another():
    shares = np.array([[0.25, 0.5, 0.0], [np.nan] * 3, [0.5, 0.25, 0.1]])
    areas = stacked(shares)
    assert [area.index for area in areas] == [0, 1, 2]
    assert areas[0].d == f"M0 750h1V{HEIGHT}h-1zM2 500h1V{HEIGHT}h-1z"
    assert areas[1].d == "M0 250h1V750h-1zM2 250h1V500h-1z"
    assert areas[2].d == "M0 250h1V250h-1zM2 150h1V250h-1z"


def test_heat_rises_with_the_share():
    cells = heat(np.array([0.0, 0.01, 0.25, 1.0, np.nan]), 4, 1.0)
    assert [(area.opacity, area.d) for area in cells] == [
        (1 / 6, "M1 0h1v1h-1z"),
        (3 / 6, "M2 0h1v1h-1z"),
        (1.0, "M3 0h1v1h-1z"),
    ]
    assert heat(np.zeros(3), 0, 0.0) == []


def test_scatter_stays_inside():
    points = [Agreement("1", 5, 0.99, 0.3, 1.0), Agreement("2", 1, 0.0, None, 0.2)]
    drawn = scatter(points)
    for point in drawn.points:
        assert 0 <= point.high <= point.y <= point.low <= drawn.height


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (59.94, "59.9 s"), (61, "1:01"), (3723, "1:02:03"), (3.6e6, "1,000:00:00")]
)
def test_durations_are_legible(seconds, text):
    assert duration(seconds) == text


def test_something_is_never_nothing():
    assert [percent(share) for share in (0, 1e-6, 0.0123, 1)] == ["0.0 %", "under 0.1 %", "1.2 %", "100.0 %"]
