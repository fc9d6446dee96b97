"""Arguments are checked before anything is sent, and written as the document says."""

import datetime as dt
import enum
import inspect
import uuid
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from documents import document, operation, query

from healthyroster_async import (
    ConfigurationError,
    Contract,
    File,
    ProviderSession,
)
from healthyroster_async._core.arguments import Binding
from healthyroster_async._core.contract_check import Given, check
from healthyroster_async._core.document import Document
from healthyroster_async._core.settings import OF_SESSIONS
from healthyroster_async._schema_models import Models

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
NAMES = {"type": "array", "items": TEXT}
SPORT = {"$ref": "#/components/schemas/Sport"}


def binding(*parameters, name="GetPatients", **more) -> Binding:
    made = Contract.from_swagger(document(**{name: operation(*parameters, **more)}))
    return Binding(made.operations.find(name))


def asked(*parameters, **arguments) -> str:
    """Return the query of a call with these arguments."""
    return binding(*parameters).bind(7, arguments).query


def sent(schema, value, **media) -> bytes:
    """Return the JSON body of a call."""
    content = {"application/json": {"schema": schema}} | media
    made = binding(
        name="CreatePatient", requestBody={"required": True, "content": content}
    )
    return made.bind(7, {"body": value}).body


class Sport(enum.Enum):
    JUDO = "Judo"


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        (TEXT, "a b&c", "?x=a%20b%26c"),
        (TEXT, uuid.UUID(int=1), "?x=00000000-0000-0000-0000-000000000001"),
        (TEXT, dt.date(2026, 1, 31), "?x=2026-01-31"),
        (WHOLE, 7, "?x=7"),
        ({"type": "number"}, Decimal("1E+2"), "?x=100"),
        ({"type": "number"}, 0.5, "?x=0.5"),
        ({"type": "boolean"}, True, "?x=true"),
        ({"type": "string", "format": "date"}, "2026-01-31", "?x=2026-01-31"),
        (
            {"type": "string", "format": "date-time"},
            dt.datetime(2026, 1, 31, 8, tzinfo=dt.UTC),
            "?x=2026-01-31T08%3A00%3A00%2B00%3A00",
        ),
        (SPORT, "Judo", "?x=Judo"),
        (SPORT, Sport.JUDO, "?x=Judo"),
        (TEXT, None, ""),
        (NAMES, [], ""),
    ],
)
def test_a_value_stands_in_the_query_as_its_type_says(schema, value, text):
    """
    ISO 8601, lower-case booleans, plain decimals: what ASP.NET reads.
    """
    assert asked(query("x", schema), x=value) == text


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({}, "?x=a&x=b%2Cc"),
        ({"explode": True}, "?x=a&x=b%2Cc"),
        ({"explode": False}, "?x=a%2Cb%2Cc"),
        ({"style": "spaceDelimited", "explode": False}, "?x=a%20b%2Cc"),
        ({"style": "pipeDelimited", "explode": False}, "?x=a%7Cb%2Cc"),
        ({"style": "pipeDelimited", "explode": True}, "?x=a&x=b%2Cc"),
        ({"content": {"application/json": {"schema": NAMES}}}, "?x=%5B%22a%22%2C"),
    ],
)
def test_an_array_has_the_style_of_the_document(how, text):
    """
    OpenAPI 3: a form that is exploded is the default of a query.
    """
    parameter = query("x", NAMES, **how)
    if "content" in how:
        del parameter["schema"]

    assert asked(parameter, x=["a", "b,c"]).startswith(text)


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (None, "?x=a%2Cb"),
        ("csv", "?x=a%2Cb"),
        ("ssv", "?x=a%20b"),
        ("tsv", "?x=a%09b"),
        ("pipes", "?x=a%7Cb"),
        ("multi", "?x=a&x=b"),
    ],
)
def test_an_array_has_the_collection_format_of_swagger_2(style, text):
    """
    Swagger 2.0 has words of its own, and csv where it has none.
    """
    parameter = {"name": "x", "in": "query", "type": "array", "items": TEXT}
    if style:
        parameter["collectionFormat"] = style
    old = {
        "swagger": "2.0",
        "host": "sandbox.example.test",
        "securityDefinitions": document()["components"]["securitySchemes"],
        "paths": {"/x": {"get": {"operationId": "GetX", "parameters": [parameter]}}},
    }
    made = Binding(Contract.from_swagger(old).operations["get_x"])

    assert made.bind(7, {"x": ["a", "b"]}).query == text


