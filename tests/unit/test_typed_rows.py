"""Rows as instances of a class: exact, or told why not, without a value of them."""

import datetime as dt
import enum
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import attrs
import orjson
import pytest
from fakes import request, response

from healthyroster_async import (
    BadRow,
    ConfigurationError,
    DecodingError,
    HealthyRosterError,
    UsageError,
)
from healthyroster_async._rows import typed
from healthyroster_async._rows.stream import RowStream

ID = "6f9619ff-8b86-d011-b42d-00c04fc964ff"


class Body:
    def __init__(self, raw):
        self.raw = raw

    async def read(self):
        piece, self.raw = self.raw[:50_000], self.raw[50_000:]
        return piece

    def close(self):
        pass


class Source:
    def __init__(self, raw):
        self.raw = raw

    def timed(self, request_):
        return request_

    async def open(self, request_):
        return response(stream=Body(self.raw))

    def ended(self, *_, **__):
        """Nobody wants to hear."""

    def repeat(self, request_, call):
        return call()


class Sport(enum.Enum):
    SOCCER = "soccer"


class Grade(enum.IntEnum):
    FIRST = 1


@attrs.frozen
class Patient:
    id: int
    date_of_birth: dt.date | None = None
    tags: list[str] = attrs.field(factory=list)


def stream(*rows):
    raw = rows[0] if isinstance(rows[0], bytes) else orjson.dumps(rows)
    return RowStream(request(), Source(raw), None)


async def read(model, *rows, **how):
    """Return the instances and the reasons of the rest."""
    async with stream(*rows) as opened:
        made = [one async for one in opened.as_(model, **how)]
    return made, [bad.reason for bad in opened.bad_rows]


async def test_rows_become_instances():
    """
    What a column is called by the API is no reason for attributes to be called so.
    """
    day = dt.date(2010, 5, 1)
    for names in (
        ("id", "date_of_birth"),
        ("ID", "dateOfBirth"),
        ("Id", "DateOfBirth"),
        ("Id", "Date Of Birth"),
    ):
        row = dict(zip(names, (7, "2010-05-01"), strict=True))
        assert await read(Patient, row | {"other": 1}) == ([Patient(7, day)], [])


async def test_the_exact_name_is_meant_where_there_are_two():
    """
    Two spellings of one name in one row are two columns.
    """
    for row in ({"ID": 1, "id": 2, "Id": 3}, {"id": 2, "ID": 1}):
        assert await read(Patient, row) == ([Patient(2)], [])
    assert await read(Patient, {"ID": 1, "Id": 3}) == ([Patient(1)], [])


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("Pain.Score", "pain_score"),
        ("Height (cm)", "height_cm"),
        ("Side/Limb", "side_limb"),
        ("Dose, \N{MICRO SIGN}g", "dose_\N{GREEK SMALL LETTER MU}g"),
        ("BSA [m\N{SUPERSCRIPT TWO}]", "bsa_m2"),
        ("\u0926\u093f\u0928 (1)", "\u0926\u093f\u0928_1"),
    ],
)
async def test_signs_in_the_name_of_a_column_are_no_part_of_an_attributes(column, name):
    """
    People write names of columns, with units and all, and no attribute has a bracket.
    """
    model = attrs.make_class("Model", {name: attrs.field(type=int)})

    assert await read(model, {column: 7}) == ([model(7)], [])


@pytest.mark.parametrize(
    ("row", "held"),
    [
        ({"Weight %": 1, "WEIGHT": 2}, 2),
        ({"Weight +": 1, "Weight %": 2}, None),
        ({"%": 1, "#": 2}, None),
        ({"\u0926\u0940": 1, "Weight %": 2}, 2),
    ],
)
async def test_a_sign_never_makes_one_column_another(row, held):
    """
    A share that is taken for the weight is worse than no weight.
    """
    vowel = "\u0926\u093e"
    fields = {name: attrs.field(default=None) for name in ("weight", vowel)}
    model = attrs.make_class("Model", fields)

    assert await read(model, row) == ([model(held, None)], [])


