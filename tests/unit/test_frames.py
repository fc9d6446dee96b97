"""Tables say what the rows said: nothing is lost, and nothing is changed unseen."""

import contextlib
import datetime as dt
import json
from decimal import Decimal

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from healthyroster_async._rows.casts import as_text, recast
from healthyroster_async._rows.frames import FrameBuilder
from healthyroster_async._rows.splitter import BrokenRowsError, CutOffError, Splitter

pytestmark = pytest.mark.unmeasured

DECLARED = {
    "id": "integer",
    "rate": "number",
    "flag": "boolean",
    "on": "date",
    "at": "date-time",
    "note": "string",
}
ROW = {"id": 1, "rate": 0.5, "flag": True, "on": "2026-01-31", "note": "x"}
ROW |= {"at": "2026-01-31T08:30:00.123Z"}


def table_of(
    raw, declared=DECLARED, *, size=500, part=200, lines=False, builder=FrameBuilder
):
    builder = builder(declared)
    splitter = Splitter(
        path=None,
        max_row=1 << 20,
        take=builder.take,
        last=builder.last,
        part=part,
        loads=builder.loads,
    )
    splitter._wait_for = part
    if lines:
        splitter.expect_lines()
    tables = [splitter.feed(raw[at : at + size]) for at in range(0, len(raw), size)]
    while not splitter.complete:
        tables.append(splitter.finish())
    return builder.typed([t for t in tables if t is not None]), builder


def of_rows(*rows, declared=DECLARED, **how):
    raw = json.dumps(rows, separators=(",", ":")).encode()
    return table_of(raw, declared, **how)


def column(name, *values, declared=DECLARED):
    """Return the type and values of a column, and what is said about it."""
    table, builder = of_rows(*({name: v} for v in values), declared=declared)
    return str(table[name].type), table[name].to_pylist(), builder.drift.get(name)


def test_types_are_those_that_the_data_source_names():
    """
    A date is a date, and a date-time in UTC knows that it is.
    """
    table, builder = of_rows(*[ROW] * 50)

    assert [str(f.type) for f in table.schema] == [
        "int64",
        "double",
        "bool",
        "date32[day]",
        "string",
        "timestamp[us, tz=UTC]",
    ]
    assert table.num_rows == 50
    assert table["on"][0].as_py() == dt.date(2026, 1, 31)
    assert not builder.drift


@pytest.mark.parametrize(
    ("name", "values", "kind", "got"),
    [
        ("id", [1, None, 3], "int64", [1, None, 3]),
        ("id", [1, "A7"], "string", ["1", "A7"]),
        ("id", [1, 1.5], "double", [1.0, 1.5]),
        ("id", [2**60, 1.5], "string", [str(2**60), "1.5"]),
        ("id", [2**70], "string", [str(2**70)]),
        ("id", [1, True], "string", ["1", "true"]),
        ("rate", [1, 0.1], "double", [1.0, 0.1]),
        ("rate", [2**60, 0.5], "string", [str(2**60), "0.5"]),
        ("flag", [True, "yes"], "string", ["true", "yes"]),
        ("note", ["x", 7], "string", ["x", "7"]),
        ("note", ["x", 1.10], "string", ["x", "1.1"]),
        ("note", ["x", {"a": [1]}], "string", ["x", '{"a":[1]}']),
        ("on", ["2026-01-31", "soon"], "string", ["2026-01-31", "soon"]),
        ("at", ["2026-01-31T08:30:00"], "timestamp[us]", None),
        ("at", ["2026-01-31T08:30:00.1234567"], "timestamp[ns]", None),
        ("at", ["2026-01-31T08:30:00+02:00"], "string", ["2026-01-31T08:30:00+02:00"]),
        (
            "at",
            ["2026-01-31T08:30:00Z", "2026-01-31T08:30:00"],
            "string",
            ["2026-01-31T08:30:00Z", "2026-01-31T08:30:00"],
        ),
        ("at", ["2026-01-31T08:30:00Z", "2026-01-31"], "string", None),
        ("at", ["2026-01-31"], "string", ["2026-01-31"]),
        ("new", [1, 2], "int64", [1, 2]),
        ("new", [None, None], "null", [None, None]),
        ("new", ["a", [1]], "string", ["a", "[1]"]),
    ],
)
@pytest.mark.parametrize("repeat", [1, 300])
def test_a_value_that_does_not_fit_makes_its_column_wider(
    name, values, kind, got, repeat
):
    """
    In one part or in many, read fast or value by value.
    """
    type_, held, said = column(name, *[v for v in values for _ in range(repeat)])

    assert type_ == kind
    if got is not None:
        assert held == [v for v in got for _ in range(repeat)]
    fits = type_.split("[")[0] in {"int64", "double", "bool", "date32", "timestamp"}
    if name not in {"new", "note"} and not fits:
        assert said is not None


