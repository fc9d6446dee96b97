"""Operations of the document against a server that heeds it, over real sockets."""

import datetime as dt
import uuid

import attrs
import pytest
from documents import document, operation

from healthyroster_async import (
    ConnectionPool,
    Contract,
    DecodingError,
    Environment,
    File,
    InvalidRequestError,
    Paging,
)
from healthyroster_async.emulator import Emulator
from healthyroster_async.testing import ScriptedTransport, scripted_pool

COUNT = 130
DAY = dt.date(2001, 2, 3)


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


def pool_of(emulator):
    return ConnectionPool(
        emulator.credentials,
        contract=Contract.from_swagger(
            emulator.swagger(), base_urls={Environment.SANDBOX: emulator.url}
        ),
    )


async def results(**settings):
    """Return the same answers of an emulator, as plain values."""
    emulator = Emulator(providers=2, rows=5, items=7, **settings)
    async with emulator, pool_of(emulator) as pool:
        operations = pool.session(1).operations
        patients = [
            attrs.asdict(p) async for p in operations.get_patients.pages(pageSize=3)
        ]
        organization = await operations.get_organization(organizationId=1)
        made = await operations.create_patient(
            body={"name": "Quill Feather", "date_of_birth": DAY, "is_minor": False}
        )
        sources = await operations.get_datasources()
        return {
            "patients": patients,
            "organization": attrs.asdict(organization),
            "made": (made.name, made.date_of_birth, made.is_minor),
            "sources": [attrs.asdict(s) for s in sources],
            "names": sorted(operations),
        }


async def test_the_version_and_the_case_of_a_document_do_not_show():
    """
    Swagger 2.0, OpenAPI 3.0 and 3.1, PascalCase and camelCase: the same typed results.
    """
    expected = await results()
    patient = expected["patients"][0]

    assert len(expected["patients"]) == 7
    assert type(patient["date_of_birth"]) is dt.date
    assert expected["made"] == ("Quill Feather", DAY, False)
    for version in ("2.0", "3.0", "3.1"):
        for casing in ("camel", "pascal", "snake"):
            got = await results(document_version=version, key_casing=casing)
            assert got == expected, f"{version}, {casing}"


@pytest.fixture
async def clinic():
    emulator = Emulator(providers=2, items=COUNT, max_page_size=20)
    async with emulator, pool_of(emulator) as pool:
        yield pool.session(1).operations


@pytest.mark.parametrize(
    ("name", "kind", "arguments"),
    [
        ("get_patients", "page", {"pageSize": 50}),
        ("get_organizations", "page", {}),
        ("get_teams", "offset", {"limit": 7}),
        ("get_providers", "offset", {}),
        ("get_team_managers", "link", {}),
        ("get_encounters", "token", {}),
        ("get_incident_reports", "next", {}),
        ("get_problems", "token", {"patientId": 1}),
    ],
)
async def test_every_way_to_page_is_found_and_gone_through(
    clinic, name, kind, arguments
):
    """
    The server gives at most 20 at once, whatever is asked; no item twice or left out.
    """
    operation = clinic[name]
    ids = [item.id async for item in operation.pages(**arguments)]

    assert operation.paging.kind == kind
    assert len(ids) == len(set(ids)) == COUNT


async def test_arguments_of_every_kind_arrive(clinic):
    """
    The server answers 400 to whatever is not as its document says.
    """
    today = dt.date(2026, 1, 31)
    await clinic.get_patients(
        status="Active",
        sports=["Soccer", "Rowing"],
        filter_name="a b&c",
        from_=today,
        to="2026-02-28",
    )
    await clinic.get_teams(organizationIds=[1, 2])
    await clinic.get_referrals(
        urgencies=clinic.get_referrals.operation.parameters and []
    )
    await clinic.get_encounters(modified_since=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    await clinic.create_patient(
        Idempotency_Key=uuid.uuid4(),
        body=clinic.models.Patient(name="Quill", date_of_birth=DAY),
    )
    assert await clinic.delete_patient(patientId=1, X_Reason="a test") is None


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.txt"
    path.write_bytes(b"\x00 scan \r\n")
    return path


async def test_files_go_up_and_come_down(clinic, scan):
    """
    Bytes, a path or a File go up; what comes down is bytes.
    """
    for file in (b"abc", scan, File(b"abc", "scan.txt", "text/plain")):
        made = await clinic.upload_document(file=file, title="A scan", patientId=1)
        assert made.title == "A scan"
    document = (await clinic.get_documents()).items[0]
    content = await clinic.get_document_content(documentId=document.id)

    assert type(content) is bytes
    assert content


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "contentMediaType": "image/png"},
        {"contentMediaType": "image/png"},
        {},
        {"type": "array", "items": {}},
    ],
)
async def test_a_file_is_one_however_the_document_writes_it(schema, scan):
    """
    OpenAPI 3.1 has no format for it; whoever uploads has the same bytes, path or File.
    """
    form = {"schema": {"type": "object", "properties": {"x": schema}}}
    upload = operation(requestBody={"content": {"multipart/form-data": form}})
    contract = Contract.from_swagger(document(CreateNote=upload))
    transport = ScriptedTransport([[]] * 3)

    async with scripted_pool(transport, contract=contract) as pool:
        call = pool.session(1).operations.create_note
        for file in (b"abc", scan, File(b"abc", "scan.txt", "text/plain")):
            await call(x=[file] if "items" in schema else file)

    contents = [b"abc", b"\x00 scan \r\n", b"abc"]
    for request, content in zip(transport.requests, contents, strict=True):
        assert b"\r\n\r\n" + content + b"\r\n--" in request.body


