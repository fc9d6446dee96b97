"""How the API looks: nothing is guessed, and what cannot be is refused."""

import contextlib
import copy
import json
import pickle
import socket
import threading

import pytest
from fakes import PRODUCTION_URL, SANDBOX_URL, contract

from healthyroster_async import (
    ConfigurationError,
    Contract,
    Environment,
    UsageError,
)
from healthyroster_async._core import loading

BOTH = {Environment.SANDBOX: SANDBOX_URL, Environment.PRODUCTION: PRODUCTION_URL}
DOCUMENT = {
    "openapi": "3.0.4",
    "servers": [
        {"url": "https://sandbox.net/v1/", "description": "Sandbox, by the tenant"},
        {"url": "https://api.test/v1", "description": "Production"},
    ],
    "paths": {
        "/v2/healthcareprovider/{providerId}/datasources": {"get": {}},
        "/v2/healthcareprovider/{providerId}/reporting/datasources/{x}/data": {
            "post": {}
        },
    },
    "components": {
        "securitySchemes": {
            "ApplicationId": {"type": "apiKey", "in": "header", "name": "X-Id"},
            "ApplicationSecret": {
                "type": "apiKey",
                "in": "header",
                "name": "X-Secret",
            },
            "Other": {"type": "http", "scheme": "basic"},
        }
    },
}
OLD = {
    "swagger": "2.0",
    "host": "sandbox.test:8443",
    "basePath": "/v1",
    "schemes": ["https"],
    "paths": {},
    "securityDefinitions": DOCUMENT["components"]["securitySchemes"],
}


def test_a_document_says_hosts_header_names_and_spelling():
    """
    The vendor's paths disagree in case; the document's spelling is sent.
    """
    read = Contract.from_swagger(DOCUMENT)

    assert read.base_urls == {
        Environment.SANDBOX: "https://sandbox.net/v1",
        Environment.PRODUCTION: "https://api.test/v1",
    }
    assert read.application_id_header == "X-Id"
    assert read.application_secret_header == "X-Secret"
    path = read.data_sources.path(7)
    assert path == "/v2/healthcareprovider/7/datasources"
    assert read.rows.path(7, 1).endswith("/reporting/datasources/1/data")
    assert read.rows.safe
    assert read.data_source is None  # what it lacks is not made up


def test_a_document_comes_in_any_form(tmp_path):
    """
    A path, bytes with a byte order mark, a dict.
    """
    file = tmp_path / "swagger.json"
    file.write_text(json.dumps(OLD))
    forms = [file, str(file), b"\xef\xbb\xbf" + json.dumps(OLD).encode(), OLD]
    read = [Contract.from_swagger(form) for form in forms]

    assert {r.base_urls[Environment.SANDBOX] for r in read} == {
        "https://sandbox.test:8443/v1"
    }


def test_arguments_win_over_the_document():
    """
    Where the document is wrong, the caller says it.
    """
    read = Contract.from_swagger(
        DOCUMENT,
        base_urls=BOTH,
        application_id_header="A",
        application_secret_header="B",
        rows_key="data",
    )

    assert read.base_urls == BOTH
    assert (read.application_id_header, read.application_secret_header) == ("A", "B")


def test_a_base_url_that_is_given_takes_nothing_from_the_other_environment():
    """
    Whoever adds production keeps the sandbox that the document names.
    """
    own = {Environment.PRODUCTION: "https://own.example.test"}
    read = Contract.from_swagger(DOCUMENT, base_urls=own)
    alone = Contract.from_swagger(DOCUMENT)

    assert read.base_urls == {**alone.base_urls, **own}
    assert len(read.base_urls) == 2


@pytest.mark.parametrize("url", ["https://api.test/v1", "https://API.test./sandbox"])
def test_a_host_that_is_given_is_no_longer_the_other_environment(url):
    """
    Where the document calls the sandbox production, the caller says what it is.
    """
    own = {Environment.SANDBOX: url}

    assert set(Contract.from_swagger(DOCUMENT, base_urls=own).base_urls) == set(own)


def test_two_given_base_urls_still_need_a_host_each():
    """
    What the caller says of both is no slip of the document.
    """
    one = dict.fromkeys(Environment, SANDBOX_URL)
    with pytest.raises(ConfigurationError, match="same host"):
        Contract.from_swagger(DOCUMENT, base_urls=one)