async def test_two_attributes_never_read_one_column():
    """
    What differs in an underscore only are two things of a patient all the same.
    """
    member = attrs.field(default=None)
    address = attrs.make_class("Address", {"address_1": member, "address1": member})

    for row in ({"Address1": 1, "Address_1": 2}, {"ADDRESS_1": 2, "address1": 1}):
        assert await read(address, row) == ([address(2, 1)], [])
    assert await read(address, {"Address1": 1}) == ([address(None, 1)], [])
    assert await read(address, {"Address (1)": 1}) == ([address(1, None)], [])


async def test_rows_may_differ_in_their_columns():
    """
    Some servers leave out what is null; a default is made anew for each row.
    """
    made, bad = await read(
        Patient,
        {"id": 1},
        {"id": 2, "dateOfBirth": None},
        {"dateOfBirth": "2010-05-01", "id": 3, "tags": ["a"]},
        {"id": 4},
    )

    assert [p.id for p in made] == [1, 2, 3, 4]
    assert made[2].tags == ["a"]
    assert made[0].tags == []
    assert made[0].tags is not made[3].tags
    assert bad == []


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        (str, "x", "x"),
        (str, 7, "7"),
        (str, 7.5, None),
        (str, None, None),
        (str | None, None, None),
        (int, 7, 7),
        (int, 7.0, 7),
        (int, "17", 17),
        (int, "-7", -7),
        (int, "7_0", None),
        (int, 7.5, None),
        (int, True, None),
        (float, 7, 7.0),
        (float, "7.5", 7.5),
        (float, "nan", None),
        (float, 2**53 + 1, None),
        (bool, "True", True),
        (bool, 0, False),
        (bool, 2, None),
        (bool, "yes", None),
        (dt.date, "2026-01-31", dt.date(2026, 1, 31)),
        (dt.date, "2026-01-31T00:00:00", dt.date(2026, 1, 31)),
        (dt.date, "2026-01-31T08:30:00", None),
        (dt.date, "2026-01-31T00:00:00Z", None),
        (dt.date, "soon", None),
        (dt.date, 7, None),
        (dt.datetime, "2026-01-31T08:30:00", dt.datetime(2026, 1, 31, 8, 30)),
        (
            dt.datetime,
            "2026-01-31T08:30:00Z",
            dt.datetime(2026, 1, 31, 8, 30, tzinfo=dt.UTC),
        ),
        (dt.datetime, "2026-01-31", None),
        (dt.date | dt.datetime, "2026-01-31", dt.date(2026, 1, 31)),
        (dt.date | dt.datetime, "2026-01-31T00:00:00", dt.datetime(2026, 1, 31)),
        (dt.date | None | dt.datetime, "2026-01-31T00:00", dt.datetime(2026, 1, 31)),
        (dt.time, "08:30", dt.time(8, 30)),
        (UUID, ID, UUID(ID)),
        (UUID, "x", None),
        (Decimal, "0.10", Decimal("0.10")),
        (Decimal, 3, Decimal(3)),
        (Decimal, "NaN", None),
        (Decimal, "x", None),
        (Sport, "soccer", Sport.SOCCER),
        (Sport, "chess", None),
        (Grade, 1, Grade.FIRST),
        (Grade, 2, None),
        (Literal["a", "b"], "a", "a"),
        (Literal["a", "b"], "c", None),
        (int | str, "7", "7"),
        (int | str, 7.5, None),
        (dt.date | str, "soon", "soon"),
        (int | dt.date | str, "7", "7"),
        (int | None, "x", None),
        (float | None, 7, 7.0),
        (Decimal | None, 7, Decimal(7)),
        (dt.date | str, "2026-01-31", dt.date(2026, 1, 31)),
        (list[int], [1, "2"], [1, 2]),
        (list[str], "abc", None),
        (tuple[int, ...], [1], (1,)),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (Patient, {"ID": 1}, Patient(1)),
        (Patient, [1], None),
        (list[Patient], [{"Id": 1}], [Patient(1)]),
        (Any, {"a": 1}, {"a": 1}),
        (object, 7.5, 7.5),
        (int | None, 7.0, 7),
        (int | str, 7.0, 7),
        (int | float, 7.0, 7.0),
        (list[int], [7.0], [7]),
        (Grade, 1.0, Grade.FIRST),
        (bool, 1.0, None),
        (Any, [0.1, {"a": 0.1}], [0.1, {"a": 0.1}]),
        (Any | None, 0.1, 0.1),
        (dict, {"a": 0.1}, {"a": 0.1}),
        (dict[str, Any], {"a": [0.1]}, {"a": [0.1]}),
        (list, [0.1], [0.1]),
    ],
)
@pytest.mark.parametrize("beside", [int, Decimal])
async def test_a_value_is_read_as_its_type_or_not_at_all(beside, kind, value, held):
    """
    Nothing is lost on the way, and nothing is made up; nor does one attribute that has
    every digit change what the others are.
    """
    other = attrs.field(type=beside, default=beside(0))
    model = attrs.make_class("Model", {"it": attrs.field(type=kind), "other": other})
    made, bad = await read(model, json.dumps([{"it": value}]).encode())

    if held is None and kind != str | None:
        assert made == []
        assert bad[0].startswith("it: ")
        assert " was expected, and " in bad[0]
    else:
        assert [(type(m.it), m.it) for m in made] == [(type(held), held)]