async def test_an_answer_can_be_had_as_it_came(clinic):
    """
    For its status and its header fields, or where a document is wrong.
    """
    response = await clinic.get_account(raw=True)

    assert response.status == 200
    assert response.json() == await clinic.get_account()


async def test_nothing_is_sent_that_the_server_would_refuse():
    """
    A wrong argument costs no call.
    """
    async with Emulator(providers=1, items=3) as emulator, pool_of(emulator) as pool:
        session = pool.session(1)
        with pytest.raises(ValueError, match="status is none of"):
            await session.operations.get_patients(status="Asleep")
        with pytest.raises(TypeError, match="patientId is of type str"):
            await session.call("GetPatient", patientId="x")
        with pytest.raises(TypeError, match="body lacks"):
            await session.call("CreateEncounter", body={})

        assert sum(emulator.seen.by_endpoint.values()) == 0


async def test_a_page_elsewhere_is_not_followed():
    """
    The secret would go with it.
    """
    async with Emulator(providers=1, items=30) as emulator, pool_of(emulator) as pool:
        operation = pool.session(1).operations.get_account
        paging = Paging(kind="next", key="url", items="")
        with pytest.raises(DecodingError, match="no list of items"):
            _ = [item async for item in operation.pages(paging=paging)]
        request = operation._request({})
        for url in (
            "https://elsewhere.test/HealthcareProvider/1/Account",
            "//elsewhere.test/",
            "http://127.0.0.1:1/HealthcareProvider/1/Account",
            emulator.url.replace("127.0.0.1", "127.0.0.1@elsewhere.test"),
            "/\r\nX: 1",
            "http://[",
            *(
                f"{emulator.url}/HealthcareProvider/1/{out}/other-tenant"
                for out in (
                    "..",
                    "%2e%2e",
                    "%2E.",
                    ".",
                    "x%2f..",
                    "..;x",
                    "x\\..",
                    "%5Cx",
                )
            ),
        ):
            with pytest.raises(DecodingError, match="out of the base URL"):
                operation._caller.request_url(request, url)


async def test_a_page_of_another_provider_is_not_followed():
    """
    Its rows would be taken for those of the one who was asked.
    """
    async with Emulator(providers=2) as emulator, pool_of(emulator) as pool:
        operation = pool.session(1).operations.get_account
        request = operation._request({})
        own = emulator.url
        for url in (
            "/HealthcareProvider/2/Account",
            f"{own}/healthcareprovider/2/Account?page=2",
            f"{own}/HealthcareProvider/1%30/Account",
            f"{own}//HealthcareProvider/2/Account",
            f"{own}/%2fHealthcareProvider//2/Account",
            f"{own}/HealthcareProvider",
        ):
            with pytest.raises(DecodingError, match="to another provider"):
                operation._caller.request_url(request, url)
        for url in (
            "?page=2",
            f"{own}/healthcareprovider/1/Account?page=../2",
            f"{own}/HealthcareProvider/%31/Account",
            f"{own}//HealthcareProvider//1/Account",
            f"{own}/pages/2",
            f"{own}/HealthcareProvider/1/Account...more",
        ):
            assert operation._caller.request_url(request, url).provider_id == 1


async def test_a_base_url_that_holds_the_id_hides_no_other_provider():
    """
    Some APIs have their version as a number there, and it is some provider's id.
    """
    async with (
        Emulator(providers=2, path_prefix="/api/1") as emulator,
        pool_of(emulator) as pool,
    ):
        operation = pool.session(1).operations.get_account
        request = operation._request({})
        with pytest.raises(DecodingError, match="to another provider"):
            operation._caller.request_url(
                request, f"{emulator.url}/HealthcareProvider/2/Account"
            )
        followed = operation._caller.request_url(request, "?page=2")
        assert followed.provider_id == 1


async def test_what_the_server_refuses_after_all_is_an_error_of_its_own(clinic):
    """
    Documents do not say everything.
    """
    with pytest.raises(InvalidRequestError):
        await clinic.get_encounters(continuationToken="made up")
