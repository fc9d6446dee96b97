"""The nine data sources, in the vendor's default vocabulary."""

from __future__ import annotations

from healthyroster_async.emulator.schema import Column, Parameter, Source

_ORGANIZATION = (
    Column("organizationId", "organization", "Organization of the record."),
    Column("organizationName", "organizationName", "Name of the organization."),
)
_PATIENT = (
    Column("patientId", "key", "Patient of the record."),
    Column("patientName", "patientName", "Full name of the patient."),
)
_TEAM = (
    Column("teamId", "key", "Team of the patient.", 0.1),
    Column("teamName", "teamName", "Name of the team.", 0.1),
)
_AUTHOR = (
    Column("enteredById", "key", "Provider who entered the record."),
    Column("enteredByName", "providerName", "Name of that provider."),
)
_CHANGES = (
    Column("modifiedAt", "naive", "Last change, in the account's time zone.", 0.2),
    Column("modifiedByName", "providerName", "Who changed it last.", 0.2),
    Column("externalId", "guid", "Id in the customer's own system.", 0.4),
    Column("isDeleted", "flag", "Whether the record was deleted."),
)
_NESTED = (
    Column("customFields", "object", "Fields that the account defined itself."),
    Column("attachments", "array", "Files attached to the record."),
)
_BY_ORGANIZATION = Parameter(
    "OrganizationId", "integer", "Only this organization.", "organizationId"
)
_NOT_DELETED = Parameter(
    "DeletedOnly", "boolean", "Only records that were deleted.", "isDeleted"
)


def _enum(name: str, description: str, *values: str) -> Column:
    return Column(name, "enum", description, 0.0, values)


_STATUS = _enum("status", "Where the record stands.", "Open", "In Progress", "Closed")
_BY_STATUS = Parameter(
    "Status", "string", "Only this status.", "status", _STATUS.values
)
_BODY_PART = _enum(
    "bodyPart", "Body part.", "Ankle", "Knee", "Shoulder", "Wrist", "Head", "Lower Back"
)
_SIDE = _enum("side", "Side of the body.", "Left", "Right", "Bilateral", "N/A")
_SPORT = _enum("sport", "Sport.", "Soccer", "Basketball", "Rowing", "Track & Field")

_PATIENTS = Source(
    key="patients",
    name="Patients",
    description="Demographics of every patient, one row each.",
    date="registeredOn",
    stamp="createdAt",
    rest=(
        Column("firstName", "given", "First name."),
        Column("lastName", "family", "Last name."),
        Column("patientName", "patientName", "Full name."),
        Column("dateOfBirth", "birth", "Date of birth."),
        _enum("gender", "Gender.", "Female", "Male", "Other", "Not stated"),
        Column("email", "email", "Email address.", 0.15),
        Column("phone", "phone", "Telephone number.", 0.3),
        Column("heightCm", "measure", "Height in centimetres.", 0.2),
        Column("weightKg", "measure", "Weight in kilograms.", 0.2),
        Column("graduationYear", "year", "Year of graduation.", 0.25),
        *_ORGANIZATION,
        *_TEAM,
        _SPORT,
        Column("jerseyNumber", "small", "Jersey number.", 0.5),
        Column("isActive", "flag", "Whether the patient is on a roster now."),
        Column("hasInsurance", "flag", "Whether an insurance is on file."),
        Column("insuranceGroup", "code", "Group number of the insurance.", 0.6),
        Column("physicalOn", "date", "Last pre-participation physical.", 0.3),
        Column("allergies", "note", "Known allergies, as entered.", 0.6),
        Column("emergencyContact", "contact", "Whom to call.", 0.1),
        Column("baselineScore", "measure", "Baseline score.", 0.7),
        *_CHANGES,
        *_NESTED,
    ),
    filters=(
        _BY_ORGANIZATION,
        Parameter("ActiveOnly", "boolean", "Only patients on a roster.", "isActive"),
        Parameter("Sport", "string", "Only this sport.", "sport", _SPORT.values),
        _NOT_DELETED,
    ),
)

