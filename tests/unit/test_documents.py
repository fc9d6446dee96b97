"""Documents as the world makes them: what is odd is read, what is wrong is refused."""

import codecs
import datetime as dt
import itertools
import json
import sys
import time
from urllib.parse import unquote

import pytest
import specimens
from fakes import response

from healthyroster_async import (
    ConfigurationError,
    Contract,
    DecodingError,
    Endpoint,
    Environment,
    File,
    MissingExtraError,
)
from healthyroster_async._codegen.package import package
from healthyroster_async._core.contract_check import check
from healthyroster_async._resources.operations import registry_of

SANDBOX = {Environment.SANDBOX: "https://sandbox.clinic.test"}
JSON = {"content-type": "application/json"}


def read(source, **changes):
    given = {
        "base_urls": SANDBOX,
        "application_id_header": "X-App-Id",
        "application_secret_header": "X-App-Secret",
    }
    return Contract.from_swagger(source, **(given | changes))


def prepared(source, name=None):
    operations = read(source).operations
    return registry_of(operations).get(name or next(iter(operations)))


def swagger_2(get=None, path="/Teams", **more):
    get = {"responses": {}} if get is None else get
    return {"swagger": "2.0", "paths": {path: {"get": get}}} | more


def openapi_3(schemas, answer):
    content = {"application/json": {"schema": answer}}
    get = {"responses": {"200": {"content": content}}}
    return {
        "openapi": "3.0.1",
        "paths": {"/Teams": {"get": get}},
        "components": {"schemas": schemas},
    }


def query(operation):
    return {p.wire: p for p in operation.parameters if p.where == "query"}


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_any_byte_order_mark_is_understood(mark, encoding):
    """
    Windows tools write them; the text behind is read in the encoding it names.
    """
    source = swagger_2({"summary": "Größe", "responses": {}})
    for text in (json.dumps(source, ensure_ascii=False), "swagger: '2.0'\npaths: {}\n"):
        assert read(mark + text.encode(encoding))
    raw = mark + json.dumps(source, ensure_ascii=False).encode(encoding)
    assert prepared(raw).operation.summary == "Größe"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("=", "="),
        ("2020-02-30", "2020-02-30"),
        ("2020-02-28", "2020-02-28"),
        ("010", "010"),
        ("0o10", "0o10"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("'7'", "7"),
        ("7", 7),
        ("-7", -7),
        ("1.5e3", 1500.0),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("!!python/object/apply:os.getcwd []", []),
    ],
)
def test_yaml_says_what_json_would(written, meant):
    """
    YAML 1.1 makes false of no, eight of 010, and stumbles over = and impossible dates.
    """
    text = f"swagger: '2.0'\npaths: {{}}\nx-value: {written}\n"

    found = read(text.encode()).operations.document.raw["x-value"]
    assert found == meant
    assert type(found) is type(meant)


def test_yaml_keys_are_texts():
    """
    Statuses and the words of YAML 1.1 are keys as they stand.
    """
    text = (
        b"swagger: '2.0'\npaths:\n  /Teams:\n    get:\n      responses:\n"
        b"        200: {schema: {type: integer}}\n        on: {}\n"
    )

    assert prepared(text).operation.answer.kind == "integer"


def test_yaml_merge_keys_are_filled_in():
    """
    What stands in the mapping wins over what is merged, the first one over the others.
    """
    text = (
        b"swagger: '2.0'\npaths: {}\nx-a: &a {k: a, a: 1}\nx-b: &b {k: b, b: 2}\n"
        b"x-c: {<<: [*a, *b], c: 3}\nx-d: {<<: *a, k: d}\nx-e: {'<<': 1}\n"
    )

    raw = read(text).operations.document.raw
    assert raw["x-c"] == {"k": "a", "a": 1, "b": 2, "c": 3}
    assert raw["x-d"] == {"k": "d", "a": 1}
    assert raw["x-e"] == {"<<": 1}


