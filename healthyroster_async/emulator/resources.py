"""The resources beside reporting, in the vendor's default vocabulary: one table."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from healthyroster_async.emulator.shapes import Argument, Field, Resource

ENUMS: Mapping[str, tuple[str, ...]] = {
    "AppointmentStatus": ("Booked", "Arrived", "Completed", "Cancelled", "NoShow"),
    "BodySide": ("Left", "Right", "Bilateral", "N/A"),
    "CancelReason": ("Weather", "Illness", "Other"),
    "DocumentKind": ("Consent", "Imaging", "Insurance", "Letter"),
    "OrganizationType": ("HighSchool", "College", "Club", "Employer"),
    "PatientStatus": ("Active", "Limited", "Out", "Archived"),
    "ReferralUrgency": ("Routine", "Soon", "Urgent"),
    "Severity": ("Minor", "Moderate", "Severe"),
    "Sport": ("Soccer", "Basketball", "Rowing", "Track & Field", "Field Hockey"),
}

MODELS: Mapping[str, tuple[Field, ...]] = {
    "Address": (
        Field("street", "text"),
        Field("city", "family"),
        Field("postalCode", "code"),
        Field("distanceKm", "double", nulls=0.3),
    ),
    "Contact": (
        Field("name", "contact", required=True),
        Field("phone", "phone"),
        Field("isPrimary", "bool"),
    ),
    "ServiceLine": (
        Field("serviceId", "link", "Services"),
        Field("minutes", "int"),
        Field("charge", "double", nulls=0.2),
    ),
}
"""Objects inside of others."""

_SCOPE = Field("healthcareProviderId", "provider", made=True)
_PATIENT = Field("patientId", "link", "Patients", required=True)
_CREATED = Field("createdAt", "utc", made=True)
_MODIFIED = Field("modifiedAt", "naive", nulls=0.2, made=True)
_NOTES = Field("notes", "note", nulls=0.3)

_NAME = Argument(
    "filter.name", "text", "Part of the name.", test="contains", column="name"
)


def _range(column: str, *, required: bool = False) -> tuple[Argument, Argument]:
    first = Argument("from", "date", f"First {column}.", test="from", column=column)
    last = Argument("to", "date", f"Last {column}.", test="to", column=column)
    return evolve(first, required=required), evolve(last, required=required)


RESOURCES: tuple[Resource, ...] = (
    Resource(
        one="Patient",
        many="Patients",
        text="Athletes and employees under care",
        verbs=("list", "get", "create", "update", "delete"),
        paging="page",
        filters=(
            Argument("status", "enum", "Status.", of="PatientStatus", column="status"),
            Argument(
                "sports",
                "enum",
                "Any of these sports, with commas between.",
                of="Sport",
                many="csv",
                test="any",
                column="sport",
            ),
            _NAME,
            *_range("registeredOn"),
            Argument("organizationId", "int", "Organization.", column="organizationId"),
        ),
        fields=(
            Field("name", "patientName", required=True),
            Field("dateOfBirth", "birth", required=True),
            Field("registeredOn", "day", made=True),
            Field("status", "enum", "PatientStatus"),
            Field("sport", "enum", "Sport", nulls=0.1),
            Field("organizationId", "link", "Organizations"),
            Field("teamIds", "links", "Teams"),
            Field("email", "email", nulls=0.2),
            Field("heightCm", "double", nulls=0.2),
            Field("isMinor", "bool"),
            Field("address", "object", "Address", nulls=0.3),
            Field("emergencyContacts", "objects", "Contact"),
            Field("customFields", "map"),
            _CREATED,
            _MODIFIED,
        ),
    ),
    Resource(
        one="Organization",
        many="Organizations",
        text="Schools, clubs and employers, as a tree",
        verbs=("list", "get", "create"),
        paging="index",
        filters=(
            Argument("type", "enum", "Type.", of="OrganizationType", column="type"),
            Argument("isActive", "bool", "Whether in use.", column="isActive"),
        ),
        fields=(
            Field("name", "organizationName", required=True),
            Field("type", "enum", "OrganizationType", required=True),
            Field("isActive", "bool"),
            Field("parent", "parent", "Organization", nulls=0.01, made=True),
            Field("address", "object", "Address"),
            Field("ratio", "double"),
            Field("externalNumber", "long", nulls=0.2),
        ),
    ),
    Resource(
        one="Team",
        many="Teams",
        text="Teams and departments",
        paging="offset",
        filters=(
            Argument("sport", "enum", "Sport.", of="Sport", column="sport"),
            Argument(
                "organizationIds",
                "int",
                "Any of these organizations, repeated.",
                many="multi",
                test="any",
                column="organizationId",
            ),
        ),
        fields=(
            Field("name", "teamName"),
            Field("sport", "enum", "Sport"),
            Field("organizationId", "link", "Organizations"),
            Field("season", "year"),
            Field("tags", "texts"),
        ),
    ),
    Resource(
        one="Provider",
        many="Providers",
        text="Athletic trainers and other staff",
        paging="skip",
        filters=(_NAME,),
        fields=(
            Field("name", "providerName"),
            Field("npi", "long"),
            Field("email", "email"),
            Field("isActive", "bool"),
            Field("lastSignInAt", "offset", nulls=0.3),
            Field("organizationIds", "links", "Organizations"),
        ),
    ),
    Resource(
        one="TeamManager",
        many="TeamManagers",
        text="Coaches, who see what was shared with them",
        paging="link",
        fields=(
            Field("name", "contact"),
            Field("email", "email"),
            Field("teamId", "link", "Teams"),
            Field("invitedOn", "date", nulls=0.2),
        ),
    ),
    Resource(
        one="Problem",
        many="Problems",
        text="Injuries and illnesses of a patient",
        verbs=("list", "get", "create", "update"),
        paging="token",
        below="Patients",
        filters=_range("onsetOn"),
        fields=(
            Field("bodyPart", "bodyPart", required=True),
            Field("side", "enum", "BodySide", required=True),
            Field("severity", "enum", "Severity", nulls=0.2),
            Field("onsetOn", "day", required=True),
            Field("resolvedOn", "date", nulls=0.5),
            Field("diagnosisCode", "code", nulls=0.2),
            Field("painScore", "score"),
            _NOTES,
            _CREATED,
        ),
    ),
    Resource(
        one="IncidentReport",
        many="IncidentReports",
        text="What happened, where and when",
        verbs=("list", "get", "create"),
        paging="next",
        ids="text",
        filters=(
            *_range("occurredOn"),
            Argument("severity", "enum", "Severity.", of="Severity", column="severity"),
        ),
        fields=(
            _PATIENT,
            Field("occurredOn", "day", required=True),
            Field("occurredAt", "offset", made=True),
            Field("severity", "enum", "Severity"),
            Field("description", "note", required=True),
            Field("witnesses", "objects", "Contact"),
            Field("temperatureC", "double", nulls=0.4),
            _CREATED,
        ),
    ),
    Resource(
        one="Referral",
        many="Referrals",
        text="Follow-up services elsewhere",
        verbs=("list", "get", "update"),
        paging="page",
        filters=(
            Argument(
                "urgencies",
                "enum",
                "Any of these urgencies, with bars between.",
                of="ReferralUrgency",
                many="pipes",
                test="any",
                column="urgency",
            ),
        ),
        fields=(
            _PATIENT,
            Field("urgency", "enum", "ReferralUrgency", required=True),
            Field("referredTo", "contact", nulls=0.1),
            Field("dueOn", "date", nulls=0.2),
            Field("isAccepted", "bool", nulls=0.3),
            _NOTES,
            _MODIFIED,
        ),
    ),
    Resource(
        one="Encounter",
        many="Encounters",
        text="Treatments and evaluations",
        verbs=("list", "get", "create"),
        paging="token",
        ids="guid",
        filters=(
            *_range("startedOn"),
            Argument(
                "modifiedSince",
                "utc",
                "Changed then or later.",
                test="since",
                column="changedAt",
            ),
            Argument("patientId", "int", "Patient.", column="patientId"),
        ),
        fields=(
            _PATIENT,
            Field("providerId", "link", "Providers"),
            Field("startedOn", "day", required=True),
            Field("startsAt", "naive", made=True),
            Field("changedAt", "utc", made=True),
            Field("minutes", "int"),
            Field("lines", "objects", "ServiceLine"),
            _NOTES,
        ),
    ),
    Resource(
        one="Service",
        many="Services",
        text="Activities that an encounter can have",
        verbs=("list",),
        fields=(
            Field("name", "serviceName"),
            Field("code", "code"),
            Field("defaultMinutes", "int", nulls=0.2),
            Field("isBillable", "bool"),
        ),
    ),
    Resource(
        one="Document",
        many="Documents",
        text="Files of patients",
        verbs=("list", "get", "delete"),
        paging="page",
        ids="guid",
        filters=(Argument("kind", "enum", "Kind.", of="DocumentKind", column="kind"),),
        fields=(
            Field("title", "serviceName"),
            Field("fileName", "fileName"),
            Field("contentType", "contentType"),
            Field("sizeBytes", "size"),
            Field("kind", "enum", "DocumentKind", nulls=0.1),
            Field("patientId", "link", "Patients", nulls=0.2),
            Field("uploadedAt", "utc"),
        ),
    ),
    Resource(
        one="Appointment",
        many="Appointments",
        text="The calendar",
        verbs=("list", "get", "create"),
        filters=(
            *_range("date", required=True),
            Argument(
                "status", "enum", "Status.", of="AppointmentStatus", column="status"
            ),
        ),
        fields=(
            _PATIENT,
            Field("providerId", "link", "Providers", nulls=0.1),
            Field("date", "day", required=True),
            Field("startsAt", "offset", made=True),
            Field("status", "enum", "AppointmentStatus", made=True),
            Field("isRecurring", "bool"),
            _NOTES,
        ),
    ),
)

BY_NAME: Mapping[str, Resource] = {resource.many: resource for resource in RESOURCES}


def fields_of(resource: Resource) -> tuple[Field, ...]:
    """Return every field of a resource, its id and its provider first."""
    identity = Field("id", "id", resource.many, made=True)
    above = BY_NAME.get(resource.below or "")
    parents = (Field(above.id_name, "above", above.many, made=True),) if above else ()
    return (identity, _SCOPE, *parents, *resource.fields)
