"""What is JSON and what is not, by JSONTestSuite: as rows, in tables, and around them.

The suite's files stand in ``tests/json_test_suite.json`` with their licence (MIT).
"""

import asyncio
import base64
import json
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from fakes import request, response

from healthyroster_async import HealthyRosterError
from healthyroster_async._rows import frames, splitter, tables
from healthyroster_async._rows.stream import RowStream

pytestmark = pytest.mark.unmeasured

_SUITE = json.loads(
    (Path(__file__).parent.parent / "json_test_suite.json").read_text(encoding="utf-8")
)
FILES = {name: text.encode() for name, text in _SUITE["texts"].items()}
FILES |= {name: base64.b64decode(text) for name, text in _SUITE["base64"].items()}
FILES |= {n: (unit * times + end).encode() for n, (unit, times, end) in
          _SUITE["repeated"].items()}  # fmt: skip
ROW = b'{"id":1,"rate":0.5,"note":"x"}'
# The columns are known after some parts, and then parts are read fast.
BEFORE, AFTER = [ROW] * 36, [ROW] * 16
# What pyarrow imports when it is used first would block a loop.
frames.FrameBuilder({}).last([{"note": "x"}])
FIELDS = {"id": "integer", "rate": "number", "note": "string"}


def array(*rows):
    return b"[" + b",".join([*BEFORE, *rows, *AFTER]) + b"]"


def row(**members):
    all_ = {"id": b"1", "rate": b"0.5", "note": b'"x"'} | members
    return (
        b"{" + b",".join(b'"%s":%s' % (k.encode(), v) for k, v in all_.items()) + b"}"
    )


# Where the only item of an array stands alone, in a column of its kind: in these files.
ALONE = {
    "string": lambda value: array(row(note=value)),
    "number": lambda value: array(row(rate=value)),
    "integer": lambda value: array(row(id=value)),
    "new": lambda value: array(row(new=value)),
}
PLACES = ALONE | {
    "text": lambda value: array(row(note=value)),
    "row": array,
    "before": lambda value: b'{"meta":%s,"data":%s}' % (value, array()),
    "after": lambda value: b'{"data":%s,"meta":%s}' % (array(), value),
    "whole": lambda value: value,
    "line": lambda value: b"\n".join([*BEFORE, value, *AFTER]),
    "in a line": lambda value: b"\n".join([*BEFORE, row(note=value), *AFTER]),
}


class Body:
    def __init__(self, *pieces):
        self.pieces = list(pieces)

    async def read(self):
        return self.pieces.pop(0) if self.pieces else b""

    def close(self):
        pass


class Source:
    def __init__(self, raw, media, size=900):
        self.pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
        self.media = media

    def timed(self, request_):
        return request_

    async def open(self, request_):
        headers = {"content-type": self.media}
        return response(request=request_, headers=headers, stream=Body(*self.pieces))

    def ended(self, *_, **__):
        """Nobody wants to hear."""

    async def repeat(self, request_, call):
        return await call()


async def fields():
    return FIELDS


async def rows_of(raw, media="application/json"):
    return await RowStream(request(), Source(raw, media), None).to_list()


async def table_of(raw, media="application/json"):
    table = await RowStream(request(), Source(raw, media), None, fields).to_arrow()
    return table.to_pylist()


async def outcome(read, place, value):
    """Return the rows, or ``None`` if the answer was refused."""
    media = "application/x-ndjson" if "line" in place else "application/json"
    try:
        return await read(PLACES[place](value), media)
    except HealthyRosterError:
        return None


def files(kind, place):
    """Return the files of a kind, or the items in those about numbers."""
    found = {name: value for name, value in FILES.items() if name.startswith(kind)}
    if place not in ALONE:
        return found
    about = "string" if place == "string" else "number"
    return {
        name: value.strip()[1:-1] if value.startswith(b"[") else value
        for name, value in found.items()
        if about in name
    }


def counts(place):
    """Return how many files there are of each kind: must not, must, may be taken."""
    if place == "string":
        return 39, 48, 22
    return (57, 20, 10) if place in ALONE else (188, 95, 35)


