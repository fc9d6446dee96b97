"""Settings from variables and profiles."""

import pytest

from healthyroster_async import ConfigurationError, ConnectionPool, Environment
from healthyroster_async._config import profile_file, read

VARIABLES = {
    "HEALTHYROSTER_SANDBOX_APPLICATION_ID": "app-1",
    "HEALTHYROSTER_SANDBOX_APPLICATION_SECRET": "s3cr3t",
    "HEALTHYROSTER_SANDBOX_BASE_URL": "https://sandbox.test",
    "HEALTHYROSTER_APPLICATION_ID_HEADER": "X-Id",
    "HEALTHYROSTER_APPLICATION_SECRET_HEADER": "X-Secret",
}
PROFILE = """
[clinic]
environment = "production"
application_id_header = "X-Profile-Id"
application_secret_header = "X-Profile-Secret"
production_application_id = "app-2"
production_application_secret = "s3cr3t-2"
production_base_url = "https://api.test"
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


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"HEALTHYROSTER_SANDBOX_APPLICATION_ID": ""}, "APPLICATION_ID is not set"),
        ({"HEALTHYROSTER_SANDBOX_APPLICATION_SECRET": ""}, "neither"),
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


def test_a_secret_may_stand_in_a_file(tmp_path):
    """
    Orchestrators mount secrets as files, with a line end.
    """
    file = tmp_path / "secret"
    file.write_text("from-file\n")
    variables = VARIABLES | {
        "HEALTHYROSTER_SANDBOX_APPLICATION_SECRET": "",
        "HEALTHYROSTER_SANDBOX_APPLICATION_SECRET_FILE": str(file),
    }
    secret = read(variables).credentials[Environment.SANDBOX].application_secret
    file.unlink()

    assert secret.reveal() == "from-file"
    with pytest.raises(ConfigurationError, match="SECRET_FILE cannot be read"):
        read(variables)


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
    ],
)
def test_a_wrong_profile_is_told_without_its_values(profiles, name, sentence):
    """
    The profile file holds secrets; an error names keys only.
    """
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        read(profiles, profile=name)
    assert "s3cr3t" not in str(caught.value)


def test_a_broken_profile_file_is_not_quoted(profiles):
    """
    The line that is broken may be the one with the secret.
    """
    profile_file(profiles).write_text('[x]\napplication_secret = "s3cr3t')

    with pytest.raises(ConfigurationError) as caught:
        read(profiles, profile="x")
    assert "s3cr3t" not in str(caught.value)