def test_an_object_is_spread_over_the_query():
    """
    An exploded form names the members, a deep object names itself too.
    """
    schema = {"type": "object", "properties": {"from": TEXT, "to": TEXT}}
    deep = query("x", schema, style="deepObject")
    value = {"from": "a", "to": "b"}

    assert asked(query("x", schema), x=value) == "?from=a&to=b"
    assert asked(deep, x=value) == "?x%5Bfrom%5D=a&x%5Bto%5D=b"


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("form", "?x=R%2C1%2CG%2C2"),
        ("spaceDelimited", "?x=R%201%20G%202"),
        ("pipeDelimited", "?x=R%7C1%7CG%7C2"),
    ],
)
def test_an_object_that_is_not_exploded_is_one_value_of_the_query(style, text):
    """
    Under the names of its members a server does not look for it.
    """
    parameter = query("x", {"type": "object"}, style=style, explode=False)

    assert asked(parameter, x={"R": 1, "G": 2}) == text
    assert asked(parameter, x={}) == ""


@pytest.mark.parametrize("collection", [{}, {"collectionFormat": "pipes"}])
def test_an_object_of_swagger_2_is_spread_over_the_query(collection):
    """
    It has no word for one, and servers that wrote such a document look for members.
    """
    parameter = {"name": "x", "in": "query", "type": "object"} | collection
    raw = {
        "swagger": "2.0",
        "host": "sandbox.example.test",
        "securityDefinitions": document()["components"]["securitySchemes"],
        "paths": {"/x": {"get": {"operationId": "GetX", "parameters": [parameter]}}},
    }
    made = Binding(Contract.from_swagger(raw).operations["get_x"])

    assert made.bind(7, {"x": {"R": 1, "G": 2}}).query == "?R=1&G=2"


@pytest.mark.parametrize(
    ("explode", "text"), [({}, "R,1,G,2"), ({"explode": True}, "R=1,G=2")]
)
def test_an_object_is_written_in_a_line_as_the_document_says(explode, text):
    """
    A path and a header field have one form for members, and one for all that is in it.
    """
    header, path = (
        {"name": name, "in": where, "required": True, "schema": {"type": "object"}}
        | explode
        for name, where in (("X-Color", "header"), ("color", "path"))
    )
    template = "/HealthcareProvider/{id}/GetPatients/{color}"
    bound = binding(header, path, **{"x-path": template}).bind(
        7, {"X-Color": {"R": 1, "G": 2}, "color": {"R": 1, "G": 2}}
    )

    assert bound.headers == {"X-Color": text}
    assert bound.values == (7, text)


@pytest.mark.parametrize(
    ("where", "how", "sentence"),
    [
        ("path", {"style": "matrix"}, "the style 'matrix' is none"),
        ("path", {"style": "label", "explode": True}, "the style 'label' is none"),
        ("query", {"style": "commaDelimited"}, "'commaDelimited' is none"),
        ("cookie", {}, "exploded cannot be sent in a cookie"),
    ],
)
def test_a_style_that_cannot_be_sent_costs_only_its_operation(where, how, sentence):
    """
    In another form the value is missing or another one, and nothing says so.
    """
    parameter = {"name": "x", "in": where, "required": True, "schema": NAMES} | how
    one = operation(parameter) | {"x-path": "/HealthcareProvider/{id}/GetNote/{x}"}
    raw = document(GetNote=one, GetPatients=operation())

    operations = Contract.from_swagger(raw).operations
    assert operations["get_patients"].parameters == ()
    with pytest.raises(ConfigurationError, match=sentence):
        operations.find("GetNote")
    assert any(sentence in p.text for p in check(Document.of(raw), Given()).problems)