def bomb(first, more):
    lines = ["swagger: '2.0'", f"x-0: &a0 {first}"]
    for n in range(1, 30):
        parts = ", ".join([f"*a{n - 1}"] * 9)
        lines.append(more.format(n=n, parts=parts))
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        bomb("[x]", "x-{n}: &a{n} [{parts}]") + "\npaths: {}",
        bomb("{allOf: [{}]}", "x-{n}: &a{n} {{allOf: [{parts}]}}")
        + "\npaths: {/x: {get: {responses: {200: {schema: *a29}}}}}",
        bomb("{items: {}}", "x-{n}: &a{n} {{items: {{anyOf: [{parts}]}}}}")
        + "\npaths: {/x: {get: {responses: {200: {schema: *a29}}}}}",
        bomb("{k: v}", "x-{n}: &a{n} {{<<: [{parts}], k{n}: v}}") + "\npaths: {}",
        bomb("[x]", "x-{n}: &a{n} [{parts}]") + "\nhost: *a29\npaths: {}",
        bomb("[x]", "x-{n}: &a{n} [{parts}]")
        + "\nservers: [{url: '{a}', variables: {a: {enum: [*a29], default: *a29}}}]"
        + "\npaths: {}",
        bomb("[x]", "x-{n}: &a{n} [{parts}]")
        + "\ninfo: {title: t, version: *a29}\npaths: {}",
    ],
)
def test_an_alias_bomb_goes_off_nowhere(text):
    """
    A kilobyte that would be 9 ** 29 values if aliases were copied, or printed.
    """
    started = time.monotonic()
    contract = read(text.encode())
    for name in contract.operations:
        assert registry_of(contract.operations).get(name).doc
    assert contract == read(text.encode())
    assert contract != read(text.encode() + b"\nx-more: 1")
    check(contract.operations.document)
    package(contract.operations)

    assert time.monotonic() - started < 2.0


def test_a_bomb_for_a_version_is_refused():
    """
    Also an error names what it found without printing it.
    """
    text = bomb("[x]", "x-{n}: &a{n} [{parts}]").replace("swagger: '2.0'", "paths: {}")

    with pytest.raises(ConfigurationError, match="has version 'list'"):
        read(f"{text}\nswagger: *a29".encode())


def test_merge_keys_that_blow_up_are_refused():
    """
    A mapping of a thousand keys, merged into ten thousand others, is ten million.
    """
    big = ", ".join(f"k{n}: v" for n in range(1000))
    lines = [f"x-big: &big {{{big}}}", "swagger: '2.0'", "paths: {}", "x-many:"]
    lines += ["- {<<: *big}"] * 10_000

    started = time.monotonic()
    with pytest.raises(ConfigurationError, match="too large once its merge keys"):
        read("\n".join(lines).encode())
    assert time.monotonic() - started < 5.0


def test_what_holds_itself_is_refused():
    """
    An alias can, and so can a dict.
    """
    loop = {"swagger": "2.0", "paths": {}}
    loop["x-self"] = loop
    for source in (b"swagger: '2.0'\npaths: &a {/x: *a}", loop):
        with pytest.raises(ConfigurationError, match="holds itself"):
            read(source)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "a: " + "[" * 100_000,
        "- " * 100_000,
        "a: " + "{a: " * 100_000,
    ],
)
def test_what_is_nested_too_deep_is_refused(text):
    """
    No parser overflows its stack.
    """
    with pytest.raises(ConfigurationError):
        read(text.encode())


def test_deep_schemas_are_read_as_far_as_anybody_nests():
    """
    What JSON allows may still be deeper than Python can follow.
    """
    schema = {"type": "integer"}
    for _ in range(95):
        schema = {"type": "array", "items": schema}
    document = openapi_3({}, schema)
    text = json.dumps(document)
    deeper = text.replace(
        '{"type": "integer"}', '{"items":' * 300 + "{}" + "}" * 300
    ).encode()

    answer = response(body=b"[[[7]]]", headers=JSON)
    for found in (prepared(document), prepared(deeper)):
        assert "Any" in str(found.signature)
        assert found.decoder.decode(answer) == [((7,),)]


def test_a_list_of_itself_has_a_type_that_ends():
    """
    Such schemas are how JSON itself is described.
    """
    tree = {"Tree": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}
    found = prepared(openapi_3(tree, {"$ref": "#/components/schemas/Tree"}))

    assert str(found.signature).count("tuple") < 20
    answer = response(body=b"[[], [[]]]", headers=JSON)
    assert found.decoder.decode(answer) == [(), ((),)]


def test_a_page_inside_a_page_is_not_followed_forever():
    """
    Where a page holds a page, the way to its token ends somewhere.
    """
    page = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {}},
            "page": {"$ref": "#/components/schemas/Page"},
        },
    }

    assert prepared(openapi_3({"Page": page}, page)).paging is None


def test_an_answer_nested_too_deep_is_told_so():
    """
    The one who answers chooses how deep; the caller gets an error of ours.
    """
    team = {
        "type": "object",
        "properties": {"Parent": {"$ref": "#/components/schemas/Team"}},
    }
    found = prepared(openapi_3({"Team": team}, {"$ref": "#/components/schemas/Team"}))
    body = b'{"Parent":' * 1000 + b"{}" + b"}" * 1000
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(500)  # as if the caller stood deep in code of their own
    try:
        with pytest.raises(DecodingError, match="nested too deep") as caught:
            found.decoder.decode(response(body=body, headers=JSON))
    finally:
        sys.setrecursionlimit(limit)
    assert caught.value.__context__ is None


