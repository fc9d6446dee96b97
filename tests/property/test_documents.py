"""Laws of reading documents: whatever comes, it is read or it is refused."""

import contextlib
import copy
import time

import made_up
import orjson
import specimens
import yaml
from fakes import response
from hypothesis import example, given, settings
from hypothesis import strategies as st

from healthyroster_async import ConfigurationError, Contract, DecodingError, Environment
from healthyroster_async._resources.operations import registry_of

JSON = {"content-type": "application/json"}
NAMES = tuple(specimens.DOCUMENTS)
# Far more than any of these takes, far less than a hang.
BOUND_S = 10.0


def use(source):
    """Do all that can be done with a document without a socket."""
    contract = Contract.from_swagger(
        source,
        base_urls={Environment.SANDBOX: "https://sandbox.clinic.test"},
        application_id_header="X-App-Id",
        application_secret_header="X-App-Secret",
    )
    registry = registry_of(contract.operations)
    for name in contract.operations:
        try:
            prepared = registry.get(name)
        except ConfigurationError:
            continue
        assert prepared.signature
        assert prepared.doc
        assert prepared.paging is None or prepared.paging.kind
        for every in (False, True):
            try:
                given = made_up.arguments(prepared.operation, every=every)
                prepared.binding.bind(7, given)
            except (TypeError, ValueError):
                pass  # whoever calls is told so
        for value in (made_up.answer(prepared.operation.answer), [], {}, [{}], None, 1):
            try:
                body = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
                prepared.decoder.decode(response(body=body, headers=JSON))
            except (DecodingError, orjson.JSONEncodeError):
                pass
    assert repr(registry.models)
    for name in registry.models:
        assert isinstance(getattr(registry.models, name), type)


def read_or_refused(source):
    started = time.monotonic()
    with contextlib.suppress(ConfigurationError):
        use(source)
    assert time.monotonic() - started < BOUND_S


def nodes(document):
    """Return every holder in a document with each of its keys."""
    found, waiting, seen = [], [document], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            found.append((value, key))
            if isinstance(inner, dict | list):
                waiting.append(inner)
    return found


def deep(levels):
    made = {"type": "string"}
    for _ in range(levels):
        made = {"type": "array", "items": made}
    return made


JUNK = (
    None, True, 0, -1, 1e308, 10**400, "", " ", "string", "object", "array", "file",
    "2.0", "3.0.9", "{a}{b}", "/{}/{{a}}/{a/b}", "/../{a}#b", "a" * 5000, "\x00",
    "\ud800", [], {}, [[]], [None], {"": None}, {"type": ["null", "object"]},
    {"properties": []}, {"$ref": 7}, {"$ref": ""}, {"$ref": "#"}, {"$ref": "#/"},
    {"$ref": "#/paths"},
    {"$ref": "#/nowhere"}, {"$ref": "#/paths/0/~1"}, {"$ref": "#/%zz"},
    {"$ref": "other.json#/a"}, {"$ref": "https://x.test/y.json"},
    {"$ref": "#/definitions/Team"}, {"$ref": "#/components/schemas/Team"},
    {"allOf": [{"$ref": "#/definitions/Team"}]}, {"allOf": [[]]}, {"items": [True]},
    {"oneOf": [{"$ref": "#/components/schemas/Team"}, {"type": "null"}]},
    {"enum": [[], {}, None, 1, "a"]}, {"const": {}}, {"type": "string", "enum": "text"},
    {"type": {"a": 1}}, {"required": True}, {"name": "x", "in": "query"},
    {"name": "a\nb", "in": "header"}, {"name": "body", "in": "body"},
    {"name": [], "in": {}}, {"get": None}, {"get": {"responses": []}},
    [{"type": "string"}] * 500, {str(n): {"type": "object"} for n in range(300)},
)  # fmt: skip
KEYS = (
    "", "x", "$ref", "type", "allOf", "items", "properties", "get", "parameters", "~1",
    "a/b", "\u0130", "class", "__init__", "extra", "models", "self", "2XX", "enum",
    "content", "application/json", "\ud800", 7, None, True, 1.5, (1, 2),
)  # fmt: skip
KINDS = ("delete", "junk", "deep", "copy", "swap", "rename", "wrap", "list")

mutations = st.tuples(
    st.sampled_from(KINDS),
    st.integers(0, 10**4),
    st.integers(0, 10**4),
)


def mutate(document, kind, first, second):
    """Change a document in one place."""
    places = nodes(document)
    holder, key = places[first % len(places)]
    other, its_key = places[second % len(places)]
    if kind == "delete":
        del holder[key]
    elif kind == "junk":
        holder[key] = copy.deepcopy(JUNK[second % len(JUNK)])
    elif kind == "deep":
        holder[key] = deep(second)
    elif kind == "copy":  # which may make it hold itself, as an alias of YAML does
        holder[key] = other[its_key]
    elif kind == "swap":
        holder[key], other[its_key] = other[its_key], holder[key]
    elif kind == "rename" and isinstance(holder, dict):
        holder[KEYS[second % len(KEYS)]] = holder.pop(key)
    elif kind == "wrap":
        holder[key] = {KEYS[second % len(KEYS)]: holder[key]}
    elif kind == "list":
        holder[key] = [holder[key]] * (second % 5)
    return document


@given(name=st.sampled_from(NAMES), changes=st.lists(mutations, max_size=6))
@example(name="clinic-3.0", changes=[("deep", 100, 9999)])
@settings(max_examples=50, deadline=None)
def test_a_changed_document_is_read_or_refused(name, changes):
    """
    A dict that came from anywhere: nothing but ConfigurationError escapes, in time.
    """
    document = copy.deepcopy(specimens.DOCUMENTS[name]())
    for change in changes:
        if nodes(document):
            mutate(document, *change)

    read_or_refused(document)


TEXTS = [
    text.encode()
    for name in NAMES
    for text in (
        orjson.dumps(specimens.DOCUMENTS[name]()).decode(),
        # A document that was made of shared parts has aliases.
        yaml.safe_dump(specimens.DOCUMENTS[name](), sort_keys=False),
    )
]
BITS = (
    b"", b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"\n", b"  ", b"\t", b"\x00",
    b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"null", b"~",
    b"1e999", b"-", b"- ", b"? ", b"!!python/name:os.system ", b"&id001 ", b"*id001",
    b"*id002", b"<<: ", b"<<: *id001\n", b"=", b"2020-02-30", b"010", b"yes", b"|",
    b">", b"%YAML 1.1\n---\n", b"---\n", b"...\n", b"#", b"[" * 2000, b"- " * 2000,
    b'{"a":' * 300,
)  # fmt: skip
edits = st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.sampled_from(BITS))


@given(text=st.sampled_from(TEXTS), changes=st.lists(edits, max_size=5))
@settings(max_examples=50, deadline=None)
def test_a_changed_text_is_read_or_refused(text, changes):
    """
    A file that was cut, glued or edited by hand, JSON or YAML.
    """
    for place, length, bit in changes:
        start = place % (len(text) + 1)
        text = text[:start] + bit + text[start + length :]

    read_or_refused(text)


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_bytes_are_read_or_refused(raw):
    """
    What is no document at all is named as such.
    """
    read_or_refused(raw)
    read_or_refused(b'{"swagger": "2.0", "paths": ' + raw)
