"""Regions become tracks that keep their numbers: on paintings made by hand, and on rendered streets with true ids."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import numpy as np
import pytest

from vss_ray.datasets import scenes
from vss_ray.flow import inverse_search
from vss_ray.frames import Frame, Planes
from vss_ray.tracking.linking import Config, Linker, regions_of

HEIGHT, WIDTH, RATE, CAR, PERSON = 64, 96, 10.0, 8, 9
COLORS = {CAR: (200, 90, 200), PERSON: (60, 180, 110)}


class Stage:
    """A linker that sees squares; motion is given exactly, by the way every pixel of a square came."""

    def __init__(self, config: Config = Config()) -> None:
        self.linker = Linker(config, first=1001)
        self.frame = 0
        self.before: dict[str, tuple[int, int]] = {}

    def show(self, **squares):
        """Name -> (class, y, x, side) or (class, y, x, side, color); gives track -> (state, corner of its region)."""
        ids = np.full((HEIGHT, WIDTH), 3, np.uint8)
        back = np.zeros((HEIGHT, WIDTH, 2), np.float32)
        y, u, v = (np.full(shape, 128, np.uint8) for shape in ((HEIGHT, WIDTH), *[(HEIGHT // 2, WIDTH // 2)] * 2))
        for name, (class_id, top, left, side, *color) in squares.items():
            box = slice(top, top + side), slice(left, left + side)
            ids[box] = class_id
            half = slice(top // 2, (top + side) // 2), slice(left // 2, (left + side) // 2)
            y[box], u[half], v[half] = color[0] if color else COLORS[class_id]
            old = self.before.get(name, (top, left))
            back[box] = (old[1] - left, old[0] - top)
        self.before = {name: (each[1], each[2]) for name, each in squares.items()}
        regions, found = regions_of(ids, (CAR, PERSON), 0.002)
        motion = back if self.frame else None
        linked = self.linker.step(regions, found, Planes(y, u, v), motion, self.frame / RATE)
        self.frame += 1
        corners = {each.label: np.argwhere(regions == each.label)[0].tolist() for each in found}
        return {each.track: (each.state, None if each.label is None else corners[each.label]) for each in linked}


def test_an_object_gets_its_number_when_it_is_sure():
    stage = Stage()
    shown = [stage.show(a=(CAR, 10, 10 + 3 * n, 16)) for n in range(5)]
    assert shown == [{}, {}, *({1001: ("tracked", [10, 10 + 3 * n])} for n in range(2, 5))]


def test_what_flickers_is_no_object():
    stage = Stage()
    for n in range(10):
        shown = stage.show(**({"a": (CAR, 10, 10, 8)} if n % 3 else {}))
        assert shown == {}


def test_fast_motion_is_followed_where_the_flow_says_so():
    stage = Stage()
    for n in range(5):
        shown = stage.show(a=(CAR, 10, 2 + 18 * n, 16), b=(CAR, 40, 74 - 18 * n, 16))
    assert {track: corner for track, (_, corner) in shown.items()} == {1001: [10, 74], 1002: [40, 2]}


def test_hidden_for_a_moment_it_keeps_its_number():
    stage = Stage()
    for n in range(12):
        stage.show(a=(CAR, 20, 4 + 2 * n, 16))
    for _ in range(6):
        assert stage.show() == {1001: ("occluded", None)}
    assert stage.show(a=(CAR, 20, 40, 16)) == {1001: ("found", [20, 40])}
    assert stage.show(a=(CAR, 20, 42, 16)) == {1001: ("tracked", [20, 42])}


def test_hidden_for_long_it_is_lost_and_another_one_comes():
    stage = Stage()
    for _ in range(30):
        stage.show(a=(CAR, 20, 40, 16))
    states = [stage.show() for _ in range(25)]
    assert states[18] == {1001: ("occluded", None)}
    assert [each for each in states if each == {1001: ("lost", None)}] == [{1001: ("lost", None)}]
    assert states[-1] == {}
    shown = [stage.show(a=(CAR, 20, 40, 16)) for _ in range(4)]
    assert shown[-1] == {1002: ("tracked", [20, 40])}


@pytest.mark.parametrize(
    "other",
    [(PERSON, 20, 44, 16), (CAR, 20, 44, 30), (CAR, 2, 80, 16), (CAR, 20, 44, 16, (30, 180, 90))],
    ids=["of another class", "of another size", "far away", "of other colors"],
)
def test_another_one_is_not_taken_for_it(other):
    stage = Stage()
    for n in range(12):
        stage.show(a=(CAR, 20, 20 + 2 * n, 16))
    for _ in range(3):
        stage.show()
    shown = [stage.show(b=other) for _ in range(4)]
    assert all(each[1001] == ("occluded", None) for each in shown)
    assert shown[-1][1002][0] == "tracked"


def test_nobody_outlives_a_cut():
    stage = Stage()
    for _ in range(5):
        stage.show(a=(CAR, 20, 40, 16))
    stage.linker.cut()
    assert stage.show(a=(CAR, 20, 40, 16)) == {}
    assert [stage.show(a=(CAR, 20, 40, 16)) for _ in range(2)][-1] == {1002: ("tracked", [20, 40])}


def test_goes_on_from_its_state():
    one, other = Stage(), Stage()
    for n in range(9):
        one.show(a=(CAR, 10, 10 + 3 * n, 16), b=(PERSON, 40, 60, 12))
    numbers, places = one.linker.state()
    other.linker.resume(json.loads(numbers), places)
    other.frame, other.before = one.frame, one.before
    assert other.linker.state()[0] == numbers
    for n in range(9, 12):
        squares = {"a": (CAR, 10, 10 + 3 * n, 16), "b": (PERSON, 40, 60, 12)}
        assert one.show(**squares) == other.show(**squares)


def test_numbers_stay_with_their_objects_in_rendered_streets():
    """True labels and measured flow: nearly always an object that is seen by itself has the number it mostly has."""
    kept = seen = 0
    for seed in range(1, 13):
        votes = numbered(seed)
        kept += sum(counts.most_common(1)[0][1] for counts in votes.values())
        seen += sum(counts.total() for counts in votes.values())
    assert seen > 2000
    assert kept / seen > 0.95


def numbered(seed: int) -> dict[int, Counter[int]]:
    """True object -> how often it had which number, where no other one touched it."""
    config = scenes.Config(height=192, width=320, num_frames=60, fps=15, seed=seed, num_cars=5, num_pedestrians=5)
    linker, motion = Linker(Config(), 1001), inverse_search.build(inverse_search.Config())
    before, votes = None, defaultdict(Counter)
    for number, shown in enumerate(scenes.render(config)):
        planes = Frame.from_rgb(shown.rgb).planes(192, 320)
        regions, found = regions_of(shown.labels, (8, 9, 10), 0.001)
        back = None if before is None else motion(planes.y, before)
        linked = linker.step(regions, found, planes, back, number / 15)
        before = planes.y
        for each in (each for each in linked if each.label is not None):
            inside = shown.instances[regions == each.label]
            truth, count = Counter(inside.tolist()).most_common(1)[0]
            if truth and count > 0.8 * inside.size:
                votes[truth][each.track] += 1
    return votes
