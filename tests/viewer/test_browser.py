"""The pages in a real browser: what is drawn is what the archive of masks holds."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tests.followed import AWAY, SIDE, TOP
from vss_ray.media.write import write_video
from vss_ray.storage.location import Location
from vss_ray.viewer.archive import Archives
from vss_ray.viewer.timelines import Timeline

POINTS = [(x, y) for x in range(2, 160, 6) for y in (5, 40, 60, 69, 85)]
PIXELS = """(points) => {
    const canvas = document.getElementById("masks");
    const {data, width} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return points.map(([x, y]) => [...data.slice(4 * (y * width + x), 4 * (y * width + x) + 4)]);
}"""
NUMBER = """() => {
    const video = document.getElementById("video"), canvas = document.createElement("canvas");
    canvas.width = 160; canvas.height = 96;
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0, 160, 96);
    let number = 0;
    for (let bit = 0; bit < 8; bit++)
        if (context.getImageData(bit * 20 + 10, 12, 1, 1).data[0] > 128) number += 1 << bit;
    return number;
}"""
WATCH = """() => {
    // What is on the screen in every frame that is shown, until somebody asks.
    const video = document.getElementById("video"), masks = document.getElementById("masks");
    window.seen = [];
    const read = NUMBER;
    const look = () => {
        requestAnimationFrame(() => window.seen.push([read(), Number(masks.dataset.frame)]));
        video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
}""".replace("NUMBER", NUMBER)

NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, [role=slider]")]
    .filter((each) => each.offsetParent)
    .filter((each) => !(each.labels?.length || each.ariaLabel || each.textContent.trim()))
    .map((each) => each.outerHTML)
"""


@pytest.fixture
def page(browser):
    """A tab in which no script may fail and nothing may be refused."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    tab = context.new_page()
    troubles = []
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    yield tab
    context.close()
    assert not [each for each in troubles if "status of 4" not in each]


def until(page, expression: str) -> None:
    """Wait for something to be true; the policy of the pages forbids Playwright's own way, which is eval."""
    deadline = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(30)


def shows(page, frame: int) -> None:
    page.locator(f"#masks[data-frame='{frame}']").wait_for(state="attached")


def colors(taxonomy, ids: np.ndarray, hidden: tuple[int, ...] = ()) -> list[list[int]]:
    """What is drawn at ``POINTS``: nothing where a label is hidden, white where another class begins."""
    table = np.zeros((256, 4), int)
    for label, color in enumerate(taxonomy.colors):
        table[label] = [0] * 4 if label in hidden else [*color, 255]
    drawn = table[ids]
    wanted = []
    for x, y in POINTS:
        here = drawn[y, x]
        is_edge = here.any() and ((here != drawn[y, x - 1]).any() or (here != drawn[y - 1, x]).any())
        wanted.append([255, 255, 255, 216] if is_edge else here.tolist())
    return wanted


def test_search_open_a_hit_and_see_its_mask(page, server, ids, drawn):
    page.goto(server.url)
    page.keyboard.press("/")
    page.keyboard.type("pedes")
    page.get_by_role("option", name="pedestrian").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.type("> 5%")
    page.keyboard.press("Enter")
    card = page.locator(".card")
    card.first.wait_for()
    assert card.count() == 1
    assert page.locator(".card img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 160
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/video/{ids['drive']}?q=*")
    shows(page, 60)
    assert page.evaluate(NUMBER) == 60
    assert page.evaluate(PIXELS, POINTS) == colors(server.run.taxonomy, drawn(60))
    assert page.locator("#badge").inner_text() == "◆ keyframe"


def test_the_mask_moves_with_the_video(page, server, ids, drawn):
    page.goto(f"{server.url}/video/{ids['drive']}")
    shows(page, 0)
    page.evaluate(WATCH)
    page.keyboard.press(" ")
    until(page, "window.seen.length > 30")
    page.keyboard.press(" ")
    seen = page.evaluate("window.seen")
    assert len({mask for _, mask in seen}) > 10
    apart = [abs(video - mask) for video, mask in seen]
    assert max(apart) <= 1
    assert np.mean(np.array(apart) == 0) >= 0.9
    page.wait_for_timeout(300)
    frame = int(page.locator("#masks").get_attribute("data-frame"))
    assert page.evaluate(NUMBER) == frame
    assert page.evaluate(PIXELS, POINTS) == colors(server.run.taxonomy, drawn(frame))


def test_steps_are_single_frames_across_clips(page, server, ids, drawn):
    page.goto(f"{server.url}/video/{ids['drive']}#t=3.84")
    shows(page, 48)
    for frame in (49, 50, 51, 52):
        page.keyboard.press("ArrowRight")
        shows(page, frame)
        assert page.evaluate(NUMBER) == frame
    for frame in (51, 50, 49):
        page.keyboard.press("ArrowLeft")
        shows(page, frame)
        assert page.evaluate(PIXELS, POINTS) == colors(server.run.taxonomy, drawn(frame))


def test_classes_can_be_put_away(page, server, ids, drawn):
    taxonomy = server.run.taxonomy
    page.goto(f"{server.url}/video/{ids['drive']}#t=1.6")
    shows(page, 20)
    page.get_by_role("checkbox", name="car").uncheck()
    assert page.evaluate(PIXELS, POINTS) == colors(taxonomy, drawn(20), hidden=(taxonomy.index("car"),))
    page.wait_for_url("**show=*")
    assert "car" not in page.url
    page.get_by_role("button", name="Only car").focus()
    page.keyboard.press("Enter")
    others = tuple(i for i in range(len(taxonomy)) if i != taxonomy.index("car"))
    assert page.evaluate(PIXELS, POINTS) == colors(taxonomy, drawn(20), hidden=others)
    page.get_by_role("button", name="All").click()
    assert page.evaluate(PIXELS, POINTS) == colors(taxonomy, drawn(20))
    page.locator("body").press("m")
    assert page.evaluate(PIXELS, POINTS) == [[0, 0, 0, 0]] * len(POINTS)


def test_a_link_leads_to_its_moment_and_classes(page, server, ids, drawn):
    taxonomy = server.run.taxonomy
    page.goto(f"{server.url}/video/{ids['drive']}#t=2.400&show=road,car&opacity=80")
    shows(page, 30)
    hidden = tuple(i for i, name in enumerate(taxonomy.classes) if name not in ("road", "car"))
    assert page.evaluate(PIXELS, POINTS) == colors(taxonomy, drawn(30), hidden)
    assert page.locator("#opacity").input_value() == "80"
    assert page.locator("#masks").evaluate("canvas => canvas.style.opacity") == "0.8"
    page.keyboard.press("ArrowRight")
    shows(page, 31)
    page.wait_for_url(re.compile(r"#t=2\.480&show=road%2Ccar&opacity=80$"))
    copied = page.url
    page.goto("about:blank")
    page.goto(copied)
    shows(page, 31)
    assert page.evaluate(PIXELS, POINTS) == colors(taxonomy, drawn(31), hidden)


def test_the_strip_is_clicked_and_works_without_a_mouse(page, server, ids):
    page.goto(f"{server.url}/video/{ids['drive']}")
    shows(page, 0)
    box = page.locator("#coverage").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.505, box["y"] + 10)
    shows(page, 50)
    strip = page.get_by_role("slider", name="Moment")
    strip.focus()
    page.keyboard.press("Home")
    shows(page, 0)
    page.keyboard.press("End")
    shows(page, 99)
    assert strip.get_attribute("aria-valuetext") == "0:07.92"
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keyboard").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowUp")
    assert page.locator("#opacity").input_value() == "60"