def test_yaml_without_the_extra_says_what_to_install(monkeypatch):
    """
    JSON needs nothing.
    """
    monkeypatch.setitem(sys.modules, "yaml", None)

    assert read(b'{"swagger": "2.0", "paths": {}}')
    with pytest.raises(MissingExtraError, match=r"healthyroster-async\[yaml\]"):
        read(b"swagger: '2.0'")


def test_a_dict_that_a_yaml_parser_made_is_read():
    """
    It has keys that are numbers, dates, and words that YAML 1.1 takes for others.
    """
    schema = {"type": "integer", "default": dt.date(2026, 1, 31)}
    source = swagger_2({"responses": {200: {"schema": schema}, True: {}, None: {}}})

    assert prepared(source).operation.answer.kind == "integer"
    assert prepared(source).operation.answer.default == "2026-01-31"
    with pytest.raises(ConfigurationError, match="key of type tuple"):
        read(swagger_2({(1, 2): {}}))


def test_a_dict_is_copied():
    """
    What its owner does with it later changes no contract.
    """
    source = swagger_2()
    contract = read(source)
    source["paths"].clear()

    assert list(contract.operations) == ["get_teams"]


def test_a_placeholder_without_a_parameter_is_an_argument():
    """
    Documents forget them; the path cannot be filled without.
    """
    found = prepared(swagger_2(path="/Teams/{teamId}"))

    (parameter,) = found.operation.parameters
    assert (parameter.wire, parameter.where, parameter.required) == (
        "teamId", "path", True,
    )  # fmt: skip
    assert found.binding.bind(1, {"team_id": 7}).values == ("7",)


def test_a_path_parameter_without_a_placeholder_is_dropped():
    """
    There is no place it could go.
    """
    stray = {"name": "teamId", "in": "path", "required": True, "type": "string"}

    found = prepared(swagger_2({"parameters": [stray], "responses": {}}))
    assert found.operation.parameters == ()


def test_siblings_of_a_reference_do_no_harm():
    """
    Only that it may be null is taken from beside it.
    """
    team = {"type": "object", "properties": {"Name": {"type": "string"}}}
    beside = {
        "$ref": "#/components/schemas/Team",
        "description": "The captain's.",
        "type": "string",
        "nullable": True,
    }
    shape = prepared(openapi_3({"Team": team}, beside)).operation.answer

    assert (shape.kind, shape.name, shape.nullable) == ("object", "Team", True)


@pytest.mark.parametrize(
    "spelling",
    ["KeyValuePair[String,String]", "KeyValuePair%5BString%2CString%5D"],
)
def test_generic_types_have_names(spelling):
    """
    However the reference is escaped, it is the same class.
    """
    pair = {"type": "object", "properties": {"Key": {"type": "string"}}}
    schemas = {"KeyValuePair[String,String]": pair}
    found = prepared(openapi_3(schemas, {"$ref": f"#/components/schemas/{spelling}"}))

    assert found.operation.answer.name == "KeyValuePairStringString"
    assert list(found.models) == ["KeyValuePairStringString"]


def test_a_schema_may_have_any_name():
    """
    Percent signs, slashes and tildes are part of names too.
    """
    schemas = {name: {"type": "object", "properties": {"a": {}}} for name in
               ("100%25", "a/b", "a~b", "", "class", "Ä")}  # fmt: skip
    found = prepared(openapi_3(schemas, {"$ref": "#/components/schemas/a~1b"}))

    assert found.operation.answer.name == "AB"
    assert len(list(found.models)) == len(schemas)
    assert all(isinstance(getattr(found.models, n), type) for n in found.models)


@pytest.mark.parametrize(
    "kinds",
    list(
        itertools.permutations(
            ["text/json", "application/*+json", "application/json", "application/xml"]
        )
    )[::5],
)
def test_of_several_media_types_json_is_sent(kinds):
    """
    ASP.NET lists four, in any order.
    """
    content = {kind: {"schema": {"type": "object"}} for kind in kinds}
    post = {"requestBody": {"content": content}, "responses": {}}
    new = {"openapi": "3.0.1", "paths": {"/Teams": {"post": post}}}
    body = {"name": "team", "in": "body", "schema": {"type": "object"}}
    post = {"consumes": list(kinds), "parameters": [body], "responses": {}}
    old = {"swagger": "2.0", "paths": {"/Teams": {"post": post}}}

    for document in (new, old):
        bound = prepared(document).binding.bind(1, {"body": {"a": 1}})
        assert bound.headers["Content-Type"] == "application/json"
        assert bound.body == b'{"a":1}'


