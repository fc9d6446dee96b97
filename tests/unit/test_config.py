"""Settings from variables and profiles."""

import inspect
import os
import sys
import traceback
from pathlib import Path

import pytest
from fakes import read

from healthyroster_async import (
    ConfigurationError,
    ConnectionPool,
    Environment,
    SyncPool,
)
from healthyroster_async._profiles import profile_file

VARIABLES = {
    "HEALTHYROSTER_SANDBOX_APPLICATION_ID": "app-1",
    "HEALTHYROSTER_SANDBOX_APPLICATION_SECRET": "s3cr3t",
    "HEALTHYROSTER_SANDBOX_BASE_URL": "https://sandbox.test",
    "HEALTHYROSTER_APPLICATION_ID_HEADER": "X-Id",
    "HEALTHYROSTER_APPLICATION_SECRET_HEADER": "X-Secret",
}
posix = pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
PROFILE = """
[clinic]
environment = "production"
application_id_header = "X-Profile-Id"
application_secret_header = "X-Profile-Secret"
application_id = "app-2"
application_secret_file = "secret-2"
base_url = "https://api.test"
[prefixed]
sandbox_application_id = "app-3"
sandbox_application_secret_file = "secret-3"
sandbox_base_url = "https://sandbox.test"
[unpinned]
environment = "sandbox"
application_id = "app-4"
application_secret_file = "secret-4"
[hosted]
environment = "sandbox"
host = "sandbox.test"
application_id = "app-5"
application_secret_file = "secret-5"
[secret]
environment = "sandbox"
application_secret = "s3cr3t"
[both]
sandbox_application_id = "app-6"
production_application_id = "app-7"
[neither]
application_id = "app-8"
[twice]
environment = "sandbox"
application_id = "app-9"
sandbox_application_id = "app-9"
[kinds]
environment = "sandbox"
application_secret_file = "secret-10"
application_secret_command = "pass clinic"
[nowhere]
environment = "sandbox"
host = "https://sandbox.test"
[far]
environment = "sandbox"
host = "sandbox.test:99999"
[open]
environment = "sandbox"
base_url = "https://[::1"
[staging]
environment = "staging"
[strange]
passwort = "s3cr3t"
[number]
rows_key = 7
"""


@pytest.fixture
def profiles(tmp_path):
    """Return variables under which a profile file exists."""
    variables = {"XDG_CONFIG_HOME": str(tmp_path)}
    file = profile_file(variables)
    file.parent.mkdir()
    file.write_text(PROFILE)
    return variables


def test_variables_are_enough(monkeypatch):
    """
    A container is configured by variables alone.
    """
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    pool = ConnectionPool.from_environment()

    assert pool.environments == (Environment.SANDBOX,)
    assert pool.session(1).environment is Environment.SANDBOX
    assert pool.contract.application_id_header == "X-Id"


@pytest.mark.parametrize("kind", [ConnectionPool, SyncPool])
def test_whoever_configures_by_variables_gives_up_nothing(kind, monkeypatch):
    """
    Telemetry, hooks and a private authority are for containers first.
    """
    given = {}

    class Told(ConnectionPool):
        def __init__(self, credentials, **settings):
            given.update(settings)

    if kind is ConnectionPool:
        kind = Told
    else:
        monkeypatch.setattr("healthyroster_async._sync.ConnectionPool", Told)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    constructor = inspect.signature(ConnectionPool).parameters
    known = inspect.signature(ConnectionPool.from_environment).parameters
    settings = [name for name in known if name not in {"profile", "swagger"}]
    own = {name: object() for name in settings}
    kind.from_environment(**own)

    assert settings == [n for n in constructor if n not in {"credentials", "contract"}]
    assert [known[n] for n in settings] == [constructor[n] for n in settings]
    assert own.items() <= given.items()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"HEALTHYROSTER_SANDBOX_APPLICATION_ID": ""}, "APPLICATION_ID is not set"),
        ({"HEALTHYROSTER_SANDBOX_APPLICATION_SECRET": ""}, "neither"),
        ({"HEALTHYROSTER_SANDBOX_APPLICATION_ID": "a\n"}, "^HEALTHY.*_ID begins or"),
        ({"HEALTHYROSTER_SANDBOX_APPLICATION_SECRET": "s3cr3t "}, "^HEALTHY.*T begins"),
        ({"HEALTHYROSTER_SANDBOX_BASE_URL": ""}, "SANDBOX_BASE_URL"),
        ({"HEALTHYROSTER_APPLICATION_ID_HEADER": ""}, "APPLICATION_ID_HEADER"),
        ({"HEALTHYROSTER_ENVIRONMENT": "staging"}, "sandbox or production"),
        ({"HEALTHYROSTER_SANDBOX_APPLICATION_SECRET_FILE": "/x"}, "keep one"),
        ({"HEALTHYROSTER_SWAGGER": "/no/such.json"}, "cannot be read"),
        ({"HEALTHYROSTER_PROFILE": "nobody"}, "nobody"),
    ],
)
def test_what_is_missing_is_named(changes, sentence, tmp_path):
    """
    The text names the variable to set.
    """
    variables = VARIABLES | {"XDG_CONFIG_HOME": str(tmp_path)} | changes

    with pytest.raises(ConfigurationError, match=sentence) as caught:
        read(variables)
    assert "s3cr3t" not in str(caught.value)