_ENCOUNTER_TYPE = _enum(
    "encounterType", "Kind.", "Evaluation", "Treatment", "Rehab", "Follow Up", "Note"
)
_ENCOUNTERS = Source(
    key="encounters",
    name="Encounters",
    description="Every encounter of a provider with a patient.",
    date="encounterDate",
    stamp="enteredAt",
    rest=(
        *_PATIENT,
        *_ORGANIZATION,
        *_TEAM,
        Column("problemId", "key", "Problem that was treated.", 0.2),
        _ENCOUNTER_TYPE,
        _STATUS,
        Column("startedAt", "naive", "Start, in the account's time zone."),
        Column("endedAt", "offset", "End, with the offset of the time zone.", 0.1),
        Column("durationMinutes", "small", "Length in minutes.", 0.1),
        _BODY_PART,
        _SIDE,
        Column("painBefore", "score", "Pain before, 0 to 10.", 0.2),
        Column("painAfter", "score", "Pain after, 0 to 10.", 0.2),
        Column("rangeOfMotion", "measure", "Range of motion in degrees.", 0.5),
        Column("subjective", "note", "What the patient says."),
        Column("objective", "note", "What was found.", 0.1),
        Column("assessment", "note", "What the provider concludes.", 0.2),
        Column("plan", "note", "What happens next.", 0.2),
        _enum("participation", "May take part.", "Full", "Limited", "None"),
        Column("isSigned", "flag", "Whether the encounter is signed."),
        Column("isBillable", "flag", "Whether it can be billed."),
        Column("procedureCode", "code", "Code of the procedure.", 0.3),
        *_AUTHOR,
        *_CHANGES,
        *_NESTED,
    ),
    filters=(
        _BY_ORGANIZATION,
        Parameter(
            "EncounterTypes",
            "array",
            "Only these kinds.",
            "encounterType",
            _ENCOUNTER_TYPE.values,
        ),
        Parameter("SignedOnly", "boolean", "Only signed encounters.", "isSigned"),
        _BY_STATUS,
        _NOT_DELETED,
    ),
)

_PROBLEMS = Source(
    key="problems",
    name="Problems",
    description="Every problem on file, with its course.",
    date="onsetDate",
    stamp="reportedAt",
    rest=(
        *_PATIENT,
        *_ORGANIZATION,
        *_TEAM,
        _STATUS,
        _BODY_PART,
        _SIDE,
        Column("diagnosis", "note", "Diagnosis in words."),
        Column("diagnosisCode", "code", "Diagnosis code.", 0.2),
        _enum("severity", "Severity.", "Mild", "Moderate", "Severe"),
        _enum("mechanism", "How it happened.", "Contact", "Overuse", "Fall", "Unknown"),
        Column("resolvedOn", "date", "Day it was resolved.", 0.4),
        Column("daysLost", "small", "Days without taking part.", 0.3),
        Column("isRecurrent", "flag", "Whether it came back."),
        Column("isConcussion", "flag", "Whether it is a concussion."),
        Column("surgeryOn", "date", "Day of surgery.", 0.9),
        Column("description", "note", "What happened, as entered.", 0.1),
        *_AUTHOR,
        *_CHANGES,
        *_NESTED,
    ),
    filters=(
        _BY_ORGANIZATION,
        _BY_STATUS,
        Parameter("ConcussionsOnly", "boolean", "Only concussions.", "isConcussion"),
        _NOT_DELETED,
    ),
)

_INCIDENTS = Source(
    key="incident-reports",
    name="Incident Reports",
    description="Reports of what happened, filed by staff and coaches.",
    date="incidentDate",
    stamp="filedAt",
    rest=(
        *_PATIENT,
        *_ORGANIZATION,
        *_TEAM,
        Column("problemId", "key", "Problem that followed.", 0.4),
        _enum("setting", "Where.", "Practice", "Competition", "Conditioning", "Other"),
        _enum("surface", "Ground.", "Grass", "Turf", "Court", "Ice", "Water"),
        Column("occurredAt", "naive", "When, in the account's time zone."),
        Column("narrative", "note", "The report."),
        Column("witnessName", "contact", "Who saw it.", 0.5),
        Column("guardianNotified", "flag", "Whether a guardian was told."),
        Column("emergencyCalled", "flag", "Whether emergency services were called."),
        Column("temperatureC", "temperature", "Temperature in degrees Celsius.", 0.3),
        Column("actionTaken", "note", "What was done at once.", 0.2),
        *_AUTHOR,
        *_CHANGES,
        *_NESTED,
    ),
    filters=(
        _BY_ORGANIZATION,
        Parameter("EmergenciesOnly", "boolean", "Only emergencies.", "emergencyCalled"),
    ),
)

_REFERRALS = Source(
    key="referrals",
    name="Referrals",
    description="Referrals to other providers and what became of them.",
    date="referredOn",
    stamp="createdAt",
    rest=(
        *_PATIENT,
        *_ORGANIZATION,
        Column("problemId", "key", "Problem that was referred."),
        _STATUS,
        _enum("urgency", "Urgency.", "Routine", "Soon", "Urgent"),
        _enum("specialty", "Specialty.", "Orthopedics", "Imaging", "Physical Therapy"),
        Column("referredToName", "providerName", "Who receives the patient."),
        Column("appointmentAt", "offset", "Appointment, with its offset.", 0.3),
        Column("isCompleted", "flag", "Whether the visit took place."),
        Column("reason", "note", "Why."),
        Column("outcome", "note", "What came back.", 0.5),
        Column("estimatedCost", "money", "Estimated cost.", 0.6),
        *_AUTHOR,
        *_CHANGES,
        *_NESTED,
    ),
    filters=(
        _BY_ORGANIZATION,
        _BY_STATUS,
        Parameter("CompletedOnly", "boolean", "Only completed ones.", "isCompleted"),
    ),
)