def test_a_success_without_a_schema_gives_what_comes():
    """
    Nothing is known of it, so nothing is made of it.
    """
    found = prepared(swagger_2({"responses": {"200": {"description": "OK"}}}))

    assert found.operation.answer is None
    answer = response(body=b'{"a": [1]}', headers=JSON)
    assert found.decoder.decode(answer) == {"a": [1]}


@pytest.mark.parametrize("success", ["200", "204", "2XX"])
def test_a_success_is_never_read_as_the_failure_that_is_the_default(success):
    """
    A call that was carried out would raise, and whoever repeats it does it twice.
    """
    failure = {"schema": {"type": "object", "properties": {"code": {}}}}
    responses = {success: {"description": "OK"}, "default": failure}
    found = prepared(swagger_2({"responses": responses}))

    assert found.operation.answer is None
    assert found.decoder.decode(response(body=b"[1]", headers=JSON)) == [1]
    alone = prepared(swagger_2({"responses": {"default": failure}}))
    assert alone.operation.answer.kind == "object"


def test_two_paths_that_differ_by_case_are_two_operations():
    """
    The vendor's own spelling is not always the same.
    """
    get = {"responses": {}}
    paths = {"/Teams": {"get": get}, "/teams": {"get": get}}
    operations = read({"swagger": "2.0", "paths": paths}).operations

    assert {name: o.template for name, o in operations.items()} == {
        "get_teams": "/Teams",
        "get_teams_2": "/teams",
    }


def test_a_dotted_parameter_is_sent_as_it_is_written():
    """
    ASP.NET binds members of an object so; Python cannot write the dot.
    """
    dotted = {"name": "filter.name", "in": "query", "type": "string"}
    found = prepared(swagger_2({"parameters": [dotted], "responses": {}}))

    for name in ("filter_name", "filter.name"):
        assert found.binding.bind(1, {name: "x"}).query == "?filter.name=x"


def test_parameters_whose_names_are_one_in_python_are_kept_apart():
    """
    Dots, dashes and underscores all become underscores.
    """
    wires = ["a.b", "a-b", "a_b", "a b"]
    given = [{"name": wire, "in": "query", "type": "string"} for wire in wires]
    given.append({"name": "a b", "in": "header", "type": "string"})
    given[-1]["name"] = "a.b"
    found = prepared(swagger_2({"parameters": given, "responses": {}}))

    names = [p.name for p in found.operation.parameters]
    assert len(set(names)) == len(given)
    assert names[2] == "a_b"  # an exact spelling is never another's name
    sent = found.binding.bind(1, dict.fromkeys(names, "x"))
    assert sent.query == "?a.b=x&a-b=x&a_b=x&a%20b=x"
    assert sent.headers == {"a.b": "x"}


@pytest.mark.unmeasured
def test_many_parameters_of_one_name_are_read_in_no_time():
    """
    Counting up from two for each of them would take minutes.
    """
    wires = ("".join(w) for w in itertools.product("._-", repeat=9))
    given = [
        {"name": f"a{w}b", "in": "query", "type": "string"}
        for w in itertools.islice(wires, 8000)
    ]
    started = time.monotonic()
    found = prepared(swagger_2({"parameters": given, "responses": {}}))

    assert len({p.name for p in found.operation.parameters}) == len(given)
    assert time.monotonic() - started < 5.0


def test_a_host_may_have_a_port():
    """
    A service on a port of its own is asked there.
    """
    source = swagger_2(host="sandbox.clinic.test:8443", basePath="/api")
    urls = read(source, base_urls=None).base_urls

    assert urls == {Environment.SANDBOX: "https://sandbox.clinic.test:8443/api"}


def test_server_variables_are_filled_in():
    """
    With what the document says they are by default, or can be.
    """
    source = specimens.openapi_3()
    url = Contract.from_swagger(source).base_urls[Environment.SANDBOX]
    assert url == "https://a.clinic.test/api"

    source["servers"] = [
        {
            "url": "https://{where}.clinic.test",
            "variables": {"where": {"enum": ["sandbox", "production"]}},
        }
    ]
    assert Contract.from_swagger(source).base_urls == {
        Environment.SANDBOX: "https://sandbox.clinic.test",
        Environment.PRODUCTION: "https://production.clinic.test",
    }


