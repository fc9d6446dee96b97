"""Settings from the environment and the profile file.

Argument over variable over profile over swagger document.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from healthyroster_async._core.contract import Contract
from healthyroster_async._core.credentials import Credentials
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.settings import Environment

_PREFIX = "HEALTHYROSTER_"
# What a profile may hold: the names of the variables without the prefix, in lower case.
_SHARED = (
    "environment",
    "swagger",
    "application_id_header",
    "application_secret_header",
    "rows_key",
)
_EACH = (
    "application_id",
    "application_secret",
    "application_secret_file",
    "base_url",
)


@frozen(kw_only=True)
class Configuration:
    """What was found.

    Attributes:
        credentials: Credential sets that are complete.
        contract: How the API looks.
        environment: The default environment, or ``None`` if none is named.
    """

    credentials: Mapping[Environment, Credentials]
    contract: Contract
    environment: Environment | None


def profile_file(variables: Mapping[str, str]) -> Path:
    """Return where profiles are kept.

    It is ``healthyroster/profiles.toml`` in the user's configuration folder (XDG Base
    Directory Specification; ``APPDATA`` on Windows).
    """
    if sys.platform == "win32":
        base = variables.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    else:
        base = variables.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "healthyroster" / "profiles.toml"


def read(
    variables: Mapping[str, str],
    *,
    profile: str | None = None,
    swagger: str | Path | None = None,
) -> Configuration:
    """Collect the settings.

    Raises:
        ConfigurationError: Something is missing or contradicts itself; the text names
            the variable.
    """
    found = settings(variables, profile=profile)
    credentials: dict[Environment, Credentials] = {}
    base_urls: dict[Environment, str] = {}
    for environment in Environment:
        given = {key: found.get(f"{environment.value}_{key}") for key in _EACH}
        if given["base_url"]:
            base_urls[environment] = given["base_url"]
        credential = _credentials(environment, given)
        if credential is not None:
            credentials[environment] = credential
    if not credentials:
        raise ConfigurationError(
            f"no credentials: set {_PREFIX}SANDBOX_APPLICATION_ID and "
            f"{_PREFIX}SANDBOX_APPLICATION_SECRET (or ..._SECRET_FILE), or those of "
            "PRODUCTION"
        )
    return Configuration(
        credentials=credentials,
        contract=_contract(found, swagger or found.get("swagger"), base_urls),
        environment=_environment(found.get("environment")),
    )


def settings(
    variables: Mapping[str, str], *, profile: str | None = None
) -> dict[str, str]:
    """Return every setting that is given, a variable before the profile.

    Raises:
        ConfigurationError: The profile cannot be read.
    """
    name = profile or variables.get(f"{_PREFIX}PROFILE") or None
    found = {} if name is None else _profile(profile_file(variables), name)
    for key in (*_SHARED, *(f"{e.value}_{k}" for e in Environment for k in _EACH)):
        value = variables.get(_PREFIX + key.upper())
        if value:
            found[key] = value
    return found


def _contract(
    found: Mapping[str, str],
    document: str | Path | None,
    base_urls: Mapping[Environment, str],
) -> Contract:
    headers = {
        name: found.get(name)
        for name in ("application_id_header", "application_secret_header")
    }
    rows_key = found.get("rows_key") or None
    if document is not None:
        return Contract.from_swagger(
            document,
            base_urls=base_urls or None,
            application_id_header=headers["application_id_header"],
            application_secret_header=headers["application_secret_header"],
            rows_key=rows_key,
        )
    missing = [_PREFIX + name.upper() for name, value in headers.items() if not value]
    if not base_urls:
        missing.append(f"{_PREFIX}SANDBOX_BASE_URL (or PRODUCTION)")
    if missing:
        raise ConfigurationError(
            f"how the API looks is not known: set {_PREFIX}SWAGGER to the path or URL "
            f"of the vendor's swagger document, or set {', '.join(missing)}"
        )
    return Contract(
        base_urls=base_urls,
        rows_key=rows_key,
        application_id_header=headers["application_id_header"] or "",
        application_secret_header=headers["application_secret_header"] or "",
    )


def _credentials(
    environment: Environment, given: Mapping[str, str | None]
) -> Credentials | None:
    prefix = f"{_PREFIX}{environment.name}_APPLICATION_"
    application_id = given["application_id"]
    secret, file = given["application_secret"], given["application_secret_file"]
    if not (application_id or secret or file):
        return None
    if not application_id:
        raise ConfigurationError(f"{prefix}ID is not set, but a secret of it is")
    if secret and file:
        raise ConfigurationError(
            f"both {prefix}SECRET and {prefix}SECRET_FILE are set; keep one"
        )
    if file:
        try:
            secret = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{prefix}SECRET_FILE cannot be read: "
                f"{getattr(error, 'strerror', None) or 'it is no text'}"
            ) from None
    if not secret:
        raise ConfigurationError(
            f"{prefix}ID is set, but neither {prefix}SECRET nor {prefix}SECRET_FILE"
        )
    return Credentials(application_id, secret)


def _environment(value: str | None) -> Environment | None:
    if value is None:
        return None
    try:
        return Environment(value.strip().lower())
    except ValueError:
        raise ConfigurationError(
            f"{_PREFIX}ENVIRONMENT is {value!r}; give sandbox or production"
        ) from None


def _profile(path: Path, name: str) -> dict[str, str]:
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"the profile {name!r} is asked for, but there is no {path}"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        # The text of a TOML error can quote a line, and a line can hold a secret.
        raise ConfigurationError(
            f"{path} cannot be read: {type(error).__name__}"
        ) from None
    table = document.get(name)
    if not isinstance(table, dict):
        raise ConfigurationError(
            f"{path} has no profile {name!r}; it has {sorted(document)}"
        )
    known = {*_SHARED, *(f"{e.value}_{k}" for e in Environment for k in _EACH)}
    unknown = sorted(set(table) - known)
    if unknown:
        raise ConfigurationError(
            f"the profile {name!r} in {path} has {unknown}; known are {sorted(known)}"
        )
    not_text = sorted(key for key, value in table.items() if not isinstance(value, str))
    if not_text:
        raise ConfigurationError(
            f"the profile {name!r} in {path} must have texts for {not_text}"
        )
    return dict(table)
