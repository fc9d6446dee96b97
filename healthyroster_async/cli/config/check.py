"""``healthyroster config check``: whether the settings work, by one call of the API."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import rich_click as click
from attrs import evolve, field, frozen
from rich.text import Text

from healthyroster_async import _config, _profiles
from healthyroster_async._core.contract import Contract
from healthyroster_async._core.credentials import (
    Credentials,
    FetchCredentials,
    check_apart,
)
from healthyroster_async._core.errors import (
    AuthenticationError,
    ConfigurationError,
    ForbiddenError,
    HealthyRosterError,
    InvalidRequestError,
    NotFoundError,
    ResponseError,
    TransportError,
)
from healthyroster_async._core.settings import (
    Environment,
    PacingSettings,
    RetrySettings,
    Timeouts,
)
from healthyroster_async._policies.renewal import fetch
from healthyroster_async._pool import ConnectionPool
from healthyroster_async.cli import _console, _options, _run
from healthyroster_async.cli.config import _file

# Any id will do: whoever is refused is refused before it is looked for.
_ANY_PROVIDER = "0"
_LIMIT_S = 30.0


@frozen(kw_only=True)
class _Result:
    """What was found out about one environment."""

    environment: Environment
    host: str
    works: bool = False
    says: str = ""
    status: int | None = None
    code: int = _run.FAILED
    credentials: Credentials | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, Any]:
        return {
            "environment": self.environment.value,
            "host": self.host,
            "works": self.works,
            "says": self.says,
            "status": self.status,
        }


@click.command("check")
@click.argument("name", required=False)
@click.option(
    "--provider",
    metavar="ID",
    help="A Healthcare Provider, to check its grant too.",
)
@_options.swagger
@_options.as_json
def command(
    name: str | None, *, provider: str | None, swagger: str | None, as_json: bool
) -> int:
    """Call the API once for each environment that is set up, and say what works.

    NAME is a profile; without one it is that of HEALTHYROSTER_PROFILE, or none. Without
    --provider it is found out whether the API takes the credentials, and no more.

    The exit code is 0 if all works, 3 if there is no access, 2 if the settings are
    wrong, and 1 for anything else.
    """
    for line in _config.unknown(sorted(os.environ)):
        _console.message(f"warning: {_console.plain(line)}")
    found = _settings(name, swagger)

    async def main() -> list[_Result]:
        return await _check_all(found, provider)

    results = _run.run(main)
    if as_json:
        _console.write_json([result.as_dict() for result in results])
    else:
        console = _console.output()
        for result in results:
            console.print(_line(result), soft_wrap=True)
    codes = {result.code for result in results if not result.works}
    return codes.pop() if len(codes) == 1 else _run.FAILED if codes else _run.DONE


def _settings(name: str | None, swagger: str | None) -> _config.Configuration:
    settings = _config.collect(os.environ, profile=name, swagger=swagger)
    if not settings.found:
        held = _file.document()
        names = ", ".join(sorted(k for k, v in held.items() if isinstance(v, dict)))
        if names:
            raise ConfigurationError(f"which profile? Give NAME; there is {names}")
    return _config.made_of(settings)


async def _check_all(
    found: _config.Configuration, provider: str | None
) -> list[_Result]:
    fetched = [
        await _fetched(environment, source, found.contract)
        for environment, source in found.credentials.items()
    ]
    check_apart({r.environment: r.credentials for r in fetched if r.credentials})
    return [
        result
        if result.credentials is None
        else await _called(result, result.credentials, found.contract, provider)
        for result in fetched
    ]


async def _fetched(
    environment: Environment,
    source: Credentials | FetchCredentials,
    contract: Contract,
) -> _Result:
    url = contract.base_urls.get(environment)
    if url is None:
        says = f"no base URL; set {_profiles.PREFIX}{environment.name}_BASE_URL"
        return _Result(
            environment=environment, host="?", says=says, code=_run.WRONG_USE
        )
    result = _Result(environment=environment, host=urlsplit(url).netloc)
    if isinstance(source, Credentials):
        return evolve(result, credentials=source)
    try:
        return evolve(result, credentials=await fetch(environment, source))
    except HealthyRosterError as error:
        return evolve(result, says=str(error), code=_run.code_of(error))


async def _called(
    result: _Result, credentials: Credentials, contract: Contract, provider: str | None
) -> _Result:
    environment = result.environment
    pool = ConnectionPool(
        {environment: credentials},
        contract=contract,
        timeouts=Timeouts(connect=10, attempt=20),
        retry=RetrySettings(max_attempts=1),
        pacing=PacingSettings(share=False, remember=False),
        deadline=_LIMIT_S,
    )
    async with pool:
        session = pool.session(_ANY_PROVIDER if provider is None else provider)
        try:
            sources = await session.reporting.data_sources()
        except HealthyRosterError as error:
            return _refused(result, error, provider)
    of = f"provider {provider or _ANY_PROVIDER} has {len(sources)} data sources"
    says = f"credentials accepted; {of}"
    return evolve(result, works=True, says=says, status=200)


def _refused(
    result: _Result, error: HealthyRosterError, provider: str | None
) -> _Result:
    """Return what an error says about the credentials."""
    code = _run.code_of(error)
    status = error.status if isinstance(error, ResponseError) else None
    works = False
    if isinstance(error, AuthenticationError):
        says = "credentials refused (401): application id or secret is wrong"
    elif isinstance(error, ForbiddenError):
        works = provider is None
        says = "credentials accepted; " + (
            "which providers are granted is not checked without --provider"
            if works
            else f"no grant for provider {provider} or for listing its data sources "
            "(403)"
        )
    elif isinstance(error, NotFoundError | InvalidRequestError):
        works = provider is None
        says = "credentials not refused; " + (
            f"without --provider no more is known ({status})"
            if works
            else f"provider {provider} is not known, or the base URL is wrong "
            f"({status})"
        )
    elif isinstance(error, TransportError):
        says = f"no answer: {error.reason}"
    else:
        # What the label says would be the same in every line.
        says = str(error).removeprefix(f"{getattr(error, 'label', '')}: ")
    return evolve(result, works=works, says=says, status=status, code=code)


def _line(result: _Result) -> Text:
    mark, style = ("ok", "bold green") if result.works else ("not ok", "bold red")
    return Text.assemble(
        (mark, style),
        f"  {result.environment.value} {result.host}: {_console.plain(result.says)}",
    )