def test_placeholders_headers_and_cookies_are_filled():
    """
    The provider id comes from the session, wherever the template has it.
    """
    path = "/HealthcareProvider/{id}/Teams/{teamId}/X"
    slot = {"name": "teamId", "in": "path", "required": True, "schema": TEXT}
    trace = {"name": "X-Trace", "in": "header", "schema": NAMES}
    cookies = [{"name": n, "in": "cookie", "schema": TEXT} for n in ("a", "b")]
    made = binding(slot, trace, *cookies, **{"x-path": path})
    bound = made.bind(7, {"teamId": "ö 1", "X_Trace": ["p", "q"], "a": "1", "b": "2"})

    assert bound.values == (7, "ö 1")
    assert bound.headers == {"X-Trace": "p,q", "Cookie": "a=1; b=2"}
    assert bound.body is None


@pytest.mark.parametrize("spelling", ["teamId", "team_id", "TeamId", "teamID"])
def test_an_argument_may_be_spelled_as_python_does(spelling):
    """
    The document's case is the vendor's, and nobody remembers it.
    """
    assert asked(query("teamId", WHOLE), **{spelling: 1}) == "?teamId=1"


def test_a_name_that_python_cannot_say_has_another():
    """
    A keyword, a dot, a dollar sign; the document's own spelling is taken too.
    """
    made = binding(
        query("from", TEXT), query("filter.name", TEXT), query("$top", WHOLE)
    )
    by_name = made.bind(7, {"from_": "a", "filter_name": "b", "top": 1}).query

    assert by_name == "?from=a&filter.name=b&$top=1"
    assert made.bind(7, {"from": "a", "filter.name": "b", "$top": 1}).query == by_name


def test_an_exact_spelling_means_nobody_else():
    """
    Wherever it stands in the document: a filter would be sent as another.
    """
    made = binding(query("filter.name", TEXT), query("filter_name", TEXT))

    for name in ("filter_name", "filter.name"):
        assert made.bind(7, {name: "x"}).query == f"?{name}=x"
    assert {p.name: p.wire for p in made.operation.parameters} == {
        "filter_name": "filter_name",
        "filter_name_query": "filter.name",
    }


def test_two_parameters_of_one_name_are_told_apart():
    """
    One stands in the path, the other in the query, and one is called as our own.
    """
    path = "/HealthcareProvider/{id}/X/{team}"
    slot = {"name": "team", "in": "path", "required": True, "schema": WHOLE}
    made = binding(slot, query("team", WHOLE), query("raw", WHOLE), **{"x-path": path})
    bound = made.bind(7, {"team": 1, "team_query": 2, "raw_query": 3})

    assert bound.values == (7, "1")
    assert bound.query == "?team=2&raw=3"


def test_every_option_of_a_session_is_known_as_one():
    """
    Who gives one to a call is told where it belongs.
    """
    options = inspect.signature(ProviderSession.with_options).parameters
    assert set(OF_SESSIONS.values()) == options.keys() - {"self"}


