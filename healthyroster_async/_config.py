"""Settings from the environment and the profile file.

Argument over variable over profile over swagger document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from attrs import field, frozen

from healthyroster_async._core.contract import Contract
from healthyroster_async._core.credentials import Credentials, FetchCredentials, unfit
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.hosts import is_same_host
from healthyroster_async._core.settings import Environment
from healthyroster_async._profiles import (
    EACH,
    KEPT_SECRETS,
    PREFIX,
    SECRET,
    SHARED,
    Profile,
    environment_of,
    load,
    profile_file,
    profile_of,
)
from healthyroster_async._secrets import SOURCES

_KEYS = (*SHARED, *(f"{e.value}_{k}" for e in Environment for k in EACH))


@frozen(kw_only=True)
class Setting:
    """A setting that was found.

    Attributes:
        value: Its text; it may be a secret.
        name: What the user knows it by.
        origin: Where it comes from.
    """

    value: str = field(repr=False)
    name: str
    origin: str


@frozen(kw_only=True)
class Settings:
    """All settings that were found, before anything is made of them.

    Attributes:
        found: By name; those of an environment begin with its name.
        profile: The profile that was read, or ``None`` if none was asked for.
    """

    found: Mapping[str, Setting]
    profile: Profile | None

    def text(self, key: str) -> str | None:
        """Return the text of a setting, or ``None`` if it is not set."""
        setting = self.found.get(key)
        return None if setting is None else setting.value


@frozen(kw_only=True)
class Configuration:
    """What was found.

    Attributes:
        credentials: Credential sets that are complete, or what fetches them.
        contract: How the API looks.
        environment: The default environment, or ``None`` if none is named.
    """

    credentials: Mapping[Environment, Credentials | FetchCredentials]
    contract: Contract
    environment: Environment | None


def collect(
    variables: Mapping[str, str],
    *,
    profile: str | None = None,
    swagger: str | Path | None = None,
) -> Settings:
    """Collect the settings.

    Raises:
        ConfigurationError: The profile cannot be read.
    """
    given = _of_variables(variables)
    profile = profile or variables.get(f"{PREFIX}PROFILE") or None
    try:
        path = None if profile is None else profile_file(variables)
    finally:
        del variables  # error reporters print local variables
    own = None if profile is None or path is None else _profile(path, profile)
    found = {} if own is None else _of_profile(own)
    for environment in Environment:
        kinds = [f"{environment.value}_{kind}" for kind in (SECRET, *KEPT_SECRETS)]
        if any(kind in given for kind in kinds):
            # One secret comes from one place.
            for kind in kinds:
                found.pop(kind, None)
    found |= given
    if swagger is not None:
        found["swagger"] = Setting(
            value=str(swagger), name="the argument swagger", origin="argument"
        )
    return Settings(found=found, profile=own)


def unknown(names: Iterable[str]) -> Iterator[str]:
    """Yield a line about each variable that is called like a setting and is none."""
    import difflib  # noqa: PLC0415 - only for a message

    known = [key.upper() for key in (*_KEYS, "profile")]
    for name in names:
        key = name.removeprefix(PREFIX)
        if key == name or key in known:
            continue
        near = [PREFIX + k for k in difflib.get_close_matches(key, known, n=2)]
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        yield f"the variable {name} is no setting, and is not read{hint}"


def made_of(settings: Settings, contract: Contract | None = None) -> Configuration:
    """Return what a pool needs.

    Args:
        settings: What was found.
        contract: What ``contract_of`` made of them, where that was asked already.

    Raises:
        ConfigurationError: Something is missing or contradicts itself.
    """
    credentials: dict[Environment, Credentials | FetchCredentials] = {}
    for environment in Environment:
        one = _credentials(environment, settings)
        if one is not None:
            credentials[environment] = one
    if not credentials and settings.profile is not None:
        raise ConfigurationError(
            f"{settings.profile} has no credentials; run: healthyroster config set "
            f"{settings.profile.name} application_id=..."
        )
    if not credentials:
        raise ConfigurationError(
            f"no credentials: set {PREFIX}SANDBOX_APPLICATION_ID and "
            f"{PREFIX}SANDBOX_APPLICATION_SECRET (or ..._SECRET_FILE), or those of "
            "PRODUCTION"
        )
    if contract is None:
        contract = contract_of(settings)
    check_host(settings, contract)
    return Configuration(
        credentials=credentials,
        contract=contract,
        environment=_default(settings, credentials),
    )


def contract_of(settings: Settings) -> Contract:
    """Return how the API looks.

    Raises:
        ConfigurationError: The document cannot be read, or something is missing.
    """
    base_urls: dict[Environment, str] = {}
    for environment in Environment:
        url = settings.text(f"{environment.value}_base_url")
        if url is not None:
            base_urls[environment] = url
    document = settings.text("swagger")
    headers = {
        name: settings.text(name)
        for name in ("application_id_header", "application_secret_header")
    }
    rows_key = settings.text("rows_key")
    if document is not None:
        return Contract.from_swagger(
            document,
            base_urls=base_urls or None,
            application_id_header=headers["application_id_header"],
            application_secret_header=headers["application_secret_header"],
            rows_key=rows_key,
        )
    missing = [PREFIX + name.upper() for name, value in headers.items() if not value]
    if not base_urls:
        missing.append(f"{PREFIX}SANDBOX_BASE_URL (or PRODUCTION)")
    if missing:
        raise ConfigurationError(
            f"how the API looks is not known: set {PREFIX}SWAGGER to the path or URL "
            f"of the vendor's swagger document, or set {', '.join(missing)}"
        )
    return Contract(
        base_urls=base_urls,
        rows_key=rows_key,
        application_id_header=headers["application_id_header"] or "",
        application_secret_header=headers["application_secret_header"] or "",
    )


def check_host(settings: Settings, contract: Contract) -> None:
    """Refuse to use a profile with another host than its own.

    That is the one it names as ``host`` or in ``base_url``. One that names none but
    holds a secret goes with the document that it names itself.

    Raises:
        ConfigurationError: The text names both hosts, and who chose the wrong one.
    """
    profile = settings.profile
    if profile is None or profile.environment is None:
        return
    environment = profile.environment
    url = contract.base_urls.get(environment)
    chosen = settings.found.get(
        f"{environment.value}_base_url", settings.found.get("swagger")
    )
    if url is None or chosen is None:
        return
    pinned, host = profile.host, urlsplit(url).netloc
    if pinned is None:
        secret = any(kind in profile.settings for kind in KEPT_SECRETS)
        if secret and chosen.origin != "profile":
            raise ConfigurationError(
                f"{profile} does not say which host its secret is for, and "
                f"{chosen.name} leads to {host}; if it is for that one, run: "
                f"healthyroster config set {profile.name} host={host}"
            )
    elif not is_same_host(pinned, url):
        raise ConfigurationError(
            f"{profile} is for the host {pinned}, but {chosen.name} leads to {host}; "
            "its credentials stay here"
        )


def _default(
    settings: Settings, credentials: Mapping[Environment, object]
) -> Environment | None:
    given = settings.found.get("environment")
    if given is None:
        return None
    environment = environment_of(given.value, given.name)
    profile = settings.profile
    if profile and profile.environment and environment not in credentials:
        raise ConfigurationError(
            f"{given.name} is {environment.value}, but {profile} is for "
            f"{profile.environment.value}"
        )
    return environment


def _profile(path: Path, name: str) -> Profile:
    try:
        return profile_of(load(path), path, name)
    except FileNotFoundError:
        raise ConfigurationError(
            f"the profile {name!r} is asked for, but there is no {path}"
        ) from None


def _of_variables(variables: Mapping[str, str]) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for key in _KEYS:
        name = PREFIX + key.upper()
        value = variables.get(name)
        if value:
            found[key] = Setting(value=value, name=name, origin="variable")
    return found


def _of_profile(profile: Profile) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for key, value in profile.settings.items():
        full = key
        if key in EACH and profile.environment is not None:
            full = f"{profile.environment.value}_{key}"
        name = f"{key} of {profile}"
        if key != "host":
            found[full] = Setting(value=value, name=name, origin="profile")
    if profile.environment is not None:
        found["environment"] = Setting(
            value=profile.environment.value,
            name=f"environment of {profile}",
            origin="profile",
        )
    return found


def _credentials(
    environment: Environment, settings: Settings
) -> Credentials | FetchCredentials | None:
    found, profile = settings.found, settings.profile
    prefix = f"{PREFIX}{environment.name}_APPLICATION_"
    application_id = found.get(f"{environment.value}_application_id")
    kinds = [
        kind for kind in (SECRET, *SOURCES) if f"{environment.value}_{kind}" in found
    ]
    secrets = [found[f"{environment.value}_{kind}"] for kind in kinds]
    if not (application_id or secrets):
        return None
    if application_id is None:
        raise ConfigurationError(f"{prefix}ID is not set, but {secrets[0].name} is")
    if len(secrets) > 1:
        names = " and ".join(secret.name for secret in secrets)
        raise ConfigurationError(f"both {names} are set; keep one")
    if not secrets and profile is not None and application_id.origin == "profile":
        raise ConfigurationError(
            f"{profile} has an application_id, but no secret of it; run: healthyroster "
            f"config secret {profile.name}"
        )
    if not secrets:
        raise ConfigurationError(
            f"{prefix}ID is set, but neither {prefix}SECRET nor {prefix}SECRET_FILE, "
            "_COMMAND or _KEYRING"
        )
    given = [application_id, *(secrets if kinds[0] == SECRET else ())]
    for setting in given:
        if (why := unfit(setting.name, setting.value)) is not None:
            raise ConfigurationError(why)
    if kinds[0] == SECRET:
        return Credentials(application_id.value, secrets[0].value)
    return partial(_fetch, application_id.value, kinds[0], secrets[0])


async def _fetch(application_id: str, kind: str, setting: Setting) -> Credentials:
    secret = await SOURCES[kind](setting.value, setting.name)
    try:
        return Credentials(application_id, secret)
    except ConfigurationError as error:
        why = str(error)
    # Raised out here: frames of the other error hold the secret.
    raise ConfigurationError(f"{setting.name}: {why}")