def test_hits_are_stepped_through(page, server, ids):
    page.goto(f"{server.url}/video/{ids['drive']}?q=pedestrian#t=0")
    shows(page, 0)
    page.get_by_text("1 of 1 spans").wait_for()
    page.keyboard.press("j")
    shows(page, 60)
    page.keyboard.press("j")
    page.keyboard.press("k")
    shows(page, 60)


def test_a_video_no_browser_plays_is_shown_as_pictures(page, server, ids, drawn):
    page.goto(f"{server.url}/video/{ids['mkv']}#t=0.8")
    page.get_by_text("Shown as single pictures: browsers do not play ffv1").wait_for()
    shows(page, 10)
    assert page.evaluate(PIXELS, POINTS) == colors(server.run.taxonomy, drawn(10))
    assert page.locator("#still").evaluate("image => image.naturalWidth") == 160
    page.keyboard.press("ArrowRight")
    shows(page, 11)
    page.keyboard.press(" ")
    until(page, "Number(document.getElementById('masks').dataset.frame) > 13")
    page.keyboard.press(" ")


def test_hostile_names_run_nothing(page, server, ids):
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    for path in ("/", f"/video/{ids['hostile']}", "/?q=car", f"/?q={'%3Cscript%3Ealert(2)%3C/script%3E'}"):
        page.goto(server.url + path)
        page.wait_for_load_state("networkidle")
    assert not asked
    assert page.goto(f"{server.url}/video/{ids['long']}").ok
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_everything_is_reached_by_tab_and_named(page, server, ids):
    page.goto(f"{server.url}/video/{ids['drive']}")
    shows(page, 0)
    names = set()
    for _ in range(45):
        page.keyboard.press("Tab")
        names.add(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert {"q", "help-button", "play", "back", "forward", "opacity", "speed", "link", "strips", "all", "none"} <= names
    nameless = page.evaluate(NAMELESS)
    assert nameless == []


def test_a_list_of_ten_thousand_is_scrolled_without_holding_it(page, server, monkeypatch):
    real = Archives.now

    class Long:
        def __init__(self, archive):
            videos = [(video, number) for video in archive.videos for number in range(2000)]
            self.videos = [replace(video, video_id=f"{video.video_id}-{number}") for video, number in videos]
            self.by_id, self.version, self.clips = archive.by_id, archive.version, archive.clips
            self.has_embeddings = False
            self.timelines = lambda videos: {each.video_id: Timeline.of(np.full((9, 5), 0.2)) for each in videos}

    monkeypatch.setattr(Archives, "now", lambda self: Long(real(self)))
    page.goto(server.url)
    page.locator(".row").first.wait_for()
    assert page.get_by_role("heading", name="10,000 videos").is_visible()
    page.locator("#list").evaluate("list => { list.scrollTop = list.scrollHeight / 2 }")
    until(
        page, "document.querySelectorAll('.row').length > 5 && document.querySelector('.list li').ariaPosInSet > 4900"
    )
    page.locator("#list").evaluate("list => { list.scrollTop = list.scrollHeight }")
    until(page, "[...document.querySelectorAll('.list li')].at(-1)?.ariaPosInSet === '10000'")
    assert page.locator(".row").count() < 80
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.className") == "row"


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_a_video_whose_times_do_not_begin_at_zero(page, container, video_picture, make_run, serve, drawn, tmp_path):
    (tmp_path / "videos").mkdir()
    codec = {"mp4": "libx264", "webm": "libvpx-vp9"}[container]
    write_video(
        tmp_path / "videos" / f"late.{container}",
        map(video_picture, range(50)),
        fps=Fraction("12.5"),
        codec=codec,
        gop=10,
        pts=[n + 40 for n in range(50)],
    )
    run = make_run(Location.open(tmp_path / "out"), str(tmp_path / "videos"))
    with serve(run) as server:
        page.goto(f"{server.url}/video/{run.manifest_rows()[0]['video_id']}#t=1.6")
        shows(page, 20)
        assert page.evaluate(NUMBER) == 20
        assert page.evaluate(PIXELS, POINTS) == colors(run.taxonomy, drawn(20))


@pytest.mark.s3
def test_a_run_in_s3(page, s3, drives, make_run, serve, drawn):
    root = f"{s3.url}/{uuid.uuid4().hex}"
    source = Location.open(f"{root}/videos")
    source.write("drive.mp4", (drives / "drive.mp4").read_bytes())
    run = make_run(Location.open(f"{root}/out"), f"{root}/videos")
    with serve(run) as server:
        page.goto(server.url)
        page.locator(".row .name").first.click()
        shows(page, 0)
        page.evaluate("history.replaceState(null, '', '#t=6.000'); dispatchEvent(new HashChangeEvent('hashchange'))")
        shows(page, 75)
        assert page.evaluate(NUMBER) == 75
        assert page.evaluate(PIXELS, POINTS) == colors(run.taxonomy, drawn(75))
        page.goto(f"{server.url}/?q=pedestrian")
        assert page.locator(".card img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 160


def test_boxes_of_objects_move_with_the_video(page, server, ids):
    page.goto(f"{server.url}/video/{ids['drive']}#t=2.000")
    shows(page, 25)
    until(page, "document.getElementById('boxes').dataset.seen === '3'")
    read = """([x, y]) => {
        const canvas = document.getElementById("boxes");
        return canvas.getContext("2d").getImageData(x, y, 1, 1).data[3];
    }"""
    left, top = 25, TOP  # frame 25
    assert page.evaluate(read, [left + SIDE // 2, top + SIDE]) > 0
    assert page.evaluate(read, [left + SIDE // 2, top + SIDE - 5]) == 0
    assert page.evaluate(read, [left + 3 * SIDE, top + SIDE]) == 0
    page.keyboard.press("o")
    assert not page.is_visible("#boxes")
    page.keyboard.press("o")
    assert page.is_visible("#boxes")
    page.get_by_role("button", name="3 car").click()
    until(page, "document.getElementById('time').textContent === '0:00.00'")
    moment = f"#t={(AWAY.start + 0.5) / 12.5:.3f}"
    page.evaluate(
        "(to) => { history.replaceState(null, '', to); dispatchEvent(new HashChangeEvent('hashchange')); }", moment
    )
    until(page, "document.getElementById('boxes').dataset.seen === ''")