@pytest.mark.parametrize(
    ("arguments", "kind", "sentence"),
    [
        ({"teem": 1}, TypeError, r"no parameter 'teem'; did you mean team\?"),
        ({"zzz": 1}, TypeError, "no parameter 'zzz'; it takes size, team, sport"),
        ({"deadline": 3}, TypeError, r"session\.with_options\(deadline=\.\.\.\)"),
        ({"timeout": 3}, TypeError, r"session\.with_options\(deadline=\.\.\.\)"),
        ({}, TypeError, r"get_patients\(\) is missing size"),
        ({"size": None}, TypeError, "is missing size"),
        ({"size": "7"}, TypeError, "size is of type str; give an int"),
        ({"size": True}, TypeError, "size is of type bool; give an int"),
        ({"size": 1, "Size": 1}, TypeError, "got size twice"),
        ({"size": 1, "id": 8}, TypeError, "takes id from the session"),
        ({"size": 1, "sport": "Chess"}, ValueError, "is none of 'Rowing', 'Judo'"),
        ({"size": 1, "day": "soon"}, ValueError, "day is no date in ISO 8601"),
        ({"size": 1, "note": "\ud800"}, ValueError, "note holds half of a character"),
        ({"size": 1, "day": 5}, TypeError, "day is of type int; give a date or a text"),
        ({"size": 1, "team": "a"}, TypeError, "team is of type str; give a list"),
        ({"size": 1, "team": [1]}, TypeError, r"team\[0\] is of type int"),
        ({"size": 1, "rate": float("nan")}, ValueError, "rate is no finite number"),
        ({"size": 1, "flag": 1}, TypeError, "flag is of type int; give True or False"),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_sent(arguments, kind, sentence):
    """
    The text names the parameter and what to give, and never shows the value.
    """
    made = binding(
        query("size", WHOLE, required=True),
        query("team", NAMES),
        query("sport", SPORT),
        query("day", {"type": "string", "format": "date"}),
        query("rate", {"type": "number"}),
        query("flag", {"type": "boolean"}),
        query("note", TEXT),
    )

    with pytest.raises(kind, match=sentence) as caught:
        made.bind(7, arguments)
    assert "Chess" not in str(caught.value)
    assert "soon" not in str(caught.value)


@pytest.mark.parametrize("value", ["", " ", ".", "..", "a/b", "a\nb"])
def test_a_value_cannot_leave_its_place_in_the_path(value):
    """
    Servers resolve dots and slashes before they look at the path.
    """
    path = "/HealthcareProvider/{id}/X/{key}"
    slot = {"name": "key", "in": "path", "required": True, "schema": TEXT}

    with pytest.raises(ValueError, match="key "):
        binding(slot, **{"x-path": path}).bind(7, {"key": value})


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "ö"])
def test_a_value_cannot_leave_its_header_field(value):
    """
    A line end would begin a header field of the caller's choice.
    """
    trace = {"name": "X-Trace", "in": "header", "schema": TEXT}

    with pytest.raises(ValueError, match="X_Trace holds a character"):
        binding(trace).bind(7, {"X_Trace": value})


@pytest.mark.parametrize("where", ["query", "header", "cookie"])
@pytest.mark.parametrize(
    ("schema", "value", "what"),
    [
        ({"type": "array", "items": TEXT | {"nullable": True}}, ["a", None], "None"),
        ({"type": "array", "items": {}}, [None], "None"),
        ({}, ["a", None], "None"),
        ({"type": "string", "format": "binary"}, b"ab", "a file"),
        ({}, [b"ab"], "a file"),
    ],
)
def test_what_only_a_body_can_say_is_refused_elsewhere(where, schema, value, what):
    """
    What Python calls it would be searched for, or kept as the text of a value.
    """
    made = binding({"name": "x", "in": where, "schema": schema, "explode": False})

    with pytest.raises(TypeError, match=f"x is or holds {what}, which a {where} can"):
        made.bind(7, {"x": value})


@pytest.mark.parametrize(
    "media", ["application/x-www-form-urlencoded", "multipart/form-data"]
)
@pytest.mark.parametrize("more", ["a", File(b"a")])
def test_a_list_of_a_form_holds_no_null(media, more):
    """
    Neither kind of form has a word for it.
    """
    schema = {"type": "object", "properties": {"x": {"type": "array", "items": {}}}}
    body = {"content": {media: {"schema": schema}}}
    made = binding(name="CreateNote", requestBody=body)

    with pytest.raises(TypeError, match="x is or holds None, which a form cannot say"):
        made.bind(7, {"x": [more, None]})


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        (TEXT, "en; role=admin", "en%3B%20role=admin"),
        (TEXT, "en, role=admin", "en%2C%20role=admin"),
        (TEXT, 'a"\\\r\nX-Evil: 1', "a%22%5C%0D%0AX-Evil:%201"),
        (TEXT, "ö", "%C3%B6"),
        (TEXT, "dG9rZW4+/w==", "dG9rZW4+/w=="),
        (TEXT, "a%20b", "a%20b"),
        (NAMES, ["a;", "b"], "a%3B,b"),
        ({"type": "object"}, {"R": "1;"}, "R,1%3B"),
    ],
)
def test_a_value_cannot_leave_its_cookie(schema, value, text):
    """
    It could be the language that a user chose, and must not add a role.
    """
    cookie = {"name": "x", "in": "cookie", "schema": schema, "explode": False}

    assert binding(cookie).bind(7, {"x": value}).headers == {"Cookie": f"x={text}"}


