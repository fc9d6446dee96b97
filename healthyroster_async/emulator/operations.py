"""The operations beside reporting: worked out from the table of resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from attrs import field, frozen

from healthyroster_async.emulator.paging import ARGUMENTS
from healthyroster_async.emulator.resources import BY_NAME, RESOURCES
from healthyroster_async.emulator.schema import cased
from healthyroster_async.emulator.shapes import Argument, PagingKind, Resource

Task: TypeAlias = Literal[
    "list",
    "get",
    "create",
    "update",
    "delete",
    "upload",
    "download",
    "send",
    "account",
    "cancel",
]
REPORTING: Mapping[str, str] = {
    "data_sources": "GetDatasources",
    "data_source": "GetDataSource",
    "rows": "GetDatasourceData",
}
"""The endpoints of reporting, and their operation ids."""
_ROOT = "/HealthcareProvider/{id}"


@frozen(kw_only=True)
class Operation:
    """One operation.

    Attributes:
        id: Its operationId.
        method: HTTP method.
        path: Path template.
        task: What it does.
        resource: What it does it with.
        summary: What the document says about it.
        tag: Where the document shows it.
        arguments: What it takes beside the path and a JSON body.
        paging: How its list is cut into pages.
        status: Status of its answer.
        deprecated: Whether the document says so.
    """

    id: str
    method: str
    path: str
    task: Task
    resource: Resource
    summary: str
    tag: str
    arguments: tuple[Argument, ...] = field(default=(), repr=False)
    paging: PagingKind = "none"
    status: int = 200
    deprecated: bool = False

    @property
    def endpoint(self) -> str:
        """Name of the endpoint, for grants, faults and counters."""
        return cased(self.id, "snake")

    @property
    def filters(self) -> tuple[Argument, ...]:
        """The arguments that filter a list."""
        return tuple(argument for argument in self.arguments if argument.column)


_KEY = Argument(
    "Idempotency-Key", "guid", "The same for every attempt.", place="header"
)
_REASON = Argument(
    "X-Reason", "text", "Why, for the audit log.", place="header", required=True
)


def base_path(resource: Resource) -> str:
    """Return the path of the list of a resource."""
    if resource.below is None:
        return f"{_ROOT}/{resource.many}"
    return f"{item_path(BY_NAME[resource.below])}/{resource.many}"


def item_path(resource: Resource) -> str:
    """Return the path of one object of a resource."""
    return f"{base_path(resource)}/{{{resource.id_name}}}"


def _derived(resource: Resource) -> Iterator[Operation]:
    one, many = resource.one, resource.many
    article = "an" if one[0] in "AEIO" else "a"
    arguments: Mapping[str, tuple[Argument, ...]] = {
        "list": (*resource.filters, *ARGUMENTS[resource.paging]),
        "create": (_KEY,),
        "delete": (_REASON,),
    }
    rows: Mapping[str, tuple[str, str, int, str]] = {
        "list": (f"Get{many}", "GET", 200, f"Lists {many}"),
        "get": (f"Get{one}", "GET", 200, f"Returns {article} {one}"),
        "create": (f"Create{one}", "POST", 201, f"Creates {article} {one}"),
        "update": (f"Update{one}", "PUT", 200, f"Replaces {article} {one}"),
        "delete": (f"Delete{one}", "DELETE", 204, f"Deletes {article} {one}"),
    }
    for verb in resource.verbs:
        name, method, status, summary = rows[verb]
        whole = verb in {"list", "create"}
        yield Operation(
            id=name,
            method=method,
            path=base_path(resource) if whole else item_path(resource),
            task=verb,
            resource=resource,
            summary=summary,
            tag=many,
            arguments=arguments.get(verb, ()),
            paging=resource.paging if verb == "list" else "none",
            status=status,
        )


_DOCUMENTS, _PATIENTS = BY_NAME["Documents"], BY_NAME["Patients"]
_APPOINTMENTS = BY_NAME["Appointments"]
_OTHERS = (
    Operation(
        id="UploadDocument",
        method="POST",
        path=base_path(_DOCUMENTS),
        task="upload",
        resource=_DOCUMENTS,
        summary="Uploads a file",
        tag="Documents",
        arguments=(
            Argument("file", "file", "The file.", place="form", required=True),
            Argument("title", "text", "Its title.", place="form", required=True),
            Argument("patientId", "int", "Its patient.", place="form"),
        ),
        status=201,
    ),
    Operation(
        id="GetDocumentContent",
        method="GET",
        path=f"{item_path(_DOCUMENTS)}/Content",
        task="download",
        resource=_DOCUMENTS,
        summary="Downloads the file of a Document",
        tag="Documents",
    ),
    Operation(
        id="CancelAppointment",
        method="POST",
        path=f"{item_path(_APPOINTMENTS)}/Cancel",
        task="cancel",
        resource=_APPOINTMENTS,
        summary="Cancels an Appointment",
        tag="Appointments",
        arguments=(
            Argument("reason", "enum", "Why.", of="CancelReason", required=True),
            Argument("notify", "bool", "Whether to tell the patient."),
        ),
    ),
    Operation(
        id="SendMessage",
        method="POST",
        path=f"{_ROOT}/Messages",
        task="send",
        resource=_PATIENTS,
        summary="Sends a message to a patient",
        tag="Messages",
        arguments=(
            Argument("patientId", "int", "To whom.", place="form", required=True),
            Argument("subject", "text", "Subject.", place="form", required=True),
            Argument("text", "text", "What it says.", place="form"),
            Argument("isUrgent", "bool", "Whether at once.", place="form"),
        ),
    ),
    Operation(
        id="GetAthletes",
        method="GET",
        path=f"{_ROOT}/Athletes",
        task="list",
        resource=_PATIENTS,
        summary="Lists Patients; GetPatients does it better",
        tag="Patients",
        deprecated=True,
    ),
    Operation(
        id="GetAccount",
        method="GET",
        path=f"{_ROOT}/Account",
        task="account",
        resource=_PATIENTS,
        summary="Returns what is known of the account",
        tag="Account",
    ),
)

OPERATIONS: tuple[Operation, ...] = (
    *(operation for resource in RESOURCES for operation in _derived(resource)),
    *_OTHERS,
)
"""Every operation beside the three of reporting."""

ENDPOINTS: tuple[str, ...] = (
    *REPORTING,
    *(operation.endpoint for operation in OPERATIONS),
)
"""Name of every endpoint."""

TAGS: Mapping[str, str] = {
    **{resource.many: resource.text for resource in RESOURCES},
    "Messages": "What patients are told",
    "Account": "The account itself",
}
"""What the document says about each tag."""