@pytest.mark.parametrize(
    ("name", "value", "held"),
    [
        ("new", 1, 1),
        ("rate", 2**60 + 1, str(2**60 + 1)),
        ("id", 2**70, str(2**70)),
        ("note", 1.5, "1.5"),
        ("note", '},{"id":1', '},{"id":1'),
        ("note", [{"id": 1}, {"id": 2}], '[{"id":1},{"id":2}]'),
        ("note", "\u00e9\U0001f600\u0000", "\u00e9\U0001f600\u0000"),
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_what_comes_late_is_not_lost(name, value, held, indent):
    """
    Parts are read fast, with the columns of those before; this one is not.
    """
    rows = [ROW] * 300 + [ROW | {name: value}] + [ROW] * 300
    separators = (",", ":") if indent is None else None
    raw = json.dumps(rows, indent=indent, separators=separators).encode()
    table, _ = table_of(raw, part=5000)

    assert table.num_rows == 601
    assert table[name][300].as_py() == held
    assert table["id"][299].as_py() in {1, "1"}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b'},{"id"', b'}{"id"'),
        (b'},{"id"', b'} {"id"'),
        (b'},{"id"', b'},null,{"id"'),
        (b'"rate":0.5', b'"rate":NaN'),
        (b'"rate":0.5', b'"rate":Infinity'),
        (b'"rate":0.5', b'"rate":.5'),
        (b'"note":"x"', b'"note":"\xff"'),
        (b'"note":"x"', b'"note":"\x01"'),
        (b'"note":"x"', b'"note":"\\ud800"'),
        (b'"note":"x"', b'"note":"x",'),
    ],
)
def test_what_is_no_json_is_no_table(good, bad):
    """
    In the middle of parts that are read fast, where nobody would see it.
    """
    raw = orjson.dumps([ROW] * 600)
    middle = raw.index(good, len(raw) // 2)
    broken = raw[:middle] + bad + raw[middle + len(good) :]

    table_of(raw, part=5000)
    with pytest.raises(BrokenRowsError):
        table_of(broken, part=5000)


@pytest.mark.parametrize("key", [b"rows", b"others"])
@pytest.mark.parametrize("part", [5000, 40_000])
def test_an_array_beside_the_rows_is_no_part_of_them(key, part):
    """
    Read as the member of an object, a part could bring members of its own.
    """
    rows = orjson.dumps([ROW] * 300)
    raw = b'{"data":%b,"%b":%b,"n":1}' % (rows, key, orjson.dumps([ROW] * 200))
    table, _ = table_of(raw, part=part)

    assert table.num_rows == 300


@pytest.mark.parametrize("between", [b']}\n{"rows":[', b']}{"rows":[', b'],"rows":['])
def test_a_part_is_one_array_and_not_two(between):
    """
    pyarrow reads one object after the other.
    """
    row = orjson.dumps(ROW)
    many = b",".join([row] * 300)
    with pytest.raises(BrokenRowsError):
        table_of(b"[" + many + between + many + b"]", part=5000)


def test_what_drifted_is_said_in_a_line_a_column():
    """
    Without a value of a row in it.
    """
    table, builder = of_rows({"id": 1, "new": 1}, {"id": "Quill", "note": "x"})

    assert builder.drift == {
        "id": "integer, but text came; the column is text",
        "new": "not in the data source's list of fields",
        **dict.fromkeys(["rate", "flag", "on", "at"], "no row has a value"),
    }
    assert table.column_names == ["id", "new", *list(DECLARED)[1:]]


def test_each_change_of_a_column_names_what_it_was():
    """
    Which is what the data source says only at first.
    """
    builder = FrameBuilder({"n": "Int32"})
    for value in (1, 0.5, "Quill"):
        builder.last([{"n": value}])

    assert builder.drift["n"] == (
        "Int32, but number came; the column is number; "
        "number, but text came; the column is text"
    )


@pytest.mark.parametrize(
    ("declared", "values", "came"),
    [
        ("decimal", b"1e40", "decimal of too many digits"),
        ("integer", b"9223372036854775808", "integer of too many digits"),
        ("number", b"9007199254740993,0.5", "integer of too many digits"),
        (
            "integer",
            b"9007199254740993,0.5",
            "number beside integers of too many digits",
        ),
        ("boolean", b"1,0", "integer"),
        ("boolean", b"0.5,1", "integer and number"),
        ("date", b"1767225600", "integer"),
        ("integer", b'1,true,"Quill",[],{}', "array and boolean and object and text"),
    ],
)
def test_a_column_that_became_text_is_told_what_came(declared, values, came):
    """
    "integer, but text came" sends people to look for a text that is nowhere.
    """
    builder = FrameBuilder({"n": declared})
    rows = b",".join(b'{"n":%b}' % value for value in values.split(b","))
    builder.take(b'{"rows":[%b]}' % rows)

    assert builder.drift["n"] == f"{declared}, but {came} came; the column is text"


def test_a_column_that_no_row_has_is_there():
    """
    A query that reads it works whatever came.
    """
    table, builder = of_rows(*[{"id": 1}] * 300)
    late, noted = of_rows(*[{"id": 1}] * 300, {"id": 2, "rate": 0.5, "at": None})

    assert table.column_names == list(DECLARED)
    assert [str(kind) for kind in table.schema.types] == [
        "int64", "double", "bool", "date32[day]", "timestamp[us]", "string"
    ]  # fmt: skip
    assert table["note"].null_count == 300
    assert builder.drift["rate"] == noted.drift["at"] == "no row has a value"
    assert late["rate"].to_pylist() == [None] * 300 + [0.5]
    assert "rate" not in noted.drift


@pytest.mark.parametrize(
    ("word", "early", "held"),
    [
        ("integer", "1", "1"),
        ("number", "1", "1"),
        ("number", "1.50", "1.5"),
        ("number", "0.250", "0.25"),
        ("decimal", "12.50", "12.5"),
        ("decimal", "100", "100"),
        ("decimal", "0.0000000001", "0.0000000001"),
        (
            "decimal",
            "1234567890123456789012345678.25",
            "1234567890123456789012345678.25",
        ),
        ("date", '"2026-01-31"', "2026-01-31"),
        ("date-time", '"2026-01-31T08:30:00.120Z"', "2026-01-31T08:30:00.12Z"),
    ],
)
def test_what_was_read_before_a_column_became_text_has_the_same_value(
    word, early, held
):
    """
    As short as it can be written.
    """
    builder = FrameBuilder({"n": word})
    tables = []
    for value in (early, '"Quill"'):
        part = builder.take(b'{"rows":[{"n":%s}]}' % value.encode())
        tables.append(builder.typed([part]))

    texts = [recast(table, builder.schema)["n"].to_pylist() for table in tables]
    assert texts == [[held], ["Quill"]]


def test_decimals_keep_every_digit():
    """
    Money is no float.
    """
    raw = b'[{"m": 0.10}, {"m": 12345678901234567.89}, {"m": 3}]'
    table, _ = table_of(raw, {"m": "decimal"})
    text, _ = table_of(b'[{"m": 0.123456789012}, {"m": "x"}]', {"m": "money"})

    assert [str(v) for v in table["m"].to_pylist()] == [
        "0.1000000000",
        "12345678901234567.8900000000",
        "3.0000000000",
    ]
    assert text["m"].to_pylist() == ["0.123456789012", "x"]


@pytest.mark.parametrize("size", range(1, 60))
def test_a_nasty_answer_is_read_whole_wherever_it_is_cut(size):
    """
    Borders inside texts, nested objects, escapes, a row without members.
    """
    rows = [
        {"id": 1, "note": '},{"id":2', "in": {"a": [{"id": 3}, {"id": 4}]}},
        {"id": 5, "note": 'a\\"},{\\"id\\":6', "in": None},
        {},
        {"id": 7, "note": "\u00e9\U0001f600\\", "in": []},
    ] * 5
    table, _ = of_rows(*rows, size=size, part=90)
    pretty, _ = table_of(json.dumps({"data": rows}, indent=2).encode(), size=size)

    assert table["note"].to_pylist() == [r.get("note") for r in rows]
    assert table["id"].to_pylist() == [r.get("id") for r in rows]
    assert pretty["note"].to_pylist() == table["note"].to_pylist()


def test_rows_that_stand_in_lines_are_read():
    """
    NDJSON, with and without a line end at the end, and with empty lines; more of it
    than a row may be large.
    """
    rows = [ROW | {"id": n} for n in range(10_000)]
    raw = b"\r\n".join(orjson.dumps(row) for row in rows)
    for text in (raw, raw + b"\n", raw.replace(b"\r\n", b"\n\n")):
        table, _ = table_of(text, lines=True, part=5000)
        assert table["id"].to_pylist() == list(range(10_000))


@pytest.mark.parametrize(
    ("value", "why"),
    [(b"1e400", "64 bits of floating point"), (b'"\\ud800"', "no Unicode")],
)
@pytest.mark.parametrize("many", [1, 3000])
def test_what_nothing_can_hold_is_not_cut_off(value, why, many):
    """
    Asked for again it would be there again.
    """
    rows = b",".join([b'{"id":1,"x":%s}' % value] * many)
    with pytest.raises(BrokenRowsError, match=f"row 0 .* 'x' .*{why}") as error:
        table_of(b"[%s]" % rows)
    assert not isinstance(error.value, CutOffError)


@pytest.mark.parametrize(
    "cut", [b'{"id":1},', b'{"id":1},{"id":2', b'{"id":1}', b"", b"]"]
)
def test_a_table_of_a_truncated_answer_is_never_made(cut):
    """
    A short table looks like a whole one.
    """
    many = b",".join([b'{"id":1}'] * 100)
    with pytest.raises(BrokenRowsError):
        table_of(b"[" + many + b"," + cut)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["2026-01-31", "2026-01-31T08:30:00Z", "2026-01-31T08:30:00", "1"]),
    st.lists(st.integers(0, 3), max_size=2),
)
rows_ = st.lists(
    st.dictionaries(st.sampled_from([*DECLARED, "new", "}, {"]), scalars), max_size=40
)


