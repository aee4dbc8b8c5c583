"""Queries are read as they were meant, and refused with a finger on the place."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vss_ray.errors import QueryError
from vss_ray.index.language import LONGEST, parse
from vss_ray.index.query import (
    And,
    Change,
    Comparison,
    Count,
    Event,
    Not,
    Operator,
    Or,
    Query,
    Region,
    Side,
    Track,
    compared,
    mentioned,
    terms,
    to_text,
    wanted,
)
from vss_ray.labels.taxonomy import Taxonomy, load

CAMVID = load("camvid")
ODD = Taxonomy(
    name="odd",
    classes=("in", "traffic light", 'say "so"', "back\\slash", "naïve", "road; DROP TABLE frames", "a.b", "not-a", "9"),
    colors=((0, 0, 0),) * 9,
    aliases=(("within",), (), (), (), (), (), (), (), ()),
)


def a(name: str, operator: Operator = ">", share: float = 0.0) -> Comparison:
    return Comparison((name,), operator, share)


def within(side: Side, size: float, name: str = "car", share: float = 0.0) -> Comparison:
    return Comparison((name,), ">", share, Region(side, size))


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("car", Query(a("car"))),
        (
            'person > 2% and bicyclist > 0.5% for 2s gap 1s in "drive*"',
            Query(And((a("pedestrian", ">", 0.02), a("bicyclist", ">", 0.005))), 2.0, 1.0, "drive*"),
        ),
        ("car + Bicyclist > 5%", Query(Comparison(("car", "bicyclist"), ">", 0.05))),
        ("car + vehicle + car >= .5", Query(a("car", ">=", 0.5))),
        ("car or sky and not tree", Query(Or((a("car"), And((a("sky"), Not(a("tree")))))))),
        ("(car or sky) and tree", Query(And((Or((a("car"), a("sky"))), a("tree"))))),
        ("((car))", Query(a("car"))),
        ("car and sky and tree", Query(And((a("car"), a("sky"), a("tree"))))),
        ("car and (sky and tree)", Query(And((a("car"), And((a("sky"), a("tree"))))))),
        ("NOT car>2 % AND\n'traffic sign'!=0", Query(And((Not(a("car", ">", 0.02)), a("sign", "!=", 0.0))))),
        ("car = 100%", Query(a("car", "=", 1.0))),
        ("car < 1", Query(a("car", "<", 1.0))),
        ("car gap 250ms for 0.5 MIN", Query(a("car"), 30.0, 0.25)),
        ("car in seq05/*.mp4 for 1 sec", Query(a("car"), 1.0, 0.0, "seq05/*.mp4")),
        ("car in 'it\\'s here'", Query(a("car"), video="it's here")),
        ("column_pole <= 1.25%", Query(a("pole", "<=", 0.0125))),
        ("car in left half", Query(within("left", 0.5))),
        ("person > 2% in LEFT half", Query(within("left", 0.5, "pedestrian", 0.02))),
        ("car in the bottom 30 % > 2%", Query(within("bottom", 0.3, share=0.02))),
        ("car in centre third and sky", Query(And((within("center", 1 / 3), a("sky"))))),
        ("car in top 100% in top.mp4", Query(within("top", 1.0), video="top.mp4")),
        ("car in left*", Query(a("car"), video="left*")),
        ("car in 'left half'", Query(a("car"), video="left half")),
        ("count(car) >= 3", Query(Count(("car",), ">=", 3))),
        ("not COUNT ( car + bike )", Query(Not(Count(("car", "bicyclist"), ">=", 1)))),
        ("changes in road > 20%", Query(Change(("road",), ">", 0.2))),
        ("change in road + pavement >= .2", Query(Change(("road", "pavement"), ">=", 0.2))),
        ("person enters", Query(Event(a("pedestrian"), "enters"))),
        ("track 3", Query(Track(3))),
        ("Track 12 in left half and not track 1", Query(And((Track(12, Region("left", 0.5)), Not(Track(1)))))),
        ("track 3 in 'left half'", Query(Track(3), video="left half")),
        ("car leaves the frame or sky", Query(Or((Event(a("car"), "leaves"), a("sky"))))),
        ("car > 1% in left half enters frame", Query(Event(within("left", 0.5, share=0.01), "enters"))),
        ("car after 90s before 01:02:03.5", Query(a("car"), after=90.0, before=3723.5)),
        ("car for 1:30 gap 0.5h", Query(a("car"), 90.0, 1800.0)),
        ("car sort by peak", Query(a("car"), sort="peak", descending=True)),
        ("car SORT  BY time for 2s", Query(a("car"), 2.0)),
        ("car sort by confidence asc", Query(a("car"), sort="confidence")),
        ("car sort by time desc", Query(a("car"), descending=True)),
    ],
)
def test_reads(text, query):
    assert parse(text, CAMVID) == query


def test_names_that_need_quotes():
    text = r'"in" and "traffic light" > 1% and "say \"so\"" and "back\\slash" and naïve and "a.b" and not-a and "9"'
    names = ("in", "traffic light", 'say "so"', "back\\slash", "naïve", "a.b", "not-a", "9")
    assert mentioned(parse(text, ODD).condition) == names
    assert parse("within", ODD).condition == a("in")
    words = ("count", "changes", "enters", "leaves", "half", "peak", "left", "before")
    plants = Taxonomy("words", words, ((0, 0, 0),) * len(words), ((),) * len(words))
    assert mentioned(parse("leaves leaves and half and count > 1% and left enters", plants).condition) == (
        *("leaves", "half", "count", "left"),
    )
    for word in words:
        assert parse(to_text(Query(within("left", 0.5, word))), plants).condition == within("left", 0.5, word)


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 0, "expected a class name, 'not', '(', 'count(...)', 'changes in' or 'track 1', got the end"),
        ("person >", 8, "expected a number, got the end"),
        ("person > x", 9, "expected a number, got 'x'"),
        ("person > 2", 9, "a number without % is a share from 0 to 1; did you mean 2%?"),
        ("person > 1", 9, "did you mean 1%?"),
        ("person > 120%", 9, "100% is the most"),
        ("traffic sign > 2%", 8, "got 'sign'; a class name of several words goes in quotes"),
        ("(car + sky) > 2%", 12, "got '>'; a sum takes no brackets"),
        ("(car", 4, "'in left half', 'enters' or 'leaves', 'and', 'or' or ')', got the end"),
        ("car)", 3, "or 'leaves', 'and', 'or', 'for', 'gap', 'after', 'before', 'in', 'sort by' or the end, got ')'"),
        ("for 2s", 0, "expected a class name, 'not', '(', 'count(...)', 'changes in' or 'track 1', got 'for'"),
        (
            "car enters 3",
            11,
            "expected 'and', 'or', 'for', 'gap', 'after', 'before', 'in', 'sort by' or the end, got '3'",
        ),
        ("car for 2", 9, "expected a unit (ms, s, sec, min, h), got the end"),
        ("car for 2 hours", 10, "expected a unit (ms, s, sec, min, h), got 'hours'"),
        ("car for 2s in a for 3s", 16, "'for' stands twice; keep one"),
        ("car in", 6, "expected the name of a video or a part of the picture (left half), got the end"),
        ('sky and "car > 2%', 8, "this quote is never closed"),
        ("car > 2%; DROP TABLE clips", 8, "got ';'"),
        ("sky and pesron > 2%", 8, "no class 'pesron' in camvid; did you mean pedestrian, pole?"),
        ("unicorn", 0, "no class 'unicorn' in camvid; "),
        ("car for " + "9" * 400 + "s", 8, "longer than any video"),
        ("car > " + "9" * 400, 6, "1 is the most"),
        ("car in left", 11, "expected a number, 'half' or 'third', got the end; a video of that name goes in quotes"),
        ("car in left 30", 14, "expected '%', got the end"),
        ("car in left 0%", 12, "more than 0% and at most 100%"),
        ("car in top 130%", 11, "more than 0% and at most 100%"),
        ("car in left half in right half", 26, "got 'half'; a part of the picture goes right behind one class or sum"),
        ("(car or sky) in left half", 21, "got 'half'; a part of the picture goes right behind one class or sum"),
        ("car > 60% in left half", 6, "this part is 50% of it; did you mean 30%?"),
        ("(car or sky) enters", 13, "got 'enters'; 'enters' goes right behind one class or sum"),
        ("car and enters", 8, "no class 'enters'"),
        ("count(car", 9, "expected '+' or ')', got the end"),
        ("count(car) >= 3%", 15, "got '%'; a count takes no %"),
        ("count(car) >= 2.5", 14, "whole numbers up to 65535"),
        ("count(car) > 65536", 13, "whole numbers up to 65535"),
        ("count(car in left half)", 10, "got 'in'; a count takes no part of the picture"),
        ("changes in road", 15, "expected a comparison (> >= < <= = !=) or '+', got the end"),
        ("changes in road > 20", 18, "did you mean 20%?"),
        ("car after", 9, "expected a number or a time (1:30), got the end"),
        ("car after 90", 12, "expected a unit (ms, s, sec, min, h), got the end"),
        ("car after 1:75", 10, "go up to 59; a time is 1:30 or 01:02:03"),
        ("car before 1:30 after 90s", 16, "nothing is both after and before that"),
        ("car before 90s before 4s", 15, "'before' stands twice; keep one"),
        ("car sort peak", 4, "'sort by' or the end, got 'sort'"),
        ("car sort by size", 12, "expected 'time', 'peak', 'duration' or 'confidence', got 'size'"),
        ("car sort by peak sort  by time", 17, "'sort by' stands twice; keep one"),
        (
            "car for 2s or sky",
            11,
            "got 'or'; 'for 2s' and what else says how long, when and where goes behind the whole",
        ),
        ("car for 2s limit 4", 11, "got 'limit'; how many answers you want is the option --limit"),
    ],
)
def test_points_at_what_it_cannot_read(text, column, message):
    with pytest.raises(QueryError) as caught:
        parse(text, CAMVID)
    sentence, line, caret = str(caught.value).splitlines()
    assert message in sentence
    assert f"column {column + 1}:" in sentence
    assert caret.index("^") == column + 2
    assert line[2:] == text[:100].rstrip()


def test_caret_stays_under_its_place_in_a_long_or_wild_query():
    text = "sky\n\x1b[31mand " + "sky and " * 50 + "here!"
    with pytest.raises(QueryError) as caught:
        parse(text, CAMVID)
    assert "\x1b" not in str(caught.value)
    text = "sky and " * 50 + "unicorn" + " and sky" * 50
    with pytest.raises(QueryError) as caught:
        parse(text, CAMVID)
    _, line, caret = str(caught.value).splitlines()
    assert line[caret.index("^") :].startswith("unicorn")
    assert len(line) <= 102


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(QueryError, match="column 8: this is no character; write the query in UTF-8"):
        parse("car in \udcff*", CAMVID)


def test_terms_know_their_negation():
    condition = parse("car and not (sky or not car enters)", CAMVID).condition
    assert [(compared(term), negated) for term, negated in terms(condition)] == [
        (a("car"), False),
        (a("sky"), True),
        (a("car"), False),
    ]


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "../../etc/passwd", "a\nb", "'\"", "x" * 300, "\\x1b[2J", "\x00", "🚗", "$limit"],
)
def test_hostile_text_stays_text(text):
    assert parse(to_text(Query(a("car"), video=text)), CAMVID).video == text
    taxonomy = Taxonomy("one", (text,), ((0, 0, 0),), ((),))
    assert parse(to_text(Query(Count((text,)))), taxonomy).condition == Count((text,))
    with pytest.raises(QueryError) as caught:
        parse(f"car and {text}", CAMVID)
    sentence, _, caret = str(caught.value).split("\n")
    assert sentence.isprintable()
    assert caret.strip() == "^"


def test_deep_and_long_queries():
    deep = "not " * (LONGEST // 4 - 1) + "car"
    assert mentioned(parse(deep, CAMVID).condition) == ("car",)
    assert parse(to_text(parse(deep, CAMVID)), CAMVID) == parse(deep, CAMVID)
    assert parse("(" * 490 + "car" + ")" * 490, CAMVID) == parse("car", CAMVID)
    with pytest.raises(QueryError, match=f"{LONGEST} is the most"):
        parse("car or " * 200 + "car", CAMVID)


def test_what_a_query_wants_to_see():
    def split(text):
        condition = parse(text, CAMVID).condition
        return mentioned(condition), wanted(condition)

    assert split("person > 2% and not car") == (("pedestrian", "car"), ("pedestrian",))
    assert split("not person") == (("pedestrian",), ())
    assert split("person < 2% or not car >= 1%") == (("pedestrian", "car"), ())
    assert split("not (person < 2% and not car = 3%)") == (("pedestrian", "car"), ("pedestrian", "car"))
    assert split("count(car) > 2 and not count(sky) > 2") == (("car", "sky"), ("car",))
    assert split("person enters and not car leaves") == (("pedestrian", "car"), ("pedestrian",))
    assert split("not changes in road > 5% or car < 1% leaves") == (("road", "car"), ())
    assert split("car + sky and sky + tree") == (("car", "sky", "tree"), ("car", "sky", "tree"))


def conditions(classes):
    names = st.lists(st.sampled_from(classes), min_size=1, max_size=3, unique=True).map(tuple)
    operators = st.sampled_from((">", ">=", "<", "<=", "=", "!="))
    shares = st.floats(0, 1) | st.sampled_from((0.0, 0.02, 1.0))
    sides = st.sampled_from(("left", "right", "top", "bottom", "middle", "center"))
    regions = st.builds(Region, sides, st.floats(0.001, 1) | st.sampled_from((0.5, 1 / 3, 0.3)))
    inside = st.builds(
        lambda names, sign, share, r: Comparison(names, sign, share * r.share, r), names, operators, shares, regions
    )
    comparison = st.builds(Comparison, names, operators, shares) | inside
    term = st.one_of(
        comparison,
        st.builds(Count, names, operators, st.integers(0, 65535)),
        st.builds(Change, names, operators, shares),
        st.builds(Event, comparison, st.sampled_from(("enters", "leaves"))),
        st.builds(Track, st.integers(1, 65535), st.none() | regions),
    )

    def larger(part):
        parts = st.lists(part, min_size=2, max_size=3).map(tuple)
        return st.builds(Not, part) | st.builds(And, parts) | st.builds(Or, parts)

    return st.recursive(term, larger, max_leaves=6)


seconds = st.just(0.0) | st.floats(1e-9, 1e6) | st.sampled_from((0.1, 2.0, 90.0))


queries = st.builds(
    Query,
    conditions(ODD.classes),
    seconds,
    seconds,
    st.none() | st.text(max_size=20),
    st.none() | st.floats(0, 1e5),
    st.none() | st.floats(1e5 + 1, 1e6),
    st.sampled_from(("time", "peak", "duration", "confidence")),
    st.booleans(),
)


@given(queries)
@settings(max_examples=150, deadline=None)
def test_reads_back_what_it_writes(query):
    text = to_text(query)
    if len(text) <= LONGEST:
        assert parse(text, ODD) == query


words = st.sampled_from(
    [
        *("car", "sky", "and", "or", "not", "(", ")", "+", ">", "<=", "2", "%", "for", "gap", "in", "s", '"'),
        *("left half", "top", "30%", "count(", "changes in", "enters", "leaves frame", "after", "before", "1:30"),
        *("sort by", "sort", "peak", "desc", "limit"),
    ]
)


@given(st.lists(words, max_size=12).map(" ".join) | st.text(max_size=40))
@example("car > ٣%")
@example('"\\')
@example("in in in")
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_query_or_refused_with_a_caret(text):
    try:
        query = parse(text, CAMVID)
    except QueryError as error:
        sentence, _, caret = str(error).split("\n")
        assert caret.strip() == "^"
        assert len(caret) - 3 <= len(text)
        assert sentence.isprintable()
        return
    assert parse(to_text(query), CAMVID) == query
    assert math.isfinite(query.min_seconds)