def test_a_server_variable_is_its_default_unless_the_environment_says_otherwise():
    """
    The secret goes to that host: the first of a list is not what the document means.
    """
    source = specimens.openapi_3()
    source["servers"] = [
        {
            "url": "https://{region}.{where}.clinic.test/{version}/",
            "variables": {
                "region": {"enum": ["eu", "us"], "default": "us"},
                "where": {"enum": ["production", "sandbox"], "default": "sandbox"},
                "version": {"enum": [1, 2], "default": 2},
            },
        }
    ]
    assert Contract.from_swagger(source).base_urls == {
        Environment.SANDBOX: "https://us.sandbox.clinic.test/2",
        Environment.PRODUCTION: "https://us.production.clinic.test/2",
    }

    source["servers"].append({"url": "https://api.clinic.test/production"})
    urls = Contract.from_swagger(source).base_urls
    assert urls[Environment.PRODUCTION] == "https://api.clinic.test/production"


@pytest.mark.parametrize("of_path", [False, True])
@pytest.mark.parametrize(
    ("own", "elsewhere"),
    [
        (["https://files.clinic.test/v2"], True),
        (["/files"], True),
        (["https://[x"], True),
        (["https://sandbox.clinic.test/v1"], False),
        (["https://files.clinic.test", "https://SANDBOX.clinic.test/v1/"], False),
        (["/v1"], False),
        (["https://api.clinic.test"], False),
        ([], False),
    ],
)
def test_an_operation_that_is_served_elsewhere_is_not_called(own, elsewhere, of_path):
    """
    Its path below the base URL would be another operation, or none.
    """
    servers = [{"url": url} for url in own]
    item = {"get": {"responses": {}} | ({} if of_path else {"servers": servers})}
    source = {
        "openapi": "3.0.1",
        "servers": [{"url": "https://api.clinic.test"}],
        "paths": {"/Files": item | ({"servers": servers} if of_path else {})},
    }
    here = {Environment.SANDBOX: "https://sandbox.clinic.test/v1/"}
    operations = read(source, base_urls=here).operations

    if not elsewhere:
        assert operations.find("get_files").template == "/Files"
        return
    with pytest.raises(ConfigurationError, match="cannot be called, because its serv"):
        operations.find("get_files")


@pytest.mark.parametrize(
    ("of_all", "own"),
    [([], "https://api.clinic.test/v1"), (["https://api.clinic.test/v1"], "/v1")],
)
def test_a_base_url_that_is_given_stands_for_the_servers_of_the_document(of_all, own):
    """
    Against an emulator all operations are called, wherever their servers are said.
    """
    source = {
        "openapi": "3.0.1",
        "servers": [{"url": url} for url in of_all],
        "paths": {"/Files": {"servers": [{"url": own}], "get": {"responses": {}}}},
    }
    here = {Environment.SANDBOX: "http://127.0.0.1:8080"}

    assert read(source, base_urls=here).operations.find("get_files")


@pytest.mark.parametrize("last", [False, True])
def test_a_server_that_is_offered_twice_is_one(last):
    """
    With both schemes the secret goes the safe way; a slash at the end is no other one.
    """
    url = "sandbox.clinic.test/v1"
    servers = [{"url": f"http://{url}"}, {"url": f"https://{url}"}]
    source = specimens.openapi_3()
    source["servers"] = [*(reversed(servers) if last else servers), servers[1]]
    source["servers"].append({"url": f"https://{url}/"})

    assert Contract.from_swagger(source).base_urls == {
        Environment.SANDBOX: f"https://{url}"
    }


def test_an_operation_id_that_comes_twice_names_nobody():
    """
    Which of them was meant would depend on their order.
    """
    ids = {
        "/Teams": "Get", "/Patients": "Get", "/x": "2 fast!", "/y": "class",
        "/z": "___", "/u": 7, "/v": "models", "/w": "Ärzte suchen",
    }  # fmt: skip
    paths = {
        path: {"get": {"operationId": i, "responses": {}}} for path, i in ids.items()
    }
    operations = read({"swagger": "2.0", "paths": paths}).operations

    assert len(operations) == len(ids)
    assert {"get_teams", "get_patients"} < set(operations)
    assert all(name.isidentifier() for name in operations)
    with pytest.raises(ConfigurationError, match="has no operation 'Get'"):
        operations.find("Get")
    assert operations.find("2 fast!").template == "/x"


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/Ärzte/{id}", "/%C3%84rzte/7"),
        ("/a b/{id}", "/a%20b/7"),
        ("/100%/{id}", "/100%25/7"),
        ("/a%20b/{id}", "/a%20b/7"),
        ("/Teams({id})/x'y'", "/Teams(7)/x'y'"),
        ("/{id}/{}/x", "/7/%7B%7D/x"),
        ("/x?kind={id}&y=1", "/x?kind=7&y=1"),
    ],
)
def test_a_path_is_escaped_where_it_has_to_be(template, path):
    """
    Documents have paths that no request line can hold as they are.
    """
    endpoint = Endpoint(name="x", method="GET", template=template, safe=True)

    assert endpoint.path(7) == path