@pytest.mark.parametrize("explode", [True, False])
def test_a_member_that_is_none_is_left_out(explode):
    """
    A filter of several members is often made with those that nobody set.
    """
    nullable = TEXT | {"nullable": True}
    schema = {"type": "object", "properties": {"R": nullable, "G": nullable}}
    made = binding({"name": "x", "in": "query", "schema": schema, "explode": explode})

    query = made.bind(7, {"x": {"R": "1", "G": None}}).query
    assert query == ("?R=1" if explode else "?x=R%2C1")


def test_a_list_that_no_cookie_can_say_is_left_out_or_refused():
    """
    Servers do not agree on two cookies of one name; most calls need none of them.
    """
    made = binding({"name": "x", "in": "cookie", "schema": NAMES})

    assert "Cookie" not in made.bind(7, {}).headers
    with pytest.raises(TypeError, match="x is a list or object that is exploded"):
        made.bind(7, {"x": ["a", "b"]})


def test_a_body_is_sent_under_the_keys_of_the_api():
    """
    It is given as a dict, in either spelling, or as a model.
    """
    contract = Contract.from_swagger(document(GetPatients=operation()))
    schema = {"$ref": "#/components/schemas/Patient"}
    model = Models(contract.operations.schemas).Patient
    day = dt.date(2001, 2, 3)
    patient = model(id=1, date_of_birth=day, weight_kg=2.5, extra={"note": "x"})
    expected = {"id": 1, "dateOfBirth": "2001-02-03", "weightKg": 2.5}

    assert orjson.loads(sent(schema, expected)) == expected
    snake = {"id": 1, "date_of_birth": day, "weight_kg": 2.5}
    assert orjson.loads(sent(schema, snake)) == expected
    assert orjson.loads(sent(schema, patient)) == expected | {"note": "x"}


ALIKE = {"type": "object", "properties": {"userId": TEXT, "user_id": TEXT}}


@pytest.mark.parametrize(
    "given",
    [
        {"user_id": "b", "userId": "a"},
        {"user_id": "b", "userId": "a", "user_id_2": "c"},
    ],
)
def test_members_that_are_spelled_alike_are_sent_as_they_are_spelled(given):
    """
    One would overwrite the other in the API.
    """
    assert orjson.loads(sent(ALIKE, given)) == given


def test_a_model_is_sent_under_the_keys_it_came_with():
    """
    An update of what was read must not move a value to another key, or lose it.
    """
    raw = document(GetPatients=operation(schema=ALIKE))
    answer = Contract.from_swagger(raw).operations["get_patients"].answer
    model = Models(Contract.from_swagger(raw).operations.schemas).model(answer)

    made = model(user_id="a", user_id_2="b")
    assert orjson.loads(sent(ALIKE, made)) == {"userId": "a", "user_id": "b"}
    one = {"type": "object", "properties": {"userId": TEXT}}
    made = model(user_id="a", extra={"user_id": "b"})
    assert orjson.loads(sent(one, made)) == {"userId": "a", "user_id": "b"}


