"""What a recording keeps of what people are, and what it does not."""

import datetime as dt
import json
import re

from hypothesis import assume, example, given
from hypothesis import strategies as st

from healthyroster_async.testing._scrubbing import Scrubber

texts = st.text(max_size=40)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.dates().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.from_regex(r"[A-Za-z]{1,9}", fullmatch=True), inner),
    ),
    max_leaves=20,
)


def leaves(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


@given(values)
def test_shapes_and_types_stay(value):
    """
    Code that reads a recording must meet what it would have met.
    """
    made = Scrubber().value(value)

    assert json.loads(json.dumps(made)) == made
    before, after = list(leaves(value)), list(leaves(made))
    assert [type(v) for v in before] == [type(v) for v in after]
    assert [v for v in before if v is None or isinstance(v, bool)] == [
        v for v in after if v is None or isinstance(v, bool)
    ]
    for one, other in zip(before, after, strict=True):
        if isinstance(one, str):
            assert len(one) == len(other)


@given(st.from_regex(r"[A-Za-z]{6,20}( [A-Za-z]{6,20})?", fullmatch=True))
@example("Quillfeather")
@example("Broken ankle")
def test_no_word_stays(text):
    """
    Six letters that come by chance again are one in 300 million.
    """
    made = Scrubber().text(text)

    assert made != text
    assert not set(text.split()) & set(made.split())
    assert [c.isupper() for c in text] == [c.isupper() for c in made]


@given(st.integers(min_value=10**6, max_value=10**15))
def test_no_long_number_stays(number):
    """
    A number of a record is a name.
    """
    made = Scrubber(b"k" * 32).value(number)
    assume(made != number)  # by chance

    assert len(str(made)) == len(str(number))


@given(
    st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)),
    st.sampled_from(["", "T10:20:30", "T10:20", "T10:20:30.123Z", " 10:20:30+01:00"]),
)
def test_dates_stay_dates_and_are_others(day, clock):
    """
    A date of birth says who it is; a column of dates must stay one.
    """
    made = Scrubber().text(f"{day}{clock}")

    assert made[:10] != str(day)
    dt.date.fromisoformat(made[:10])
    assert re.sub(r"\d", "0", made[10:]) == re.sub(r"\d", "0", clock)
    if clock:
        dt.datetime.fromisoformat(made)


def test_equal_values_stay_equal_within_a_recording_only():
    """
    Tables can still be joined, and two recordings cannot.
    """
    one, other = Scrubber(), Scrubber()

    assert one.value({"id": "Quillfeather", "n": 123456789}) == one.value(
        {"id": "Quillfeather", "n": 123456789}
    )
    assert one.text("Quillfeather") != other.text("Quillfeather")