def test_without_anything_it_says_where_to_begin():
    """
    The first error a newcomer sees.
    """
    with pytest.raises(ConfigurationError, match="SANDBOX_APPLICATION_ID"):
        read({})


def test_a_variable_wins_over_the_profile(profiles):
    """
    Argument over variable over profile over document.
    """
    found = read(profiles, profile="clinic")
    changed = read(
        profiles | {"HEALTHYROSTER_APPLICATION_ID_HEADER": "X-Own"}, profile="clinic"
    )

    assert found.environment is Environment.PRODUCTION
    assert found.contract.application_id_header == "X-Profile-Id"
    assert changed.contract.application_id_header == "X-Own"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nobody", "has no profile 'nobody'"),
        ("strange", "passwort"),
        ("number", "texts for"),
        ("secret", 'no place for one: .*run "healthyroster config secret secret"'),
        ("both", "one environment and one host"),
        ("neither", 'add environment = "sandbox"'),
        ("twice", "application_id twice"),
        ("kinds", "both application_secret_file and application_secret_command"),
        ("nowhere", "give one such as api.example.com"),
        ("far", "a host that is none"),
        ("open", "a base_url that is none"),
        ("staging", "'staging'; give sandbox or production"),
    ],
)
def test_a_wrong_profile_is_told_without_its_values(profiles, name, sentence):
    """
    A secret may stand in it all the same; an error names keys only.
    """
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        read(profiles, profile=name)
    assert "s3cr3t" not in str(caught.value)


def test_a_profile_file_may_begin_with_a_byte_order_mark(profiles):
    """
    Notepad and PowerShell write one.
    """
    profile_file(profiles).write_text(f"\ufeff{PROFILE}", encoding="utf-8")

    assert read(profiles, profile="clinic").environment is Environment.PRODUCTION


def test_profiles_lie_where_the_user_keeps_settings(tmp_path, monkeypatch):
    """
    The XDG Base Directory Specification names the place; relative paths are ignored.
    """
    monkeypatch.setenv("HOME", str(tmp_path))
    file = Path("healthyroster", "profiles.toml")
    if os.name == "posix":
        default = tmp_path / ".config" / file

        assert profile_file({"XDG_CONFIG_HOME": "/etc/c"}) == Path("/etc/c") / file
        assert profile_file({"XDG_CONFIG_HOME": "c"}) == default
        assert profile_file({}) == default
    monkeypatch.setattr(sys, "platform", "win32")
    assert profile_file({"APPDATA": os.sep}) == Path(os.sep) / file
    assert profile_file({}).parts[-4:-2] == ("AppData", "Roaming")


def test_a_broken_profile_file_is_not_quoted(profiles):
    """
    The line that is broken may be the one with the secret.
    """
    profile_file(profiles).write_text('[x]\napplication_secret = "s3cr3t')

    with pytest.raises(ConfigurationError, match=r"at line 2|end of doc") as caught:
        read(profiles, profile="x")
    assert "s3cr3t" not in str(caught.value)


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_profile_file_that_others_can_write_is_refused(profiles, mode):
    """
    A command in it is run as the user, who did not write it.
    """
    file = profile_file(profiles)
    file.chmod(mode)

    with pytest.raises(ConfigurationError, match="chmod go-w") as caught:
        read(profiles, profile="clinic")
    assert str(file) in str(caught.value)
    file.chmod(0o644)
    assert read(profiles, profile="clinic").environment is Environment.PRODUCTION


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give away"
)
def test_a_profile_file_of_somebody_else_is_refused(profiles):
    """
    Its owner can change it at any time, whatever its mode says.
    """
    os.chown(profile_file(profiles), 65534, 65534)

    with pytest.raises(ConfigurationError, match="make it your own"):
        read(profiles, profile="clinic")