def said(value):
    """Return a value as a table may say it: as it is, or as the text of its JSON."""
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    return value


def same(held, value):
    if held is None or value is None:
        return held is None and value is None
    if isinstance(held, dt.datetime):
        text = str(value).replace("Z", "+00:00")
        return held.isoformat() == dt.datetime.fromisoformat(text).isoformat()
    if isinstance(held, dt.date):
        return held.isoformat() == value
    if isinstance(held, str) and not isinstance(value, str):
        if isinstance(value, bool | list):
            return json.loads(held) == value
        return Decimal(held) == Decimal(repr(value))
    return held == value and isinstance(held, bool) == isinstance(value, bool)


@settings(max_examples=150, deadline=None)
@given(rows=rows_, part=st.integers(10, 400), more=st.integers(0, 30))
@example(rows=[{"id": 2**63}], part=10, more=0)
@example(rows=[{"rate": 2**53 + 1}, {"rate": 0.5}], part=10, more=30)
@example(rows=[{"note": "1"}, {"note": 1}], part=10, more=20)
def test_every_value_comes_out_as_it_went_in(rows, part, more):
    """
    Whatever the rows hold, a cell is the value, or its text.
    """
    everything = [ROW] * more + rows + [ROW] * more
    raw = json.dumps(everything, separators=(",", ":")).encode()
    table, _ = table_of(raw, part=part)

    # A table without columns does not know how many rows it has.
    assert table.num_rows == len(everything) or not table.column_names
    for name in table.column_names:
        for held, row in zip(table[name].to_pylist(), everything, strict=True):
            assert same(held, said(row.get(name))) or same(held, row.get(name)), name


