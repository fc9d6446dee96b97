"""Arrow types: the one that holds two, and a column of one as the other."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from healthyroster_async._core.extras import extra
from healthyroster_async._rows.splitter import BrokenRowsError

if TYPE_CHECKING:
    import pyarrow as pa

SCALE, PRECISION = 10, 38


def arrow() -> Any:
    """Return pyarrow.

    Raises:
        MissingExtraError: The extra ``frames`` is not installed.
    """
    for part in ("pyarrow.compute", "pyarrow.json", "pyarrow.parquet"):
        extra(part, "frames")
    return extra("pyarrow", "frames")


def as_json(value: Any) -> str:
    """Return a value as JSON, with every digit of its numbers.

    Raises:
        BrokenRowsError: It is nested too deep.
    """
    try:
        return _json(value)
    except RecursionError:
        pass
    raise BrokenRowsError("a row is nested too deep")


def _json(value: Any) -> str:
    if type(value) in {int, Decimal}:
        return str(value)
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # long integers, decimals, what is nested deep
        pass
    if isinstance(value, dict):
        members = [(_json(key), _json(item)) for key, item in value.items()]
        return "{" + ",".join(f"{key}:{item}" for key, item in members) + "}"
    return "[" + ",".join([_json(item) for item in value]) + "]"


def is_near(pa: Any, column: Any) -> bool:
    """Return whether times could be told in nanoseconds: from 1677 to 2262."""
    if not pa.types.is_timestamp(column.type) or column.type.unit == "ns":
        return True
    ends = pa.compute.min_max(column)
    try:
        for end in ends.values():
            end.cast(pa.timestamp("ns", column.type.tz))
    except pa.ArrowException:
        return False
    return True


def wider(pa: Any, held: Any, came: Any) -> Any:
    """Return the type that holds the values of two."""
    types = pa.types
    if types.is_timestamp(held) and types.is_timestamp(came) and held.tz == came.tz:
        return held if held.unit == "ns" else came
    if {held, came} == {pa.int64(), pa.float64()}:
        return pa.float64()
    return pa.string()


def recast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns of a schema that came to be after it.

    A value that the wider type holds no more is never made: the type is one of
    ``FrameBuilder``, which only widens.
    """
    module = arrow()
    columns = []
    for one in schema:
        at = table.schema.get_field_index(one.name)
        if at < 0:
            columns.append(module.nulls(table.num_rows, one.type))
            continue
        column = table.column(at)
        if column.type != one.type:
            column = _cast(module, column, one.type)
        columns.append(column)
    made: pa.Table = module.Table.from_arrays(columns, schema=schema)
    return made


def _cast(pa: Any, column: Any, to: Any) -> Any:
    """Return a column as another type; as text the way that JSON writes it."""
    types = pa.types
    if to == pa.string() and types.is_timestamp(column.type):
        texts = pa.compute.replace_substring(column.cast(pa.string()), " ", "T")
        for zeros, rest in ((r"\.0+(Z?)$", r"\1"), (r"(\.\d*[1-9])0+(Z?)$", r"\1\2")):
            texts = pa.compute.replace_substring_regex(texts, zeros, rest)
        return texts
    if to == pa.string() and types.is_decimal(column.type):
        return _shortest_decimals(pa, column)
    if to == pa.string() and types.is_floating(column.type):
        values = [_shortest(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(values, pa.string())])
    return column.cast(to)


def _shortest_decimals(pa: Any, column: Any) -> Any:
    """Return decimals as text; pyarrow would write 0E-10, and 12.5000000000."""
    compute, whole = pa.compute, pa.decimal128(PRECISION)
    units = [chunk.view(whole) for chunk in column.chunks]
    signed = pa.chunked_array(units, whole).cast(pa.string())
    digits = compute.ascii_ltrim(signed, "-")
    digits = compute.ascii_lpad(digits, SCALE + 1, "0")
    # The last is what stands between; an empty text would be a value that pyarrow
    # imports pandas for.
    texts = compute.binary_join_element_wise(
        compute.ascii_rtrim(signed, "0123456789"),
        compute.utf8_replace_slice(digits, 0, -SCALE, "."),
        compute.utf8_slice_codeunits(digits, 0, -SCALE),
    )
    return compute.ascii_rtrim(compute.ascii_rtrim(texts, "0"), ".")


def _shortest(value: float | None) -> str | None:
    """Return a number as text; whether it came as 1 or as 1.0 is not known here."""
    return None if value is None else as_json(value).removesuffix(".0")


def as_text(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which date-times and decimals are text, as CSV has them."""
    module = arrow()
    types = module.types

    def written(kind: Any) -> Any:
        as_text = types.is_timestamp(kind) or types.is_decimal(kind)
        return module.string() if as_text else kind

    made: pa.Schema = module.schema([(f.name, written(f.type)) for f in schema])
    return made