async def test_money_is_read_with_every_digit():
    """
    A float of it is another amount.
    """

    @attrs.frozen
    class Invoice:
        total: Decimal
        rate: float = 0.5
        more: Any = None

    raw = b'[{"total":12345678901234567.89,"rate":0.25,"more":[0.1]},{"total":0.10}]'
    made, bad = await read(Invoice, raw)

    assert [str(m.total) for m in made] == ["12345678901234567.89", "0.10"]
    assert made[0].rate == 0.25
    assert bad == []
    async with stream(raw) as rows:
        await anext(rows)
        with pytest.raises(UsageError, match="before the first row"):
            rows.as_(Invoice)
    for junk in (b'[{"total":NaN}]', b'[{"total":1,"more":%s' % (b"[" * 5000)):
        with pytest.raises(HealthyRosterError):
            await read(Invoice, junk)


@pytest.mark.parametrize(("beside", "held"), [(int, []), (Decimal, [2**70])])
async def test_an_integer_beyond_64_bits_is_one_where_rows_have_all_digits(
    beside, held
):
    """
    Elsewhere it is a float by then, which has lost some.
    """
    other = attrs.field(type=beside, default=beside(0))
    model = attrs.make_class("Model", {"it": attrs.field(type=int), "other": other})
    made, _ = await read(model, json.dumps([{"it": 2**70}]).encode())

    assert [one.it for one in made] == held


async def test_a_number_is_called_so_and_a_whole_one_is_an_integer():
    """
    The answer says 7.0 and knows no Decimal, and neither does who reads the reason.
    """

    @attrs.frozen
    class Invoice:
        number: int
        total: Decimal

    numbers = ("1e3", "7.5", "9007199254740992.0", f"0.{'9' * 40}", "7e300")
    rows = ", ".join(f'{{"number": {n}, "total": 0.10}}' for n in numbers)
    made, bad = await read(Invoice, f"[{rows}]".encode())

    assert [one.number for one in made] == [1000]
    assert bad == ["number: int was expected, and number came"] * 4


async def test_what_does_not_fit_is_told_and_the_rest_is_read():
    """
    One clerk's typing error is no reason to have no report; nor to have it unseen.
    """
    rows = [{"id": n} for n in range(3000)]
    rows[2000] = {"id": "Quill", "dateOfBirth": "2010-05-01"}
    rows[2999] = {"dateOfBirth": None}
    async with stream(*rows) as opened:
        made = [one async for one in opened.as_(Patient)]

    assert len(made) == 2998
    assert opened.bad_row_count == 2
    assert opened.bad_rows == [
        BadRow(2000, "id: int was expected, and str came", rows[2000]),
        BadRow(2999, "no column for id", rows[2999]),
    ]
    assert "Quill" not in repr(opened.bad_rows)
    assert opened.row_count == 3000