HEADERS = {
    "HEALTHYROSTER_APPLICATION_ID_HEADER": "X-Id",
    "HEALTHYROSTER_APPLICATION_SECRET_HEADER": "X-Secret",
}
ELSEWHERE = "https://elsewhere.test"


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        (
            "clinic",
            {"HEALTHYROSTER_PRODUCTION_BASE_URL": ELSEWHERE},
            "host api.test, but HEALTHYROSTER_PRODUCTION_BASE_URL .* elsewhere.test",
        ),
        (
            "hosted",
            {"HEALTHYROSTER_SANDBOX_BASE_URL": "https://sandbox.test.evil.test"},
            "for the host sandbox.test, but .* leads to sandbox.test.evil.test",
        ),
        (
            "unpinned",
            {"HEALTHYROSTER_SANDBOX_BASE_URL": ELSEWHERE},
            "does not say which host .*config set unpinned host=elsewhere.test",
        ),
        (
            "clinic",
            {"HEALTHYROSTER_ENVIRONMENT": "sandbox"},
            "ENVIRONMENT is sandbox, but the profile 'clinic' is for production",
        ),
    ],
)
def test_a_profile_is_bound_to_one_environment_and_host(
    profiles, name, changes, sentence
):
    """
    A variable left over from another task must not send the secret elsewhere.
    """
    with pytest.raises(ConfigurationError, match=sentence):
        read(profiles | HEADERS | changes, profile=name)


@pytest.mark.parametrize(
    "url", ["https://SANDBOX.test/api", "https://sandbox.test:443"]
)
def test_a_host_is_the_same_however_it_is_written(profiles, url):
    """
    Paths and the usual port belong to no host.
    """
    variables = profiles | HEADERS | {"HEALTHYROSTER_SANDBOX_BASE_URL": url}

    assert list(read(variables, profile="hosted").credentials) == [Environment.SANDBOX]


def test_the_port_counts_where_a_profile_names_one(profiles):
    """
    On this machine every service has the same host.
    """
    file = profile_file(profiles)
    file.write_text(file.read_text().replace('"sandbox.test"', '"sandbox.test:8443"'))
    variables = profiles | HEADERS
    given = "https://sandbox.test:8443"
    assert read(variables | {"HEALTHYROSTER_SANDBOX_BASE_URL": given}, profile="hosted")

    with pytest.raises(ConfigurationError, match=r"sandbox\.test:8443, but"):
        read(
            variables | {"HEALTHYROSTER_SANDBOX_BASE_URL": "https://sandbox.test"},
            profile="hosted",
        )


def test_keys_may_name_the_environment_of_their_profile(profiles):
    """
    Profiles that were written with the names of the variables go on working.
    """
    found = read(profiles | HEADERS, profile="prefixed")

    assert list(found.credentials) == [Environment.SANDBOX]
    assert found.environment is Environment.SANDBOX


def test_a_secret_in_a_variable_takes_the_place_of_that_of_the_profile(profiles):
    """
    Else a machine without the file cannot use the profile.
    """
    variables = profiles | {"HEALTHYROSTER_PRODUCTION_APPLICATION_SECRET": "own"}
    found = read(variables, profile="clinic").credentials[Environment.PRODUCTION]

    assert found.application_id == "app-2"
    assert found.application_secret.reveal() == "own"


def test_no_local_variable_shows_the_environment_of_the_process():
    """
    What is missing is told with a traceback, and error reporters print locals.
    """
    variables = {**VARIABLES, "HEALTHYROSTER_APPLICATION_ID_HEADER": ""}
    with pytest.raises(ConfigurationError) as caught:
        read(variables)
    shown = traceback.TracebackException.from_exception(
        caught.value, capture_locals=True
    ).stack

    assert "contract_of" in {frame.name for frame in shown}
    for frame in shown:
        if "healthyroster_async" in frame.filename:
            assert "s3cr3t" not in str(frame.locals)