@pytest.mark.parametrize("far", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("fine_first", [True, False])
def test_times_that_nanoseconds_do_not_reach_are_text(far, fine_first):
    """
    The least date-time of .NET stands for none, and comes one day in a million rows.
    """
    fine = "2025-01-01T00:00:00.1234567Z"
    parts = [[fine] * 5, [far]] if fine_first else [[far], [fine] * 5]
    builder = FrameBuilder({"at": "date-time"})
    tables = []
    for values in parts:
        rows = [{"at": value} for value in values]
        tables.append(builder.typed([builder.last(rows)]))
    whole = [recast(table, builder.schema) for table in tables]

    assert [table["at"].to_pylist() for table in whole] == parts
    assert "it is text" in builder.drift["at"]


class Looking(FrameBuilder):
    """Looks at every value of the first rows to find out what the columns are."""

    def _declared_only(self, text):
        return None


@settings(max_examples=150, deadline=None)
@given(rows=rows_, part=st.integers(10, 4000), before=st.integers(0, 3))
def test_what_is_declared_is_taken_on_trust_only_where_that_is_the_same(
    rows, part, before
):
    """
    Columns do not depend on how they were found out.
    """
    raw = json.dumps([ROW] * before + rows, separators=(",", ":")).encode()
    one, trusting = table_of(raw, part=part)
    other, looking = table_of(raw, part=part, builder=Looking)

    assert one.schema == other.schema
    assert one.equals(other)
    assert trusting.drift == looking.drift


def test_no_rows_have_the_columns_of_the_data_source():
    """
    An empty file that a script reads must have its columns.
    """
    table, _ = of_rows()

    assert table.column_names == list(DECLARED)
    assert str(table["on"].type) == "date32[day]"
    assert table.num_rows == 0


@pytest.mark.parametrize("before", [0, 300])
@pytest.mark.parametrize("after", [0, 300])
def test_rows_without_a_member_are_counted(before, after):
    """
    They are rows, wherever they stand; in a table they are nulls.
    """
    table, _ = of_rows(*[ROW] * before, *[{}] * 300, *[ROW] * after)

    assert table.num_rows == before + 300 + after
    assert table["id"].to_pylist() == [1] * before + [None] * 300 + [1] * after


def test_what_is_nested_is_written_with_every_digit():
    """
    Also where it is deep, or holds what orjson does not write.
    """
    deep = "[" * 500 + "]" * 500
    cells = ['{"a":[0.10,123456789012345678901,"x"]}', deep, '{"q\\"":{"b":true}}']
    raw = "[" + ",".join(f'{{"note":{cell},"m":0.1}}' for cell in cells) + "]"
    table, _ = table_of(raw.encode(), {"m": "decimal", "note": "string"})

    assert table["note"].to_pylist() == cells
    assert table["m"].to_pylist() == [Decimal("0.1")] * 3


def test_what_is_nested_too_deep_is_refused():
    """
    As an error of ours, and not of the interpreter.
    """
    for depth in (990, 1020):
        for more in ("", ',"m":1234567890123456789012'):
            value = "[" * depth + "]" * depth
            with contextlib.suppress(BrokenRowsError):
                table_of(f'[{{"note":{value}{more}}}]'.encode())


@pytest.mark.parametrize("wide", [True, False])
def test_more_columns_than_any_report_has_are_refused(wide):
    """
    100 kB of rows with ever new columns took a GB: all have a place in every row.
    """
    names = [f"c{number}" for number in range(5001)]
    rows = [dict.fromkeys(names, 1)] if wide else [{name: 1} for name in names]
    with pytest.raises(BrokenRowsError, match="more than 5,000 columns"):
        of_rows(*rows, size=1 << 20, part=1 << 20)


def test_date_times_are_written_as_json_has_them():
    """
    In a CSV file, and where a column became text.
    """
    table, _ = of_rows(ROW)
    texts = recast(table, as_text(table.schema))

    assert texts["at"].to_pylist() == ["2026-01-31T08:30:00.123Z"]


def test_decimals_are_written_as_short_as_they_can_be():
    """
    In a CSV file too, where pyarrow writes 0E-10, and 12.5000000000.
    """
    most = "9" * 28 + "." + "9" * 10
    short = ["0", "12.5", "0.05", "100", "-0.0000009", "-10", most, f"-{most}"]
    raw = ",".join(f'{{"m": {value}}}' for value in [*short, "12.50", "-0.0", "null"])
    table, _ = table_of(f"[{raw}]".encode(), {"m": "decimal"})
    schema = as_text(table.schema)

    assert recast(table, schema)["m"].to_pylist() == [*short, "12.5", "0", None]
    assert recast(table.slice(1, 1), schema)["m"].to_pylist() == ["12.5"]
    assert recast(table.slice(0, 0), schema)["m"].to_pylist() == []