def test_a_decimal_is_a_number_of_the_body_with_every_digit():
    """
    As a text the API would refuse it, as a float it would be another number.
    """
    schema = {"type": "object", "properties": {"a": {"type": "number"}}}

    value = {"a": Decimal("0.10000000000000000001")}
    assert sent(schema, value) == b'{"a":0.10000000000000000001}'


@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        ({}, TypeError, "body lacks id"),
        ([], TypeError, "body is of type list; give a dict or a model"),
        (None, TypeError, "body is None"),
        ({"id": 1, "sport": "Chess"}, ValueError, r"body\.sport is none of"),
        ({"id": 1, "team": {"x": 1}}, TypeError, r"body\.team has no member 'x'"),
        ({"id": 1, "firstName": 5}, TypeError, r"body\.firstName is of type int"),
        ({"id": 1, "isActive": None}, TypeError, r"body\.isActive is None"),
        ({"id": 1, "scores": {"a": "b"}}, TypeError, r"body\.scores\.a is of type str"),
        ({"id": 1, "tags": ["a", 2]}, TypeError, r"body\.tags\[1\] is of type int"),
        ({1: 2}, TypeError, "body has a key of type int"),
    ],
)
def test_a_wrong_body_is_told_by_its_place(value, kind, sentence):
    """
    The API would answer 400, and its text may name people.
    """
    with pytest.raises(kind, match=sentence) as caught:
        sent({"$ref": "#/components/schemas/Patient"}, value)
    assert "Chess" not in str(caught.value)


def test_null_is_sent_where_it_may_stand():
    """
    It is how a value is taken away.
    """
    schema = {"$ref": "#/components/schemas/Patient"}

    assert sent(schema, {"id": 1, "firstName": None}) == b'{"id":1,"firstName":null}'


def test_a_form_is_encoded_as_its_media_type_says():
    """
    A file makes it a multipart form (RFC 7578).
    """
    schema = {
        "type": "object",
        "required": ["title"],
        "properties": {"title": TEXT, "file": {"type": "string", "format": "binary"}},
    }
    plain = binding(
        name="CreateNote",
        requestBody={
            "content": {"application/x-www-form-urlencoded": {"schema": schema}}
        },
    ).bind(7, {"title": "a b&c"})
    upload = binding(
        name="CreateNote",
        requestBody={"content": {"multipart/form-data": {"schema": schema}}},
    ).bind(7, {"title": "a", "file": File(b"\x00\r\n", 'q"\r\n.txt', "text/plain")})
    boundary = upload.headers["Content-Type"].partition("boundary=")[2].encode()

    assert plain.body == b"title=a%20b%26c"
    assert plain.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert upload.body == (
        b"--" + boundary + b'\r\nContent-Disposition: form-data; name="title"\r\n\r\na'
        b"\r\n--" + boundary + b'\r\nContent-Disposition: form-data; name="file"; '
        b'filename="q%22%0D%0A.txt"\r\nContent-Type: text/plain\r\n\r\n\x00\r\n'
        b"\r\n--" + boundary + b"--\r\n"
    )


@pytest.mark.parametrize(
    "kind",
    [
        "image/png\r\nX-Injected: 1",
        "image/png\n",
        "image/png\r\n\r\nbody",
        'text/plain; name="a\r\nb"',
        "text/plain; name=\N{LATIN SMALL LETTER E WITH ACUTE}",
        "image",
        "",
        "text/plain" + ";" * 5000 + "!",
        None,
    ],
)
def test_a_media_type_that_is_none_is_refused(kind):
    """
    Web apps pass on what a browser says, and a line end in it begins another field.
    """
    with pytest.raises(ValueError, match="give one such as image/png") as caught:
        File(b"abc", "x.png", kind)
    assert "Injected" not in str(caught.value)


@pytest.mark.parametrize(
    "kind",
    [
        "image/svg+xml",
        "text/csv;charset=utf-8",
        'text/plain; charset="utf-8"; name="a \\"b\\".txt" ; x=1',
        "text/plain;",
    ],
)
def test_a_media_type_may_have_parameters(kind):
    """
    Browsers and mail programs send them, with and without quotes.
    """
    assert File(b"abc", "x", kind).content_type == kind