@pytest.fixture
def anyio_backend():
    """Tables are made in threads, and those take real time."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(splitter, "PART", 500)
    monkeypatch.setattr(tables, "_PART", 700)


def same(cell, value):
    """Return whether a cell says a value, as it is or as text."""
    if value is None or cell is None:
        return cell is value
    if isinstance(cell, str) and not isinstance(value, str):
        return json.loads(cell) == value
    return cell == value and isinstance(cell, bool) == isinstance(value, bool)


@pytest.mark.parametrize("read", [rows_of, table_of])
@pytest.mark.parametrize("place", PLACES)
async def test_what_is_no_json_is_refused(read, place):
    """
    Wherever it stands, and however the rows are read: a repaired row is a made-up one.
    """
    bad = files("n_", place)
    assert len(bad) == counts(place)[0]
    taken = [n for n, v in bad.items() if await outcome(read, place, v) is not None]

    # Empty lines say nothing.
    empty = ["n_single_space", "n_structure_no_data"] if place == "line" else []
    assert taken == empty


@pytest.mark.parametrize("place", PLACES)
async def test_what_is_json_is_taken(place):
    """
    A table says what the rows say.
    """
    good = {name: value.strip() for name, value in files("y_", place).items()}
    assert len(good) == counts(place)[1]
    for name, raw in good.items():
        value = json.loads(raw)
        got = await outcome(rows_of, place, raw)
        table = await outcome(table_of, place, raw)
        objects = [value] if place != "whole" else value
        if place == "whole" and isinstance(value, dict):
            assert (got is None) == (table is None), name  # an envelope, or none
            continue
        if ("line" in place and b"\n" in raw) or (
            place in {"row", "line", "whole"}
            and not (type(objects) is list and all(type(v) is dict for v in objects))
        ):
            assert got is table is None, name  # rows are objects, and lines are lines
            continue
        assert got is not None, name
        assert table is not None, name
        column = {"number": "rate", "integer": "id", "new": "new"}.get(place, "note")
        if place in {*ALONE, "text", "in a line"}:
            assert got[36][column] == value, name
            assert same(table[36][column], value), name
        elif place in {"row", "line"}:
            assert got[36] == value, name
            assert all(same(table[36][key], value[key]) for key in value), name
        assert len(got) == len(table) or not any(got), name


@pytest.mark.parametrize("place", PLACES)
async def test_what_may_be_either_is_the_same_in_rows_and_tables(place):
    """
    And whatever it is, it is no bug of ours.
    """
    maybe = files("i_", place)
    assert len(maybe) == counts(place)[2]
    differ = [
        name
        for name, value in maybe.items()
        if (await outcome(rows_of, place, value) is None)
        != (await outcome(table_of, place, value) is None)
    ]

    assert differ == []


@pytest.mark.parametrize("read", [rows_of, table_of])
@pytest.mark.parametrize("lines", [False, True])
async def test_a_document_that_is_cut_off_is_refused(read, lines):
    """
    At every byte behind which something is missing.
    """
    value = FILES["y_structure_string_empty"] + b',"more":' + FILES["y_object_simple"]
    place = "in a line" if lines else "after"
    raw = PLACES[place](value if lines else FILES["y_object_simple"])
    media = "application/x-ndjson" if lines else "application/json"
    assert await outcome(read, place, FILES["y_object_simple"]) is not None
    for end in range(len(raw) - 150, len(raw)):
        if lines and raw[:end].rstrip(b"\n").endswith(b"}") and _whole(raw[:end]):
            continue
        with pytest.raises(HealthyRosterError):
            await read(raw[:end], media)


NASTY = [
    {"id": 1, "note": '},{"id":2,"', "in": {"a": [{"id": 3}, {"id": 4}]}},
    {"id": 5, "note": 'a\\"},\\{\\"id\\": 6\\\\', "in": []},
    {"id": 7, "note": "\u00e9\U0001f600\u2028\\", "in": None},
    {"id": 8, "note": ']}, {"id"', "in": {"": {"}": "{"}}},
    {"note": "", "id": 9, "in": [[["]"]]]},
]


@pytest.mark.parametrize("ascii_", [True, False])
@pytest.mark.parametrize("read", [rows_of, table_of])
async def test_it_does_not_matter_where_an_answer_is_cut(monkeypatch, ascii_, read):
    """
    Pieces end in the middle of a mark, a character, an escape, a border; at every byte.
    """
    monkeypatch.setattr(splitter, "PART", 90)
    monkeypatch.setattr(tables, "_PART", 120)
    document = {"total": 5, "meta": {"a": [{"x": "]"}]}, "data": NASTY, "next": "}]"}
    text = json.dumps(document, indent=1, ensure_ascii=ascii_)
    raw = b"\xef\xbb\xbf" + text.encode() + b"\r\n"
    cuts = [[raw[:at], raw[at:]] for at in range(1, len(raw))]
    cuts.append([raw[at : at + 1] for at in range(len(raw))])
    source = Source(b"", "application/json")
    for pieces in cuts:
        source.pieces = pieces
        stream = RowStream(request(), source, None, fields)
        if read is rows_of:
            assert await stream.to_list() == NASTY
            continue
        got = (await stream.to_arrow()).to_pylist()
        for cells, expected in zip(got, NASTY, strict=True):
            assert all(same(cells[key], expected[key]) for key in expected)


@pytest.mark.parametrize("read", [rows_of, table_of])
@pytest.mark.parametrize(
    "broken",
    [
        b'{"id":1,"note":"x\ny"}',
        b'{"id":1\n"note":"x"}',
        b'{"id":1,"note":\n"x"}',
        b'{"id":1,"in":[{"a":1}\n{"b":2}]}\n{"id":2},{"id":3}',
        b'{"id":2},{"id":3}',
        b'{"id":2} {"id":3}',
    ],
)
async def test_a_line_is_a_row_by_itself(read, broken):
    """
    Two halves of a row may be two rows, or one, when they are joined with a comma.
    """
    for raw in (broken, b"\n".join([*BEFORE, broken, *AFTER])):
        with pytest.raises(HealthyRosterError):
            await read(raw, "application/x-ndjson")


@pytest.mark.parametrize("depth", [200, 500, 900, 1000, 1020])
async def test_rows_that_go_deep_are_written_or_refused(tmp_path, depth):
    """
    Never with an error of the interpreter, and never half of a file.
    """
    raw = array(row(note=b"[" * depth + b"]" * depth))
    stream = RowStream(request(), Source(raw, "application/json"), None)
    try:
        count = await stream.to_ndjson(tmp_path / "rows")
    except HealthyRosterError:
        assert depth > 500
        assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []
        return
    text = await asyncio.to_thread((tmp_path / "rows").read_bytes)

    assert count == len(text.splitlines()) == len(BEFORE) + len(AFTER) + 1
    assert b"[" * depth in text


def _whole(lines):
    """Return whether every line is a row: then nothing says that one is missing."""
    try:
        return all(
            isinstance(json.loads(line), dict) for line in lines.split(b"\n") if line
        )
    except ValueError:
        return False


async def test_a_file_of_lines_has_every_digit(tmp_path):
    """
    Rows as dicts have floats there: that is how orjson reads them.
    """
    numbers = [
        "123456789012345678901", "-18446744073709551617", "12345678901234567.89",
        "0.1", "0.30000000000000004", "1e300", "1",
    ]  # fmt: skip
    plain = ",".join(f'{{"n":{n},"t":"12345678901234567890"}}' for n in numbers[3:])
    long = ",".join(f'{{"n":{number}}}' for number in numbers)
    fractions = [
        "123456789012345.1234567890",
        "0.1234567890123456789",
        "-7.12345678901234567e-5",
    ]
    alone = [f'[{{"n":{number},"t":"1.2.3.4.5.6.7.8.9.10"}}]' for number in fractions]
    for raw in (f"[{plain}]", f"[{long}]", *alone):
        stream = RowStream(request(), Source(raw.encode(), "application/json"), None)
        await stream.to_ndjson(tmp_path / "rows")
        lines = await asyncio.to_thread((tmp_path / "rows").read_text)
        exact = partial(json.loads, parse_float=Decimal, parse_int=Decimal)
        assert [exact(line) for line in lines.splitlines()] == exact(raw)
