"""The operations of the swagger document as methods of a session."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

from typing_extensions import override

from healthyroster_async._core.errors import UsageError
from healthyroster_async._core.settings import check_type

# Each session has such an object; what it can do is imported when somebody calls one.
if TYPE_CHECKING:
    from healthyroster_async._caller import Caller
    from healthyroster_async._resources.operations import OperationCall, Registry
    from healthyroster_async._schema_models import Models


class SessionOperations:
    """Every operation of the swagger document, about one Healthcare Provider.

    ``operations.get_patients(...)`` calls one, ``dir(operations)`` names them all,
    ``help(operations.get_patients)`` says what one takes. ``operations.models`` has the
    classes of the answers.
    """

    __slots__ = ("_caller", "_given")

    def __init__(self, caller: Caller, registry: Registry | None = None) -> None:
        self._caller = caller
        self._given = registry

    @property
    def _registry(self) -> Registry:
        from healthyroster_async._resources.operations import (  # noqa: PLC0415
            registry_of,
        )

        # Looked up when it is needed: each session has such an object.
        return self._given or registry_of(self._caller.contract.operations)

    @property
    def models(self) -> Models:
        """The classes of the answers, by the document's names."""
        return self._registry.models

    def with_models(self, models: ModuleType) -> SessionOperations:
        """Return the same operations, whose answers are classes of a module.

        Packages that ``healthyroster contract generate`` writes do this by themselves.
        What a module has no class for is of one that is made, as always.

        Args:
            models: The module, such as ``clinic_api.models``.

        Raises:
            ConfigurationError: It is no module.
        """
        from healthyroster_async._resources.operations import (  # noqa: PLC0415
            registry_of,
        )

        give = "the module models of a generated package"
        check_type("models", models, ModuleType, give)
        registry = registry_of(self._registry.operations, models)
        return SessionOperations(self._caller, registry)

    def __getattr__(self, name: str) -> OperationCall:
        if name.startswith("_"):
            raise AttributeError(name)
        operations = self._registry.operations
        if operations.document is None:
            raise UsageError(
                "the operations of the API are not known: make the contract with "
                'Contract.from_swagger("swagger.json")'
            )
        if name not in operations:
            near = operations.near(name)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise AttributeError(
                f"the swagger document has no operation {name!r}{hint}"
            )
        return self._call(name)

    def _call(self, name: str) -> OperationCall:
        from healthyroster_async._resources.operations import (  # noqa: PLC0415
            OperationCall,
        )

        return OperationCall(self._caller, self._registry.get(name))

    def __getitem__(self, name: str) -> OperationCall:
        """Return the operation of a name or operationId."""
        return self._call(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry.operations)

    def __len__(self) -> int:
        return len(self._registry.operations)

    @override
    def __dir__(self) -> list[str]:
        return sorted({"models", *self._registry.operations})

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    @override
    def __repr__(self) -> str:
        return f"<{len(self)} operations of provider {self._caller.provider_id}>"