def test_a_header_that_is_no_text_is_refused_by_name():
    """
    Not with what Python says of the number that it is.
    """
    with pytest.raises(ConfigurationError, match="application_id_header"):
        Contract.from_swagger(DOCUMENT, application_id_header=3)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"servers": []}, "names no server; give base_urls="),
        ({"servers": [{"url": "https://x.test"}]}, "which environment"),
        *(
            (
                {"servers": [{"url": "https://x.test", "description": text}]},
                "which environment",
            )
            for text in (
                "This is not the sandbox",
                "Non-production",
                "Pre-prod",
                "Isn't production",
                "Everything without sandbox",
                "no sandbox",
            )
        ),
        ({"servers": [{"url": "https://pre-prod.x.test"}]}, "which environment"),
        (
            {"servers": [{"url": f"https://sandbox.x.test/v{n}"} for n in (1, 2)]},
            "names more than one sandbox server .*/v1, .*/v2",
        ),
        *(
            (
                {"servers": [{"url": "https://{a}.sandbox.test", "variables": known}]},
                r"what a variable of its server is \(https://\{a\}\.sandbox\.test\)",
            )
            for known in ({}, {"a": {}}, {"a": {"enum": []}}, {"b": {"default": "c"}})
        ),
        (
            {
                "servers": [
                    {
                        "url": "https://{a}.sandbox.test",
                        "variables": {"a": {"enum": ["eu", "us"]}},
                    }
                ]
            },
            "names more than one sandbox server",
        ),
        ({"servers": {}}, "names no server"),
        ({"servers": "x"}, "a list belongs"),
        ({"servers": ["x"]}, "an object belongs"),
        ({"components": {}}, "give application_id_header="),
        ({"openapi": None, "swagger": None}, None),
    ],
)
def test_what_a_document_leaves_open_is_asked_for_by_name(changes, sentence):
    """
    A host is never guessed: a secret would go there.
    """
    document = DOCUMENT | changes
    if sentence is None:
        document = {"paths": {}}
        sentence = "no swagger document"

    with pytest.raises(ConfigurationError, match=sentence):
        Contract.from_swagger(document)


@pytest.mark.parametrize(
    "url",
    ["http://example.test/s.json", "HTTP://10.0.0.1/s", "http://127.0.0.1.evil.test/s"],
)
def test_a_document_never_comes_over_plain_http(url):
    """
    Whoever alters it on the way chooses the base URL that receives the secret.
    """
    with pytest.raises(ConfigurationError, match=r"plain http.* give an https URL"):
        Contract.from_swagger(url)


def test_a_document_that_is_out_of_reach_is_told_in_plain_words():
    """
    "<urlopen error [Errno 111] ...>" is no sentence for a person.
    """
    with pytest.raises(ConfigurationError, match=r"swagger\.json: [\w ]+$"):
        Contract.from_swagger("http://127.0.0.1:1/swagger.json")


@pytest.mark.parametrize(
    "url", ["https://s.test/x?sig=s3cr3t key", "https://s.test/x?sig=\N{SNOWMAN}s3cr3t"]
)
def test_a_key_in_the_url_of_a_document_is_not_told(url):
    """
    Some errors of http.client quote what was asked for.
    """
    with pytest.raises(ConfigurationError, match=r"https://s\.test/x: \w+$") as caught:
        Contract.from_swagger(url)
    assert "s3cr3t" not in str(caught.value)