def test_no_name_ends_the_line_that_it_stands_in():
    """
    It would begin another field of the form; some servers end lines at more than CRLF.
    """
    made = binding(
        name="CreateNote",
        requestBody={
            "content": {"multipart/form-data": {"schema": {"type": "object"}}}
        },
    )
    ends = '"\x00\r\n\x0b\x0c\x1c\x85\u2028\u2029'
    body = {f"a{ends}": "b", "c": File(b"d", f"e{ends}")}
    lines = made.bind(7, {"body": body}).body.decode().splitlines()
    escaped = "%22%00%0D%0A%0B%0C%1C%C2%85%E2%80%A8%E2%80%A9"

    assert [line for line in lines if line.startswith("Content-")] == [
        f'Content-Disposition: form-data; name="a{escaped}"',
        f'Content-Disposition: form-data; name="c"; filename="e{escaped}"',
        "Content-Type: application/octet-stream",
    ]
    assert len(lines) == 10
    with pytest.raises(ValueError, match="half of a character"):
        File(b"d", "Quill\ud800")
    with pytest.raises(ValueError, match="half of a character"):
        made.bind(7, {"body": {"Quill\ud800": "b", "c": File(b"d")}})


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            {"claims": [1, {"number": 2**64}]},
            r"body\.claims\[1\]\.number cannot .* 64-bit",
        ),
        (-(2**63) - 1, "body cannot be sent as JSON: .* 64-bit"),
        ({"a": 1, "scan": File(b"Quill")}, r"body\.scan cannot .* JSON: .*File"),
    ],
)
def test_what_json_cannot_say_is_refused_by_its_name(value, sentence):
    """
    A body has many members, and nobody finds the long one among them.
    """
    with pytest.raises(TypeError, match=sentence) as raised:
        sent({}, value)

    assert "Quill" not in str(raised.value)


def test_what_a_query_holds_as_json_is_refused_by_its_name_too():
    """
    Some documents have a filter that is JSON in a query.
    """
    content = {"application/json": {"schema": {"type": "object"}}}
    parameter = {"name": "filter", "in": "query", "content": content}
    with pytest.raises(TypeError, match=r"filter\.number cannot be sent as JSON"):
        asked(parameter, filter={"number": 2**64})


@pytest.mark.parametrize("value", [b"abc", bytearray(b"abc"), File(b"abc")])
def test_a_binary_body_is_sent_as_it_is(value):
    """
    Some uploads are no form.
    """
    made = binding(
        name="CreateNote", requestBody={"content": {"application/octet-stream": {}}}
    )
    bound = made.bind(7, {"body": value})

    assert bound.body == b"abc"
    assert bound.headers == {"Content-Type": "application/octet-stream"}
    with pytest.raises(TypeError, match="give bytes, a Path or a File"):
        made.bind(7, {"body": Path})


@pytest.mark.parametrize(
    "schema",
    [
        {"contentMediaType": "image/png", "contentEncoding": "base64"},
        {"contentMediaType": "application/json"},
        {"contentMediaType": "text/html"},
        {"contentMediaType": "application/soap+xml"},
    ],
)
def test_what_is_a_text_of_some_media_type_is_no_file(schema):
    """
    It stands in JSON as the text that it is, or that it is encoded as.
    """
    assert sent({"type": "string"} | schema, "YWJj") == b'"YWJj"'


def test_a_text_inside_json_may_have_any_media_type():
    """
    A token is one (application/jwt), and JSON has no place for a file.
    """
    token = {"type": "string", "contentMediaType": "application/jwt"}
    schema = {"type": "object", "properties": {"token": token}}

    assert sent(schema, {"token": "eyJ"}) == b'{"token":"eyJ"}'


def test_a_file_shows_nothing_of_itself():
    """
    Its content is health data, and its name may be.
    """
    file = File(b"Quillfeather", "Quillfeather.pdf")

    assert "Quill" not in repr(file)
