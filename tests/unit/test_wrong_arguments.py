"""What is given in the wrong place is told at once, by name, and never shown."""

import ssl
from collections import OrderedDict

import aiohttp
import pytest
from fakes import contract, credentials, pool

from healthyroster_async import (
    ConfigurationError,
    ConnectionPool,
    Contract,
    Environment,
    Priority,
    Timeouts,
)

SHOWN = "s3cr3t-given-in-the-wrong-place"
VERIFIED = ssl.create_default_context()
UNVERIFIED = ssl.create_default_context()
UNVERIFIED.check_hostname = False
NO_CHECK = ssl.create_default_context()
NO_CHECK.check_hostname = False
NO_CHECK.verify_mode = ssl.CERT_NONE


@pytest.mark.parametrize(
    ("name", "bad", "give"),
    [
        ("timeouts", 5, "Timeouts"),
        ("timeouts", 0, "Timeouts"),
        ("timeouts", SHOWN, "Timeouts"),
        ("retry", 5, "RetrySettings"),
        ("retry", False, "RetrySettings"),
        ("pacing", 5, "PacingSettings"),
        ("answers", 5, "AnswerSettings"),
        ("contract", "swagger.json", r"Contract\.from_swagger"),
        ("contract", None, r"Contract\.from_swagger"),
        ("environment", "sandbox", r"give Environment\.SANDBOX"),
        ("environment", "staging", r"Environment\.SANDBOX or Environment\.PRODUCTION"),
        ("deadline", "5", "a number"),
        ("on_pacing", 5, "a function of a PacingEvent"),
        ("on_attempt", 5, "a function of an AttemptEvent"),
        ("on_retry", SHOWN, "a function of a RetryEvent"),
        ("on_denied", 0, "a function of a DeniedEvent"),
        ("on_stream", [], "a function of a StreamEvent"),
        ("on_pause", {}, "a function of a PacingEvent"),
        ("client_session", SHOWN, r"aiohttp\.ClientSession"),
        ("ssl_context", "ca.pem", "cafile="),
        ("ssl_context", 0, "cafile="),
        ("ssl_context", False, "no way to switch that off.*cafile="),
        ("ssl_context", UNVERIFIED, "no way to switch that off"),
        ("ssl_context", NO_CHECK, "no way to switch that off"),
        ("user_agent_suffix", 5, "my-app"),
        ("user_agent_suffix", f"a\n{SHOWN}", "header field"),
        ("user_agent_suffix", "ü", "header field"),
        ("user_agent_suffix", "a" * 10_000, "256"),
    ],
)
def test_a_pool_tells_what_was_given_and_what_to_give(name, bad, give):
    """
    Else it shows up at the first call, hours later, as an AttributeError.
    """
    with pytest.raises(ConfigurationError, match=f"{name} .*{give}") as caught:
        pool_of(**{name: bad})
    assert SHOWN not in str(caught.value)


@pytest.mark.parametrize("verify", [False, UNVERIFIED, NO_CHECK])
async def test_an_own_session_that_verifies_nobody_is_refused(verify):
    """
    The secret would go to whoever answers, as with such a context of the pool itself.
    """
    connector = aiohttp.TCPConnector(ssl=verify)
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(ConfigurationError, match=r"client_session .*cafile="):
            pool_of(client_session=session)


@pytest.mark.parametrize("verify", [True, VERIFIED, aiohttp.Fingerprint(b"1" * 32)])
async def test_an_own_session_that_verifies_is_taken(verify):
    """
    A private authority and a pinned certificate say who answers.
    """
    connector = aiohttp.TCPConnector(ssl=verify)
    async with aiohttp.ClientSession(connector=connector) as session:
        assert pool_of(client_session=session)


def pool_of(**changes):
    settings = {"contract": contract()} | changes
    return ConnectionPool({Environment.SANDBOX: credentials()}, **settings)


def test_what_fits_is_taken():
    """
    A check that refuses what is right is worse than none.
    """
    agent = pool_of(user_agent_suffix="my-app/1.2 (nightly)")._agent

    assert agent.endswith(" my-app/1.2 (nightly)")
    assert pool_of(ssl_context=ssl.create_default_context())
    assert contract(base_urls=OrderedDict(contract().base_urls)).rows_key is None
    assert contract(rows_key="result.rows").rows_key == "result.rows"