async def test_the_first_that_does_not_fit_is_an_error_if_asked_for():
    """
    Where a row too few is worse than none.
    """
    async with stream({"id": 1}, {"id": "Quill"}, {"id": 3}) as rows:
        typed_rows = rows.as_(Patient, strict=True)
        assert await anext(typed_rows) == Patient(1)
        with pytest.raises(DecodingError) as caught:
            await anext(typed_rows)

    assert "row 1 is no Patient: id: int was expected, and str came" in str(
        caught.value
    )
    frame = caught.tb
    shown = ""
    while frame is not None:
        if "healthyroster_async" in frame.tb_frame.f_code.co_filename:
            shown += repr(frame.tb_frame.f_locals)
        frame = frame.tb_next
    assert "Quill" not in shown
    assert caught.value.__context__ is None


@pytest.mark.parametrize("error", [ValueError, RuntimeError])
async def test_what_a_class_refuses_does_not_fit(error):
    """
    Validators are there to refuse; what they say may be the value.
    """

    def check(instance, attribute, value):
        if value == 2:
            raise error("Quill")

    model = attrs.make_class("Model", {"it": attrs.field(type=int, validator=check)})

    made, bad = await read(model, {"it": 1}, {"it": 2}, {"it": 3})
    assert [m.it for m in made] == [1, 3]
    assert bad == ["Model did not take the values"]


async def test_what_is_kept_of_bad_rows_is_bounded(monkeypatch):
    """
    A class that fits no row must not cost the memory that streaming saves.
    """
    monkeypatch.setattr(typed, "_BYTES_KEPT", 5000)
    rows = [{"id": "x", "note": "y" * 100} for _ in range(3000)]
    async with stream(*rows) as opened:
        assert [one async for one in opened.as_(Patient)] == []

    assert opened.bad_row_count == 3000
    assert len(opened.bad_rows) == 1000
    assert 20 < sum(bad.row is not None for bad in opened.bad_rows) < 50


async def test_it_reads_on_where_the_stream_stands():
    """
    A look at the first row costs no row; and outside the block nothing is read.
    """
    async with stream(*({"id": n} for n in range(500))) as rows:
        assert await anext(rows) == {"id": 0}
        patients = rows.as_(Patient)
        assert isinstance(patients, AsyncIterator)
        assert await anext(patients) == Patient(1)
        assert await anext(rows) == {"id": 2}
        async for patient in patients:
            if patient.id == 400:
                break
        assert (await anext(rows.as_(Patient))).id == 401

    with pytest.raises(UsageError, match="inside its block"):
        await anext(patients)


async def test_a_class_may_hold_itself_and_be_called_anything():
    """
    Keyword-only, private and derived attributes are what attrs makes of them.
    """

    @attrs.define(kw_only=True)
    class Node:
        _secret_id: int
        from_: str = "x"
        doubled: int = attrs.field(init=False, default=0)
        made: int = attrs.Factory(lambda self: self._secret_id * 2, takes_self=True)

    made, _ = await read(Node, {"SecretId": 4, "From": "y"}, {"secret_id": 5})
    assert [(m._secret_id, m.from_, m.made) for m in made] == [
        (4, "y", 8),
        (5, "x", 10),
    ]

    made, bad = await read(Recursive, {"Below": [{"below": []}, {}]}, {"below": [1]})
    assert made == [Recursive([Recursive(), Recursive()])]
    assert bad == ["below: list[Recursive] was expected, and list came"]


@attrs.define
class Recursive:
    below: "list[Recursive]" = attrs.field(factory=list)


class Plain:
    id: int


@attrs.define
class Unknown:
    it: Plain


@attrs.define
class Nowhere:
    it: "Missing"  # noqa: F821 - that is the point


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Plain, "takes an attrs class.*Plain is none"),
        (dict, "dict is none"),
        ("Patient", "str is none"),
        (Patient(1), "Patient is none"),
        (Unknown, r"Unknown\.it: there is no way to make Plain"),
        (Nowhere, "the type 'Missing' is not known"),
    ],
)
async def test_a_class_that_cannot_be_made_is_told_before_anything_is_read(model, said):
    """
    Not in 100,000 rows that do not fit.
    """
    async with stream({"id": 1}) as rows:
        with pytest.raises(ConfigurationError, match=said):
            rows.as_(model)
        assert rows.row_count == 0