@pytest.mark.parametrize(
    "template",
    [
        *("/a\r\nX: y/{id}", "/a\x00", "/\ud800", "/a#b/{id}", "/\\a"),
        *("/a/../{id}", "/.", "/a/%2e%2E/{id}", "/a%2F..%2fb/{id}"),
    ],
)
def test_a_path_that_cannot_be_sent_is_refused(template):
    """
    It would leave the base URL, be cut off, or write lines of its own into a log.
    """
    with pytest.raises(ConfigurationError, match="the path") as caught:
        prepared(swagger_2(path=template))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["X Trace", "X-Trace\r\nHost", "", "Ä", ":path"])
def test_a_header_field_that_cannot_be_sent_is_refused(name):
    """
    A document must not write header fields of its own.
    """
    given = {"name": name, "in": "header", "type": "string"}

    with pytest.raises(ConfigurationError, match="name"):
        prepared(swagger_2({"parameters": [given], "responses": {}}))


def test_header_fields_of_the_transport_are_no_arguments():
    """
    Where a request ends and where it goes is not the caller's to say.
    """
    names = ["Host", "Content-Length", "transfer-encoding", "Accept", "X-Trace"]
    given = [{"name": n, "in": "header", "type": "string"} for n in names]
    found = prepared(swagger_2({"parameters": given, "responses": {}}))

    assert [p.wire for p in found.operation.parameters] == ["X-Trace"]


def scheme(name):
    return {"type": "apiKey", "in": "header", "name": name}


def header(name):
    return {"name": name, "in": "header", "required": True, "type": "string"}


def two(first, second, **more):
    return swagger_2(
        securityDefinitions={"a": scheme(first), "b": scheme(second)}, **more
    )


@pytest.mark.parametrize(
    "source",
    [
        two("X-App-Id", "X-App-Secret", security=[{"a": [], "b": []}]),
        two("X-App-Id", "X-App-Secret", security=[{"a": []}, {"b": []}]),
        two("X-App-Id", "X-App-Secret"),
        swagger_2({"parameters": [header("X-App-Id"), header("X-App-Secret")]}),
        swagger_2(
            {"parameters": [header("X-App-Id")]},
            securityDefinitions={"b": scheme("X-App-Secret")},
        ),
    ],
    ids=["required", "either", "never required", "parameters", "one of each"],
)
def test_the_two_credential_headers_are_found_in_every_shape(source):
    """
    Few documents declare them as the specification means it.
    """
    contract = Contract.from_swagger(source, base_urls=SANDBOX)

    assert contract.application_id_header == "X-App-Id"
    assert contract.application_secret_header == "X-App-Secret"
    assert contract.operations["get_teams"].parameters == ()


@pytest.mark.parametrize(
    ("source", "candidates"),
    [
        (two("X-Key", "X-Token"), "X-Key, X-Token"),
        (two("X-One-Secret", "X-Other-Secret"), "X-One-Secret, X-Other-Secret"),
        (swagger_2({"parameters": [header("X-Key"), header("X-Token")]}),
         "X-Key, X-Token"),
        (swagger_2(securityDefinitions={"a": scheme("X-Key")}), "X-Key"),
        (swagger_2(), "none"),
    ],
)  # fmt: skip
def test_headers_that_could_be_either_are_never_guessed(source, candidates):
    """
    A secret in the wrong field is a secret in somebody's log.
    """
    with pytest.raises(ConfigurationError, match=r"names: .*\)$") as caught:
        Contract.from_swagger(source, base_urls=SANDBOX)

    assert f"(header fields it names: {candidates})" in str(caught.value)
    assert "give application_id_header= and application_secret_header=" in str(
        caught.value
    )


@pytest.mark.parametrize(
    "reference",
    ["#/definitions/No", "other.json#/a", "https://x.test/a.json", "#/paths/0", 7, ""],
)
def test_a_reference_that_leads_nowhere_costs_only_itself(reference):
    """
    The rest of the document is still of use, and what was wrong is kept.
    """
    answer = {"200": {"schema": {"$ref": reference}}}
    contract = read(swagger_2({"responses": answer}))

    assert contract.operations["get_teams"].answer.kind == "any"
    assert "$ref" in contract.operations.schemas.problems[0]


def test_three_megabytes_are_loaded_quickly():
    """
    Nothing is read before it is asked for; the bound is far above what it takes.
    """
    text = "x" * 200
    member = {"type": "string", "description": text}
    schema = {"type": "object", "properties": {f"p{n}": member for n in range(12)}}
    document = openapi_3({f"M{n}": schema for n in range(1100)}, {})
    raw = json.dumps(document).encode()
    started = time.monotonic()
    read(raw)

    assert len(raw) > 3_000_000
    assert time.monotonic() - started < 5.0