@pytest.mark.parametrize(
    ("name", "bad", "give"),
    [
        ("timeouts", 5, "Timeouts"),
        ("timeouts", False, "Timeouts"),
        ("retry", Timeouts(), "RetrySettings"),
        ("priority", "bulk", r"Priority\.BULK"),
        ("priority", 1, r"Priority\.BULK"),
        ("deadline", 0, "above 0"),
    ],
)
def test_a_session_refuses_options_of_another_type(name, bad, give):
    """
    A session is made for each web request: its mistake would be a 500 there.
    """
    with pytest.raises(ConfigurationError, match=f"{name} .*{give}"):
        pool().session(1).with_options(**{name: bad})


@pytest.mark.parametrize("bad", ["bulk", 7, None, True, 1])
def test_a_priority_is_a_lane(bad):
    """
    Another value would wait in no lane, and its session could not even be shown.
    """
    with pytest.raises(ConfigurationError, match=r"priority .*Priority\.BULK"):
        pool().session(1, priority=bad)
    assert pool().session(1, priority=Priority.BULK).priority is Priority.BULK


@pytest.mark.parametrize("bad", ["sandbox", "SANDBOX", "Sandbox"])
def test_the_name_of_an_environment_is_no_environment(bad):
    """
    "no credentials of 'sandbox'; it has those of sandbox" helps nobody.
    """
    with pytest.raises(ConfigurationError, match=r"give Environment\.SANDBOX$"):
        pool().session(1, environment=bad)


@pytest.mark.parametrize("bad", ["", 0, False])
def test_an_environment_that_is_empty_is_not_the_default(bad):
    """
    An empty variable must not choose the environment that a secret is sent to.
    """
    with pytest.raises(ConfigurationError, match="environment is of type"):
        pool().session(1, environment=bad)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"base_urls": f"https://{SHOWN}"}, "base_urls is of type str; give {Env"),
        ({"base_urls": {}}, "base_urls is empty; give {Env"),
        ({"base_urls": None}, "base_urls is of type NoneType"),
        ({"rows_key": 5}, "rows_key is of type int; give a key"),
        ({"rows_key": "a..b"}, "rows_key is 'a..b'"),
        ({"rows_key": ""}, "rows_key is ''"),
        ({"rows_key": ".a"}, "rows_key is '.a'"),
        ({"rows": "/x/{id}"}, "rows is of type str; give an Endpoint"),
        ({"data_source": {}}, "data_source is of type dict"),
        ({"data_sources": "x"}, "data_sources is of type str"),
    ],
)
def test_a_contract_tells_what_was_given_and_what_to_give(changes, sentence):
    """
    A contract is written by hand where there is no document.
    """
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        contract(**changes)
    assert SHOWN not in str(caught.value)


@pytest.mark.parametrize("bad", [None, [], 7, {1: 2}.keys()])
def test_a_document_is_a_path_a_url_bytes_or_a_dict(bad):
    """
    A client that returned None instead of a document is the usual reason.
    """
    with pytest.raises(ConfigurationError, match="the swagger document is of type"):
        Contract.from_swagger(bad)


@pytest.mark.parametrize("bad", ["https://x.test", [], 7])
def test_base_urls_are_checked_beside_a_document_too(bad):
    """
    The argument wins over the document, so it is checked like it.
    """
    document = {"openapi": "3.0.4", "paths": {}}

    with pytest.raises(ConfigurationError, match="base_urls is of type"):
        Contract.from_swagger(
            document,
            base_urls=bad,
            application_id_header="A",
            application_secret_header="B",
        )


@pytest.mark.parametrize("bad", ["x", -1, None, True, float("nan"), float("inf")])
async def test_a_pool_is_closed_in_a_number_of_seconds(bad):
    """
    A pool that could not be closed would stay open.
    """
    with pytest.raises(ConfigurationError, match="timeout is"):
        await pool().close(timeout=bad)
