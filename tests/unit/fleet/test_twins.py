"""Twins: the laws of merge patches, the limits, and that whoever follows arrives where the writer is."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entendre.core.errors import InvalidInputError, TooLargeError
from entendre.fleet import twins
from entendre.fleet.twins import DesiredFollower, Versions, changed, checked_patch, leaves_of, merged

KEYS = st.text("abcde-_é", min_size=1, max_size=3)
SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**52), 2**52), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
)
LEAVES = SCALARS | st.lists(SCALARS, max_size=3)
DOCUMENTS = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=4),
    lambda inner: st.dictionaries(KEYS, inner | LEAVES, max_size=3),
    max_leaves=8,
)
PATCHES = st.recursive(
    st.dictionaries(KEYS, LEAVES | st.none(), max_size=4),
    lambda inner: st.dictionaries(KEYS, inner | LEAVES | st.none(), max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result


@given(DOCUMENTS, PATCHES)
def test_a_patch_once_is_a_patch_twice_and_leaves_what_it_was_given(document: Any, patch: Any) -> None:
    before = json.dumps([document, patch])
    after = merged(document, patch)
    assert merged(after, patch) == after
    assert json.dumps([document, patch]) == before


@given(DOCUMENTS)
def test_a_document_is_its_own_patch_from_nothing(document: Any) -> None:
    assert merged({}, document) == document
    assert merged(document, {}) == document


@given(DOCUMENTS, PATCHES)
def test_no_null_comes_into_a_document(document: Any, patch: Any) -> None:
    def nulls(value: Any) -> bool:
        return value is None or (isinstance(value, dict) and any(map(nulls, value.values())))

    assert not nulls(merged(document, patch))


@given(DOCUMENTS, PATCHES)
def test_a_checked_patch_changes_a_section_within_its_limits(document: Any, patch: Any) -> None:
    after, text = changed("desired", document, checked_patch("desired", patch))
    assert twins.document_of(text) == after == merged(document, patch)
    assert changed("desired", document, patch, replace=True)[0] == merged({}, patch)


def nested(levels: int, inner: Any = 1) -> Any:
    for _ in range(levels):
        inner = {"a": inner}
    return inner


@pytest.mark.parametrize(
    ("patch", "named"),
    [
        ([], "tags must"),
        ({"a": {"b.c": 1}}, "tags.a"),
        ({"a": {"$b": 1}}, "tags.a"),
        ({"a b": 1}, "tags"),
        ({"a\x07": 1}, "tags"),
        ({"": 1}, "tags"),
        ({"k" * 1_025: 1}, "tags"),
        ({"a": {"b": "x" * 4_097}}, "tags.a.b"),
        ({"a": ["é" * 2_049]}, "tags.a[0]"),
        ({"a": 2**52 + 1}, "tags.a"),
        ({"a": -(2**52) - 1}, "tags.a"),
        ({"a": math.inf}, "tags.a"),
        ({"a": math.nan}, "tags.a"),
        (nested(11), "tags.a.a"),
        ({"a": nested(8, [[1]])}, "tags.a.a"),
        ({"a": "\ud800"}, "Unicode"),
        ({"\ud800": 1}, "Unicode"),
    ],
)
def test_what_is_out_of_bounds_is_refused_and_named(patch: Any, named: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        checked_patch("tags", patch)
    assert named in refused.value.public_message


def test_what_is_just_within_bounds_is_taken() -> None:
    for patch in (
        nested(10),
        {"k" * 1_024: 1},
        {"a": "x" * 4_096},
        {"a": 2**52, "b": -(2**52), "c": [None, 1.5, True], "d": None, "é": "ü", "a/b": ""},
        {"a": nested(8, [1])},
    ):
        assert checked_patch("tags", patch) == patch


@pytest.mark.parametrize(("section", "limit"), twins.SECTION_BYTES.items())
def test_a_section_grows_to_its_limit_and_no_further(section: twins.Section, limit: int) -> None:
    document: dict[str, Any] = {}
    with pytest.raises(TooLargeError) as refused:
        for each in range(100):
            document, text = changed(section, document, checked_patch(section, {f"k{each:02d}": "x" * 1_000}))
            assert len(text.encode()) <= limit
    assert section in refused.value.public_message
    assert len(twins.text_of(document)) > limit - 1_100
    with pytest.raises(TooLargeError):
        checked_patch(section, {f"k{each}": "x" * 4_000 for each in range(limit // 4_000 + 1)})


def test_versions_rise_one_by_one_and_the_etag_tells_them_apart() -> None:
    one = Versions()
    two = one.raised("desired")
    assert two == Versions(1, 2, 1)
    assert len({one.etag, two.etag, one.raised("tags").etag, one.raised("reported").etag}) == 4


def test_leaves_are_scalars_by_path_and_arrays_stand_for_theirs() -> None:
    tags = {"a": {"b": 1.0, "c": True}, "d": ["x", 2, None, {"e": 1}], "f": {}, "g": "y" * 300}
    found = dict(leaves_of(tags) - {("d", '"x"'), ("d", "2")})
    assert {("d", '"x"'), ("d", "2")} <= leaves_of(tags)
    assert found.pop("g") == twins.indexed_value("y" * 300) != twins.indexed_value("y" * 301)
    assert found == {"a.b": "1", "a.c": "true"}


# -- convergence -----------------------------------------------------------------------------------------------------


class Writer:
    """The true section, and what was sent of it."""

    def __init__(self) -> None:
        self.history: dict[int, Any] = {0: {}, 1: {}}
        self.version = 1
        self.sent: list[tuple[Any, int, bool]] = []

    def write(self, patch: Any, *, replace: bool) -> None:
        after = merged({} if replace else self.history[self.version], patch)
        self.version += 1
        self.history[self.version] = after
        self.sent.append((patch, self.version, replace))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), PATCHES, st.booleans()),
        st.tuples(st.just("deliver"), st.integers(0, 40), st.just(None)),
        st.tuples(st.just("ask"), st.just(None), st.just(None)),
        st.tuples(st.just("answer"), st.integers(0, 40), st.just(None)),
        st.tuples(st.just("reconnect"), st.just(None), st.just(None)),
    ),
    max_size=40,
)


@given(STEPS)
def test_a_device_converges_whatever_is_lost_doubled_or_late(steps: list[tuple[str, Any, Any]]) -> None:
    """Notifications and answers are kept for ever and delivered in any order, any number of times, or never."""
    writer, follower = Writer(), DesiredFollower()
    answers = [({}, 1)]
    seen = 0
    for what, one, two in steps:
        match what:
            case "write":
                writer.write(one, replace=two)
            case "deliver" if writer.sent:
                patch, version, replace = writer.sent[one % len(writer.sent)]
                follower.notified(patch, version, replace=replace)
            case "ask":
                answers.append((writer.history[writer.version], writer.version))
            case "answer":
                follower.got(*answers[one % len(answers)])
            case "reconnect":
                follower.connected()
        assert follower.document == writer.history[follower.version]
        assert follower.version >= seen
        seen = follower.version
    follower.connected()
    follower.got(writer.history[writer.version], writer.version)
    assert (follower.document, follower.version) == (writer.history[writer.version], writer.version)
    assert not follower.needs_get


@given(st.lists(st.tuples(PATCHES, st.booleans()), max_size=12), st.data())
def test_a_device_that_hears_the_last_notification_needs_no_reconnect(writes: list[Any], data: st.DataObject) -> None:
    """Any may be lost but the last; whenever the device wants a get it gets an answer, perhaps a late one."""
    writer, follower = Writer(), DesiredFollower()
    for index, (patch, replace) in enumerate(writes):
        asked = (writer.history[writer.version], writer.version) if data.draw(st.booleans()) else None
        writer.write(patch, replace=replace)
        if index == len(writes) - 1 or data.draw(st.booleans()):
            follower.notified(patch, writer.version, replace=replace)
        if asked is not None:
            follower.got(*asked)
    while follower.needs_get:
        follower.got(writer.history[writer.version], writer.version)
    assert follower.document == writer.history[writer.version]


def test_an_answer_that_is_older_than_what_was_heard_is_not_enough() -> None:
    follower = DesiredFollower()
    follower.notified({"a": 1}, 6)
    assert follower.got({}, 5)
    assert follower.needs_get
    assert follower.got({"a": 1}, 6)
    assert not follower.needs_get
    assert not follower.notified({"a": 1}, 6)
    assert follower.notified({"b": 2}, 7)
    assert follower.document == {"a": 1, "b": 2}