_SERVICES = Source(
    key="services",
    name="Services",
    description="Single services given, with units and time.",
    date="serviceDate",
    stamp="enteredAt",
    rest=(
        *_PATIENT,
        *_ORGANIZATION,
        *_TEAM,
        Column("encounterId", "key", "Encounter it belongs to.", 0.1),
        Column("serviceCode", "code", "Code of the service."),
        Column("serviceName", "serviceName", "Name of the service."),
        Column("units", "small", "Units."),
        Column("minutes", "small", "Minutes."),
        Column("unitPrice", "money", "Price of a unit.", 0.3),
        Column("isBillable", "flag", "Whether it can be billed."),
        _BODY_PART,
        _SIDE,
        Column("comment", "note", "Comment.", 0.6),
        *_AUTHOR,
        *_CHANGES,
        *_NESTED,
    ),
    filters=(
        _BY_ORGANIZATION,
        Parameter("BillableOnly", "boolean", "Only billable ones.", "isBillable"),
    ),
)

_ORGANIZATIONS = Source(
    key="organizations",
    name="Organizations",
    description="The organizations that the account serves.",
    date="startedOn",
    stamp="createdAt",
    rest=(
        *_ORGANIZATION,
        _enum("kind", "Kind.", "School", "Club", "Employer", "Clinic"),
        Column("phone", "phone", "Telephone number.", 0.2),
        Column("email", "email", "Email address.", 0.2),
        Column("timeZone", "timeZone", "Time zone."),
        Column("patientCount", "count", "Patients on the rosters."),
        Column("teamCount", "small", "Teams."),
        Column("isActive", "flag", "Whether it is served now."),
        Column("contractEndsOn", "date", "End of the contract.", 0.4),
        Column("remarks", "note", "Remarks.", 0.5),
        *_CHANGES,
        *_NESTED,
    ),
    filters=(
        _BY_ORGANIZATION,
        Parameter("ActiveOnly", "boolean", "Only active ones.", "isActive"),
    ),
)

_TEAMS = Source(
    key="teams",
    name="Teams",
    description="The teams and their seasons.",
    date="seasonStart",
    stamp="createdAt",
    rest=(
        Column("teamName", "teamName", "Name of the team."),
        *_ORGANIZATION,
        _SPORT,
        _enum("level", "Level.", "Varsity", "Junior Varsity", "Freshman", "Club"),
        _enum("season", "Season.", "Fall", "Winter", "Spring", "Summer"),
        Column("seasonEnd", "date", "End of the season.", 0.2),
        Column("managerName", "providerName", "Team manager.", 0.2),
        Column("managerEmail", "email", "Email address of the manager.", 0.3),
        Column("rosterSize", "small", "Patients on the roster."),
        Column("isActive", "flag", "Whether the team is active."),
        *_CHANGES,
        *_NESTED,
    ),
    filters=(
        _BY_ORGANIZATION,
        Parameter("Sport", "string", "Only this sport.", "sport", _SPORT.values),
        Parameter("ActiveOnly", "boolean", "Only active teams.", "isActive"),
    ),
)

_PROVIDERS = Source(
    key="providers",
    name="Providers",
    description="The athletic trainers and other providers of the account.",
    date="hiredOn",
    stamp="createdAt",
    rest=(
        Column("firstName", "given", "First name."),
        Column("lastName", "family", "Last name."),
        Column("providerName", "providerName", "Full name."),
        _enum("role", "Role.", "Athletic Trainer", "Physician", "Administrator"),
        Column("email", "email", "Email address."),
        Column("phone", "phone", "Telephone number.", 0.4),
        *_ORGANIZATION,
        Column("licenseNumber", "code", "License number.", 0.2),
        Column("licenseExpiresOn", "date", "Last day of the license.", 0.2),
        Column("weeklyHours", "measure", "Contracted hours a week.", 0.3),
        Column("isActive", "flag", "Whether the provider works here now."),
        Column("lastLoginAt", "utc", "Last login, in UTC.", 0.3),
        Column("biography", "note", "About the provider.", 0.4),
        *_CHANGES,
        *_NESTED,
    ),
    filters=(
        _BY_ORGANIZATION,
        Parameter("ActiveOnly", "boolean", "Only active providers.", "isActive"),
    ),
)

SOURCES = (
    _PATIENTS,
    _ENCOUNTERS,
    _PROBLEMS,
    _INCIDENTS,
    _REFERRALS,
    _SERVICES,
    _ORGANIZATIONS,
    _TEAMS,
    _PROVIDERS,
)
