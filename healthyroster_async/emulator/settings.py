"""What can be set about the emulator, checked when it is built."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import Attribute, define, field

from healthyroster_async._core.credentials import Credentials
from healthyroster_async._core.errors import ConfigurationError
from healthyroster_async._core.settings import Environment
from healthyroster_async.emulator import encoding
from healthyroster_async.emulator.checks import choice, number, whole
from healthyroster_async.emulator.document_versions import NUMBERS, DocumentVersion
from healthyroster_async.emulator.faults import Fault, FaultPlan, endpoint_name
from healthyroster_async.emulator.limits import RateLimit
from healthyroster_async.emulator.operations import ENDPOINTS
from healthyroster_async.emulator.schema import Casing, Source
from healthyroster_async.emulator.selection import BadParameterError, select
from healthyroster_async.emulator.sources import SOURCES
from healthyroster_async.emulator.values import Style

ProviderId: TypeAlias = int | str
SourceId: TypeAlias = int | str
IdStyle: TypeAlias = Literal["int", "guid", "text"]

_NAMESPACE = uuid.UUID("6f1d1f0a-0000-4000-8000-68656d756c61")
MAX_PORT = 65535
_DEFAULT_ROWS = 1000
# Filters look at every object, and one list gives them all at once.
_MOST_ITEMS = 100_000
_PAIR = 2
_OUTAGES = frozenset({"html", "reset", "status"})


def _providers(given: int | Iterable[int | str]) -> tuple[ProviderId, ...]:
    if isinstance(given, int):
        if isinstance(given, bool) or given < 0:
            raise ConfigurationError(f"providers is {given!r}; give a count or ids")
        return tuple(range(1, given + 1))
    if isinstance(given, str):
        raise ConfigurationError(f"providers is the text {given!r}; give a list of ids")
    ids = tuple(given)
    for provider in ids:
        if isinstance(provider, bool) or not isinstance(provider, int | str):
            raise ConfigurationError(f"provider id {provider!r} is no int and no text")
        if provider in {"", "*"}:
            raise ConfigurationError(f"{provider!r} cannot be the id of a provider")
    if len({str(provider) for provider in ids}) < len(ids):
        raise ConfigurationError("providers holds an id twice")
    return ids


def _count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(f"{name} is {value!r}; give a whole number from 0")
    return value


def _rows_by_key(given: int | Mapping[str, int]) -> dict[str, int]:
    """Return the rows of each source, by its key."""
    if not isinstance(given, Mapping):
        return dict.fromkeys((source.key for source in SOURCES), _count(given, "rows"))
    rows = dict.fromkeys((source.key for source in SOURCES), _DEFAULT_ROWS)
    for name, count in given.items():
        found = [s for s in SOURCES if str(name).lower() in {s.key, s.name.lower()}]
        if not found:
            names = ", ".join(source.name for source in SOURCES)
            raise ConfigurationError(f"rows names {name!r}; data sources are {names}")
        rows[found[0].key] = _count(count, f"rows of {name}")
    return rows


def _environments(given: Sequence[Environment]) -> tuple[Environment, ...]:
    members = tuple(given)
    if not members or len(set(members)) < len(members):
        raise ConfigurationError("environments is empty or names one twice")
    for member in members:
        if not isinstance(member, Environment):
            raise ConfigurationError(
                f"environments holds {member!r}; give members of Environment"
            )
    return members


def _path_prefix(given: str) -> str:
    prefix = given.rstrip("/")
    if prefix and not prefix.startswith("/"):
        raise ConfigurationError(f"path_prefix is {given!r}; it begins with a slash")
    return prefix


def _envelope(_: object, attribute: Attribute[Any], value: str | None) -> None:
    if value is not None and not all(value.split(".")):
        raise ConfigurationError(
            f"{attribute.name} is {value!r}; give a key, or keys with dots between"
        )


def _compression(instance: object, attribute: Attribute[Any], value: Any) -> None:
    choice(None, *encoding.CODINGS)(instance, attribute, value)
    if value is not None:
        encoding.check(value)


def _cells(
    given: Iterable[ProviderId | tuple[ProviderId, str]],
) -> set[tuple[str, str]]:
    """Return provider and endpoint of each denial; a provider alone is all of it."""
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise ConfigurationError(f"denied is {given!r}; give a list of providers")
    return {_cell(one) for one in given}


def _cell(given: Any) -> tuple[str, str]:
    pair = (given, "*") if isinstance(given, int | str) else given
    # A pair without its list would deny everything: (3, "*").
    if given == "*" or not isinstance(pair, tuple | list) or len(pair) != _PAIR:
        raise ConfigurationError(
            f"denied holds {given!r}; give ids of providers, or pairs of such an id "
            "and an endpoint, with '*' for all"
        )
    return str(pair[0]), endpoint_name(pair[1])


def _make_credentials(seed: int, environment: Environment) -> Credentials:
    name = environment.value
    rng = random.Random(f"{seed}/{name}/credentials")  # noqa: S311 - opens nothing
    return Credentials(
        f"emulated-{name}-{rng.getrandbits(32):08x}",
        f"{name}-secret-{rng.getrandbits(128):032x}",
    )


def _outage(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, Fault) or value.kind not in _OUTAGES:
        raise ConfigurationError(
            f"{attribute.name} is {value!r}; give a Fault of the kind "
            + ", ".join(sorted(_OUTAGES))
        )
    if any(n is not None for n in (value.every, value.probability, value.times)):
        raise ConfigurationError(
            f"{attribute.name} meets every request while it lasts; give a Fault "
            "without every, probability and times"
        )


def _rate_limit(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and not isinstance(value, RateLimit):
        raise ConfigurationError(f"{attribute.name} is {value!r}; give a RateLimit")


@define(kw_only=True, eq=False)
class Settings:
    """Settings of an emulator, and the questions they answer.

    Attributes:
        providers: Ids of the Healthcare Providers; a number makes ids from 1 on.
        rows: Rows of each provider in each data source; a mapping by name of the data
            source leaves the others at 1000.
        items: Objects of each resource beside reporting that a provider has; of a
            resource below another, that each object above it has. They are made up
            when asked for, and none that is created, changed or deleted is kept so.
        max_page_size: Objects of a page at most, whatever a request asks for.
        environments: Each listens on a port of its own and has its own credentials.
        seed: Seed of everything that is made up.
        key_casing: How keys in models and rows are spelled.
        envelope: Key of the rows in an object around them, dots for deeper ones;
            ``None`` answers a bare array.
        list_envelope: The same for the list of data sources.
        pretty: Whether rows are indented.
        id_style: What ids of data sources look like.
        document_version: Version of the swagger document. 2.0 has room for one host
            only: there the document of each environment names its own.
        compression: Coding of answers, used if the request accepts it.
        latency: Seconds that an answer takes longer.
        capacity: Requests that are worked on at once, each for ``latency`` seconds; the
            others wait for their turn, and none is turned away. ``None`` is no bound.
        rate_limit: How often an application may call. A new one begins with a clean
            slate.
        faults: What goes wrong.
        outage: What every request meets instead of the API, credentials and limit
            included, while this is set: a fault of the kind ``status``, ``html`` or
            ``reset``.
        clock_skew: Seconds that the server's clock is ahead, in Date and in every
            absolute time it sends.
        denied: Pairs of provider id and endpoint that are not granted, ``*`` for all;
            a provider id alone denies all of its endpoints.
        nested: Whether some columns hold objects and arrays.
        application_id_header: Name of the header of the application id.
        application_secret_header: Name of the header of the secret.
        host: Address to listen on.
        port: Port of the first environment; 0 takes a free one. The others listen on
            the ports after it, or on free ones.
        path_prefix: Path before every route.
    """

    providers: tuple[ProviderId, ...] = field(
        default=_providers(20), converter=_providers, repr=False
    )
    _rows: dict[str, int] = field(
        default=_rows_by_key(_DEFAULT_ROWS),
        converter=_rows_by_key,
        alias="rows",
        repr=False,
    )
    items: int = field(default=50, validator=whole(least=0, most=_MOST_ITEMS))
    max_page_size: int = field(default=100, validator=whole(least=1))
    environments: tuple[Environment, ...] = field(
        default=(Environment.SANDBOX,), converter=_environments
    )
    seed: int = field(default=0, validator=whole(least=0))
    key_casing: Casing = field(
        default="camel", validator=choice("camel", "pascal", "snake")
    )
    envelope: str | None = field(default=None, validator=_envelope)
    list_envelope: str | None = field(default=None, validator=_envelope)
    pretty: bool = False
    id_style: IdStyle = field(default="int", validator=choice("int", "guid", "text"))
    document_version: DocumentVersion = field(default="3.0", validator=choice(*NUMBERS))
    compression: encoding.Coding | None = field(default=None, validator=_compression)
    latency: float = field(default=0.0, validator=number(least=0.0))
    capacity: int | None = field(default=None, validator=whole(least=1))
    rate_limit: RateLimit | None = field(default=None, validator=_rate_limit)
    _faults: Sequence[Fault] = field(default=(), alias="faults")
    outage: Fault | None = field(default=None, validator=_outage)
    clock_skew: float = field(default=0.0, validator=number())
    _denied: set[tuple[str, str]] = field(
        factory=set, converter=_cells, alias="denied", repr=False
    )
    nested: bool = False
    application_id_header: str = "X-Application-Id"
    application_secret_header: str = "X-Application-Secret"  # noqa: S105 - a name
    host: str = "127.0.0.1"
    port: int = field(default=0, validator=whole(least=0, most=MAX_PORT))
    path_prefix: str = field(default="", converter=_path_prefix)
    _plan: FaultPlan = field(init=False, repr=False)
    _credentials: dict[Environment, Credentials] = field(init=False, repr=False)
    _provider_ids: dict[str, ProviderId] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        names = (self.application_id_header, self.application_secret_header)
        if not all(names) or names[0].lower() == names[1].lower():
            raise ConfigurationError(
                "application_id_header and application_secret_header must be two names"
            )
        self._plan = FaultPlan(self._faults, self.seed)
        self._credentials = {
            environment: _make_credentials(self.seed, environment)
            for environment in self.environments
        }
        self._provider_ids = {str(provider): provider for provider in self.providers}
        named = [fault.provider for fault in self.faults]
        for provider in (*named, *(provider for provider, _ in self._denied)):
            self._check_provider(provider)

    @property
    def style(self) -> Style:
        """How rows are written."""
        return Style(self.seed, self.key_casing, self.pretty, self.nested)

    @property
    def credentials(self) -> dict[Environment, Credentials]:
        """Credentials of each environment; the seed decides the first ones."""
        return dict(self._credentials)

    @property
    def whole_ids(self) -> bool:
        """Whether the id of every provider is a whole number."""
        return all(isinstance(provider, int) for provider in self.providers)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Names of the endpoints, as grants and faults take them."""
        return ENDPOINTS

    @property
    def sources(self) -> tuple[SourceId, ...]:
        """Ids of the data sources."""
        return tuple(self.source_id(source) for source in SOURCES)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong at the moment, or can."""
        return tuple(count.fault for count in self._plan.counts)

    def add_fault(self, fault: Fault | None = None, /, **settings: Any) -> None:
        """Let one more thing go wrong from now on.

        Args:
            fault: What goes wrong; or else
            **settings: what ``Fault`` takes: ``add_fault(kind="reset", times=1)``.

        Raises:
            ConfigurationError: A setting is wrong, or there is no such provider.
        """
        made = Fault(**settings) if fault is None else fault
        self._check_provider(made.provider)
        self._plan.add(made)

    def clear_faults(self) -> None:
        """Let nothing go wrong from now on."""
        self._plan.counts.clear()

    def next_fault(self, endpoint: str, provider: ProviderId) -> Fault | None:
        """Count a request and return what goes wrong with it."""
        return self._plan.next(endpoint, provider)

    def deny(self, provider: ProviderId = "*", endpoint: str = "*") -> None:
        """Take a grant away; ``*`` stands for all of them.

        Raises:
            ConfigurationError: There is no such provider or endpoint.
        """
        self._check_provider(provider)
        self._denied.add((str(provider), endpoint_name(endpoint)))

    def grant(self, provider: ProviderId = "*", endpoint: str = "*") -> None:
        """Undo denials of this provider and this endpoint; ``*`` undoes all of them.

        A denial that was made with ``*`` is undone with ``*``.

        Raises:
            ConfigurationError: There is no such provider or endpoint.
        """
        self._check_provider(provider)
        endpoint_name(endpoint)
        self._denied = {
            (p, e)
            for p, e in self._denied
            if str(provider) not in {"*", p} or endpoint not in {"*", e}
        }

    def granted(self, provider: str, endpoint: str) -> bool:
        """Return whether the application may ask this of a provider."""
        cells = {(p, e) for p in (provider, "*") for e in (endpoint, "*")}
        return not cells & self._denied

    def provider(self, text: str) -> ProviderId | None:
        """Return the provider that a path names, if there is one."""
        return self._provider_ids.get(text)

    def _check_provider(self, provider: ProviderId) -> None:
        if provider != "*" and self.provider(str(provider)) is None:
            raise ConfigurationError(
                f"provider is {provider!r}, which the emulator does not have; give one "
                "of its providers, or '*'"
            )

    def source_id(self, source: Source) -> SourceId:
        """Return the id of a data source in the style that was set."""
        if self.id_style == "guid":
            return str(uuid.uuid5(_NAMESPACE, source.key))
        return source.key if self.id_style == "text" else SOURCES.index(source) + 1

    def source(self, source_id: SourceId) -> Source | None:
        """Return the data source of an id, if there is one."""
        wanted = str(source_id).lower()
        for source in SOURCES:
            if str(self.source_id(source)) == wanted:
                return source
        return None

    def rows_of(self, source: Source) -> int:
        """Return how many rows every provider has in a data source."""
        return self._rows[source.key]

    def expected_rows(
        self, provider: ProviderId, source: SourceId, **parameters: Any
    ) -> int:
        """Return how many rows a whole pull returns, without making them.

        Args:
            provider: Provider id.
            source: Id of the data source, or its name.
            **parameters: As they would be sent; dates may be ``datetime.date``.

        Raises:
            ConfigurationError: The server would not answer this with rows.
        """
        found = self.source(source)
        if found is None:
            names = {s.name.lower(): s for s in SOURCES} | {s.key: s for s in SOURCES}
            found = names.get(str(source).lower())
        known = self.provider(str(provider))
        if found is None or known is None:
            raise ConfigurationError(
                f"there is no provider {provider!r} with a data source {source!r}"
            )
        try:
            return select(
                found,
                parameters,
                provider=known,
                rows=self.rows_of(found),
                seed=self.seed,
            ).count
        except BadParameterError as error:
            raise ConfigurationError(f"{error.name}: {error.message}") from None