@pytest.mark.parametrize(
    ("kinds", "asked"),
    [
        (["text/plain", "application/json", "text/json"], None),
        (["application/json; odata=verbose"], None),
        (["*/*"], "application/json, */*;q=0.1"),
        ([], None),
        (["text/csv"], "text/csv, application/json;q=0.1"),
        (
            ["application/pdf", "image/png"],
            "application/pdf, image/png, application/json;q=0.1",
        ),
        (["application/hal+json"], "application/hal+json, application/json;q=0.1"),
        (["bad\r\nX: y", "no slash"], None),
    ],
)
def test_the_answer_is_asked_for_as_the_document_has_it(kinds, asked):
    """
    A strict server answers 406 to whoever asks for JSON where it has a file.
    """
    answer = {"200": {"schema": {"type": "file"}}}
    old = swagger_2({"produces": kinds, "responses": answer})
    content = {kind: {"schema": {"type": "string"}} for kind in kinds}
    new = {
        "openapi": "3.0.1",
        "paths": {"/Teams": {"get": {"responses": {"200": {"content": content}}}}},
    }

    for document in (old, new):
        headers = prepared(document).binding.bind(1, {}).headers
        assert headers.get("Accept") == asked


def test_a_form_is_written_as_its_encoding_says():
    """
    Lists are repeated unless the document wants them in one; spaces survive any server.
    """
    texts = {"type": "array", "items": {"type": "string"}}
    names = ("tags", "codes", "piped")
    form = {"type": "object", "properties": dict.fromkeys(names, texts)}
    encoding = {"codes": {"explode": False}, "piped": {"style": "pipeDelimited"}}
    content = {
        "application/x-www-form-urlencoded": {"schema": form, "encoding": encoding}
    }
    post = {"requestBody": {"content": content}, "responses": {}}
    found = prepared({"openapi": "3.0.1", "paths": {"/Teams": {"post": post}}})
    bound = found.binding.bind(1, {name: ["a b", "c"] for name in names})

    assert bound.body == b"tags=a%20b&tags=c&codes=a%20b%2Cc&piped=a%20b%7Cc"


def test_a_form_in_a_style_that_is_not_known_is_not_sent_in_another():
    """
    The server would find nothing where it looks.
    """
    media = "application/x-www-form-urlencoded"
    form = {"type": "object", "properties": {"tags": {"type": "array", "items": {}}}}
    encoding = {"tags": {"style": "tabs"}}
    content = {media: {"schema": form, "encoding": encoding}}
    post = {"requestBody": {"content": content}, "responses": {}}
    operations = read(
        {"openapi": "3.0.1", "paths": {"/Teams": {"post": post}}}
    ).operations

    with pytest.raises(ConfigurationError, match="encoding/tags: the style 'tabs'"):
        operations.find("post_teams")


def posted(media, schema):
    content = {media: {"schema": schema}}
    post = {"requestBody": {"content": content}, "responses": {}}
    return prepared({"openapi": "3.0.1", "paths": {"/Teams": {"post": post}}})


def test_a_body_that_is_no_json_is_given_as_it_is_sent():
    """
    Nobody wants JSON under the name of XML.
    """
    found = posted("application/xml", {"type": "object", "properties": {"a": {}}})

    for given in ("<a/>", b"<a/>"):
        bound = found.binding.bind(1, {"body": given})
        assert bound.body == b"<a/>"
        assert bound.headers["Content-Type"] == "application/xml"
    with pytest.raises(TypeError, match="sent as application/xml: give a text"):
        found.binding.bind(1, {"body": {"a": 1}})


@pytest.mark.parametrize(
    "media",
    ["merge-patch+json", "json-patch+json", "vnd.clinic.v2+json", "fhir+json", "json"],
)
def test_json_is_sent_under_the_name_that_the_document_has(media):
    """
    A server answers 415 to another one, or takes a part of a patient for the whole.
    """
    bound = posted(f"application/{media}", {"type": "object"}).binding.bind(
        1, {"body": {"a": 1}}
    )

    assert bound.headers["Content-Type"] == f"application/{media}"
    assert bound.body == b'{"a":1}'


def test_lines_of_json_are_a_text():
    """
    As a value of JSON they are one text in quotes, which nobody reads line by line.
    """
    found = posted("application/x-ndjson", {"type": "object"})
    bound = found.binding.bind(1, {"body": '{"a":1}\n{"a":2}\n'})

    assert bound.headers["Content-Type"] == "application/x-ndjson"
    assert bound.body == b'{"a":1}\n{"a":2}\n'


