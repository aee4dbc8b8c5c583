"""Queries are read as they were meant, and refused with a finger on the place."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vss_ray.errors import QueryError
from vss_ray.index.language import LONGEST, parse
from vss_ray.index.query import And, Comparison, Not, Operator, Or, Query, mentioned, to_text, wanted
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
    ],
)
def test_reads(text, query):
    assert parse(text, CAMVID) == query


def test_names_that_need_quotes():
    text = r'"in" and "traffic light" > 1% and "say \"so\"" and "back\\slash" and naïve and "a.b" and not-a and "9"'
    names = ("in", "traffic light", 'say "so"', "back\\slash", "naïve", "a.b", "not-a", "9")
    assert mentioned(parse(text, ODD).condition) == names
    assert parse("within", ODD).condition == a("in")


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 0, "expected a class name, 'not' or '(', got the end"),
        ("person >", 8, "expected a number, got the end"),
        ("person > x", 9, "expected a number, got 'x'"),
        ("person > 2", 9, "a number without % is a share from 0 to 1; did you mean 2%?"),
        ("person > 1", 9, "did you mean 1%?"),
        ("person > 120%", 9, "100% is the most"),
        ("traffic sign > 2%", 8, "got 'sign'; a class name of several words goes in quotes"),
        ("(car + sky) > 2%", 12, "got '>'; a sum takes no brackets"),
        ("(car", 4, "'+', 'and', 'or' or ')', got the end"),
        ("car)", 3, "'+', 'and', 'or', 'for', 'gap', 'in' or the end, got ')'"),
        ("for 2s", 0, "expected a class name, 'not' or '(', got 'for'"),
        ("car > 5% 3", 9, "expected 'and', 'or', 'for', 'gap', 'in' or the end, got '3'"),
        ("car for 2", 9, "expected a unit (ms, s, sec, min), got the end"),
        ("car for 2 hours", 10, "expected a unit (ms, s, sec, min), got 'hours'"),
        ("car for 2s in a for 3s", 16, "'for' stands twice; keep one"),
        ("car in", 6, "expected the name of a video, got the end"),
        ('sky and "car > 2%', 8, "this quote is never closed"),
        ("car > 2%; DROP TABLE clips", 8, "got ';'"),
        ("sky and pesron > 2%", 8, "no class 'pesron' in camvid; did you mean pedestrian, pole?"),
        ("unicorn", 0, "no class 'unicorn' in camvid; "),
        ("car for " + "9" * 400 + "s", 8, "longer than any video"),
        ("car > " + "9" * 400, 6, "1 is the most"),
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
    assert split("car + sky and sky + tree") == (("car", "sky", "tree"), ("car", "sky", "tree"))


def conditions(classes):
    comparison = st.builds(
        Comparison,
        st.lists(st.sampled_from(classes), min_size=1, max_size=3, unique=True).map(tuple),
        st.sampled_from((">", ">=", "<", "<=", "=", "!=")),
        st.floats(0, 1) | st.sampled_from((0.0, 0.02, 1.0)),
    )

    def larger(part):
        parts = st.lists(part, min_size=2, max_size=3).map(tuple)
        return st.builds(Not, part) | st.builds(And, parts) | st.builds(Or, parts)

    return st.recursive(comparison, larger, max_leaves=6)


seconds = st.just(0.0) | st.floats(1e-9, 1e6) | st.sampled_from((0.1, 2.0, 90.0))


@given(st.builds(Query, conditions(ODD.classes), seconds, seconds, st.none() | st.text(max_size=20)))
@settings(max_examples=150, deadline=None)
def test_reads_back_what_it_writes(query):
    text = to_text(query)
    if len(text) <= LONGEST:
        assert parse(text, ODD) == query


words = st.sampled_from(
    ["car", "sky", "and", "or", "not", "(", ")", "+", ">", "<=", "2", "%", "for", "gap", "in", "s", '"']
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