def test_fetching_a_document_has_an_end(monkeypatch):
    """
    A server that sends a byte now and then meets every timeout of a single read.
    """
    monkeypatch.setattr(loading, "_FETCH_LIMIT_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(ConfigurationError, match="took longer than 0 s"):
            Contract.from_swagger(f"http://127.0.0.1:{server.getsockname()[1]}/x")
        thread.join()


async def test_a_document_is_not_fetched_where_a_loop_runs():
    """
    The loop would stand still, and with the emulator in it nobody would answer.
    """
    url = "https://api.example.test/swagger.json"

    with pytest.raises(UsageError, match=r"to_thread\(Contract\.from_swagger, url\)"):
        Contract.from_swagger(url)


@pytest.mark.parametrize(
    "source", [b"{", b"[]", b"", "/no/such/file.json", "http://127.0.0.1:1/x"]
)
def test_what_is_no_document_is_refused_with_a_sentence(source):
    """
    A wrong path is the commonest mistake.
    """
    with pytest.raises(ConfigurationError, match="swagger document"):
        Contract.from_swagger(source)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://api.test", "plain http"),
        ("http://10.0.0.1", "plain http"),
        ("http://127.0.0.1.evil.test", "plain http"),
        ("api.test", "not absolute"),
        ("ftp://api.test", "not absolute"),
        ("", "not absolute"),
        ("https://", "not absolute"),
        ("https://user:pw@api.test", "user"),
        ("https://api.test?x=1", "query"),
        ("https://api.test#x", "query"),
        ("https://api.test/../x", "dots"),
        ("https://api.test/a b", "escape"),
        ("https://api.test:0", "host or port"),
        ("https://api.test:x", "cannot be read"),
        ("https://ünï.test", "host or port"),
        (7, "give a text"),
    ],
)
def test_a_base_url_that_would_leak_or_fail_is_refused(url, sentence):
    """
    The secret goes over https, except to this machine.
    """
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        contract(base_urls={Environment.SANDBOX: url})
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"]
)
def test_plain_http_is_for_this_machine(url):
    """
    The emulator speaks plain http.
    """
    base_urls = contract(base_urls={Environment.SANDBOX: url + "/"}).base_urls

    assert base_urls == {Environment.SANDBOX: url}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://A.test/s", "https://a.test/p"),
        ("https://a.test", "https://a.test:443"),
        ("https://a.test", "https://a.test."),
        ("https://a.test:8443", "https://a.test:9443"),
        ("http://127.0.0.1", "http://127.0.0.1:80"),
        ("https://[::1]:8443", "http://[::1]:8443"),
    ],
)
def test_one_host_is_not_two_environments_however_it_is_written(one, other):
    """
    Else the credentials of one would reach the other.
    """
    urls = {Environment.SANDBOX: one, Environment.PRODUCTION: other}

    with pytest.raises(ConfigurationError, match="same host"):
        contract(base_urls=urls)


def test_ports_tell_services_of_this_machine_apart():
    """
    The emulator serves both environments there.
    """
    urls = {
        Environment.SANDBOX: "http://127.0.0.1:8001",
        Environment.PRODUCTION: "http://127.0.0.1:8002",
    }

    assert contract(base_urls=urls).base_urls == urls


def test_the_keys_of_base_urls_are_environments():
    """
    Else a typo would be a host that nobody asked for.
    """
    twice = {Environment.SANDBOX: "https://a.test/s", "x": "https://b.test"}

    with pytest.raises(ConfigurationError, match="member of Environment"):
        contract(base_urls=twice)


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))]
)
def test_a_contract_can_be_copied_and_sent_to_a_worker(twin):
    """
    Workers make a pool of their own from it; it holds no secret.
    """
    original = Contract.from_swagger(DOCUMENT, rows_key="result.rows")

    assert twin(original) == original
    assert repr(twin(original)) == repr(original)
    with pytest.raises(TypeError):
        twin(original).base_urls[Environment.SANDBOX] = "http://elsewhere.test"


@pytest.mark.parametrize("bad", ["", "X Id", "X:Id", "Host", "content-type", None])
def test_a_header_name_that_cannot_be_is_refused(bad):
    """
    A name from a sentence of the document is no header name.
    """
    with pytest.raises(ConfigurationError, match="application_id_header"):
        contract(application_id_header=bad)
    with pytest.raises(ConfigurationError, match="both"):
        contract(application_id_header="x-app-secret")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        (" \r\n", "is empty"),
        ("\n<!DOCTYPE html><html><title>Swagger UI</title></html>", "is a page"),
        ("{nothing}", "is no JSON: line 1, column 2"),
        ('{"title": "Login"}', "neither 'swagger' nor 'openapi'"),
    ],
)
def test_what_is_no_document_is_said_with_its_place(text, why, tmp_path):
    """
    The page of a swagger UI is what people give most often.
    """
    file = tmp_path / "api.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=why) as caught:
        Contract.from_swagger(file)

    assert str(file) in str(caught.value)


@pytest.mark.parametrize("place", ["~/api.json", "file://{home}/api.json"])
def test_a_place_is_found_as_people_write_it(place, tmp_path, monkeypatch):
    """
    No shell expands what stands in a variable or in a profile.
    """
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "api.json").write_text(json.dumps(DOCUMENT))

    read = Contract.from_swagger(place.format(home=tmp_path))

    assert read == Contract.from_swagger(DOCUMENT)


def test_the_home_of_nobody_is_a_place_that_is_not_there():
    """
    Not an error of Python about home directories.
    """
    with pytest.raises(ConfigurationError, match="No such file"):
        Contract.from_swagger("~nobody-is-called-so/api.json")