@pytest.mark.parametrize("media", ["image/*", "*/*"])
@pytest.mark.parametrize("schema", [{}, {"type": "string", "format": "binary"}])
def test_of_a_range_a_file_says_what_it_is(media, schema):
    """
    The document leaves that to the caller, who knows it.
    """
    found = posted(media, schema)
    bound = found.binding.bind(1, {"body": File(b"a", "x.png", "image/png")})

    assert bound.headers["Content-Type"] == "image/png"
    assert bound.body == b"a"


@pytest.mark.parametrize("media", ["*/*", "application/*", "application/*+json"])
def test_of_a_range_json_is_sent_as_json(media):
    """
    A range is no media type that a body can have.
    """
    bound = posted(media, {"type": "object"}).binding.bind(1, {"body": {"a": 1}})

    assert bound.headers["Content-Type"] == "application/json"
    assert bound.body == b'{"a":1}'


def test_a_form_without_members_takes_any():
    """
    Where the document does not say what stands in a form, the caller does.
    """
    plain = posted("application/x-www-form-urlencoded", {"type": "object"})
    files = posted("multipart/form-data", {"type": "object"})

    given = {"a": [1, "x y"], "b": None}
    assert plain.binding.bind(1, {"body": given}).body == b"a=1&a=x%20y"
    body = files.binding.bind(1, {"body": {"scan": b"\x00"}}).body
    assert b'name="scan"; filename="file"' in body


def test_what_only_answers_have_need_not_be_sent():
    """
    An id that the service gives is required, but of the service.
    """
    number = {"type": "integer"}
    patient = {
        "type": "object",
        "required": ["id", "name"],
        "properties": {"id": number | {"readOnly": True}, "name": {}},
    }

    for media in ("application/json", "application/x-www-form-urlencoded"):
        found = posted(media, patient)
        given = {"body": {"name": "x"}} if "json" in media else {"name": "x"}
        assert found.binding.bind(1, given).body
    with pytest.raises(TypeError, match="body lacks name"):
        posted("application/json", patient).binding.bind(1, {"body": {"id": 1}})


def test_a_token_is_an_argument_where_the_document_has_no_other_place():
    """
    OpenAPI 3 has schemes for it and ignores the parameter; Swagger 2.0 does not.
    """
    old = swagger_2({"parameters": [header("Authorization")], "responses": {}})
    given = {"name": "Authorization", "in": "header", "schema": {"type": "string"}}
    get = {"parameters": [given], "responses": {}}
    new = {"openapi": "3.0.1", "paths": {"/Teams": {"get": get}}}

    sent = prepared(old).binding.bind(1, {"authorization": "Bearer x"})
    assert sent.headers == {"Authorization": "Bearer x"}
    assert prepared(new).operation.parameters == ()


@pytest.mark.parametrize("place", ["query", "header", "path"])
def test_objects_in_a_list_are_written_as_json(place):
    """
    No style says how; what Python prints is read by nobody.
    """
    objects = {"type": "array", "items": {"type": "object"}}
    given = {"name": "x", "in": place, "required": True, "schema": objects}
    get = {"parameters": [given], "responses": {}}
    path = "/Teams/{x}" if place == "path" else "/Teams"
    found = prepared({"openapi": "3.0.1", "paths": {path: {"get": get}}})
    bound = found.binding.bind(1, {"x": [{"a": True}]})

    said = f"{bound.values} {bound.query} {bound.headers.get('x', '')}"
    assert '{"a":true}' in unquote(said)


def test_an_error_names_some_of_many():
    """
    A document with ten thousand servers makes no error of a megabyte.
    """
    servers = [{"url": f"https://host{n}.test"} for n in range(10_000)]
    source = {"openapi": "3.0.1", "paths": {}, "servers": servers}
    with pytest.raises(ConfigurationError, match=r"host0.*host11\.test, \.\.\.") as one:
        Contract.from_swagger(source)
    schemes = {str(n): scheme(f"X-{n}") for n in range(10_000)}
    with pytest.raises(ConfigurationError, match=r"X-11, \.\.\.\)") as other:
        Contract.from_swagger(swagger_2(securityDefinitions=schemes), base_urls=SANDBOX)

    assert max(len(str(one.value)), len(str(other.value))) < 1000


@pytest.mark.parametrize("odd", [True, 7, "text", {"a": 1}, [7, None]])
def test_what_is_no_list_of_texts_says_nothing(odd):
    """
    Tags and media types are hints; without them there are defaults.
    """
    body = {"name": "team", "in": "body", "schema": {"type": "object"}}
    source = swagger_2(
        {"tags": odd, "consumes": odd, "produces": odd, "parameters": [body]},
        consumes=odd,
    )
    found = prepared(source)

    assert found.operation.tags == ()
    assert found.operation.body_type == "application/json"
    assert found.operation.accept is None
