"""The emulator's endpoints beside reporting, asked by a plain aiohttp client."""

import contextlib
import io
import re

import aiohttp
import jsonschema
import orjson
import pytest
import yarl

from healthyroster_async._core.settings import Environment
from healthyroster_async.emulator import Emulator, Fault, RateLimit
from healthyroster_async.emulator.operations import OPERATIONS
from healthyroster_async.emulator.schema import cased

RANGE = {"from": "2025-01-01", "to": "2026-12-31"}
BODIES = {
    "create_patient": {"name": "Zib", "dateOfBirth": "2009-02-28"},
    "create_organization": {"name": "Zob", "type": "Club"},
    "create_problem": {"bodyPart": "Knee", "side": "Left", "onsetOn": "2026-01-02"},
    "create_incident_report": {
        "patientId": 3,
        "occurredOn": "2026-01-02",
        "description": "Fell.",
    },
    "create_encounter": {"patientId": 3, "startedOn": "2026-01-02"},
    "create_appointment": {"patientId": 3, "date": "2026-01-02"},
    "update_referral": {"patientId": 3, "urgency": "Soon"},
}
BODIES["update_patient"] = BODIES["create_patient"]
BODIES["update_problem"] = BODIES["create_problem"]
NEEDED = {
    "get_appointments": {"params": RANGE},
    "cancel_appointment": {"params": {"reason": "Weather"}},
    "delete_patient": {"headers": {"X-Reason": "Moved away"}},
    "delete_document": {"headers": {"X-Reason": "Wrong file"}},
    "send_message": {"data": {"patientId": "3", "subject": "Ice"}},
}


class Caller:
    """A client without opinions: one request, one answer."""

    def __init__(self, emulator, session):
        self.emulator = emulator
        self.session = session
        (credentials,) = emulator.credentials.values()
        self.credentials = {
            emulator.application_id_header: credentials.application_id,
            emulator.application_secret_header: credentials.application_secret.reveal(),
        }

    async def raw(self, method, url, **options):
        headers = self.credentials | options.pop("headers", {})
        url = yarl.URL(url, encoded=True)
        async with self.session.request(
            method, url, headers=headers, **options
        ) as response:
            return response, await response.read()

    async def below(self, method, path, provider=1, **options):
        url = f"{self.emulator.url}/HealthcareProvider/{provider}/{path}"
        return await self.raw(method, url, **options)

    async def get(self, path, **params):
        response, body = await self.below("GET", path, params=params)
        assert response.status == 200, body
        return orjson.loads(body)

    async def errors(self, method, path, **options):
        response, body = await self.below(method, path, **options)
        assert response.status == 400, body
        assert response.content_type == "application/problem+json"
        return orjson.loads(body)["errors"]

    async def valid(self, operation, provider=1):
        """Call an operation as its document says, with the first object there is."""
        options = dict(NEEDED.get(operation.endpoint, {}))
        if operation.endpoint in BODIES:
            casing = self.emulator.key_casing
            body = BODIES[operation.endpoint]
            options["json"] = {cased(name, casing): body[name] for name in body}
        if operation.task == "upload":
            options["data"] = upload()
        path = operation.path.replace("/HealthcareProvider/{id}/", "")
        firsts = {
            "documentId": await self.first("Documents", provider),
            "encounterId": await self.first("Encounters", provider),
            "incidentReportId": "IR-00001",
        }
        for name in re.findall(r"\{(\w+)\}", path):
            path = path.replace(f"{{{name}}}", str(firsts.get(name, 1)))
        return await self.below(operation.method, path, provider, **options)

    async def first(self, path, provider):
        _, body = await self.below("GET", f"{path}?pageSize=1", provider)
        page = {key.lower(): value for key, value in orjson.loads(body).items()}
        listed = page.get("items") or [{}]
        return next((v for key, v in listed[0].items() if key.lower() == "id"), None)


@contextlib.asynccontextmanager
async def running(**options):
    options.setdefault("providers", 2)
    async with (
        Emulator(**options) as emulator,
        aiohttp.ClientSession() as session,
    ):
        yield emulator, Caller(emulator, session)


def upload(size=5, **fields):
    form = aiohttp.FormData()
    for name, value in ({"title": "A scan"} | fields).items():
        form.add_field(name, value)
    form.add_field("file", io.BytesIO(b"\xff" * size), filename="scan.pdf")
    return form


def ids(objects):
    return [one["id"] for one in objects]


# What the document says is what is served


@pytest.mark.parametrize("casing", ["camel", "pascal", "snake"])
async def test_every_answer_is_what_the_document_says(casing):
    """
    Models that are made from the document must fit every answer.
    """
    async with running(key_casing=casing, document_version="3.1") as (emulator, caller):
        document = emulator.swagger()
        for operation in OPERATIONS:
            response, body = await caller.valid(operation)

            assert response.status == operation.status, (operation.id, body)
            said = document["paths"][operation.path][operation.method.lower()]
            content = said["responses"][str(operation.status)].get("content", {})
            for kind, media in content.items():
                assert response.content_type == kind
                if kind == "application/json":
                    schema = media["schema"] | {"components": document["components"]}
                    jsonschema.validate(orjson.loads(body), schema)


async def test_each_endpoint_has_its_grant_its_counter_and_its_faults():
    """
    The vendor grants endpoints one by one, so each must be told from all others.
    """
    async with running(denied=[(2, "get_patient")]) as (emulator, caller):
        for operation in OPERATIONS:
            emulator.seen.clear()
            emulator.deny(1, operation.endpoint)
            denied, _ = await caller.valid(operation)
            counted = set(emulator.seen.by_endpoint)
            emulator.grant(1, operation.endpoint)
            emulator.add_fault(Fault(kind="status", endpoint=operation.endpoint))
            broken, _ = await caller.valid(operation)
            emulator.clear_faults()
            assert (denied.status, broken.status) == (403, 503), operation.id
            # The caller asks two lists for an id before each call.
            assert counted == {operation.endpoint, "get_documents", "get_encounters"}
        other, _ = await caller.below("GET", "Patients/1", 2)
        mine, _ = await caller.below("GET", "Patients/1", 1)

        assert (other.status, mine.status) == (403, 200)


async def test_limits_come_before_grants_and_credentials_before_limits():
    """
    The order is that of the endpoints of reporting: one server, one gate.
    """
    limit = RateLimit(rate=1, per=1000, burst=2)
    async with running(rate_limit=limit, denied=[(1, "get_teams")]) as (_, caller):
        secret = dict.fromkeys(caller.credentials, "wrong")
        unknown, _ = await caller.below("GET", "Teams", headers=secret)
        denied, _ = await caller.below("GET", "Teams")
        missing, _ = await caller.below("GET", "Teams", 99)
        limited, _ = await caller.below("GET", "Teams")

        assert [unknown.status, denied.status] == [401, 403]
        assert [missing.status, limited.status] == [404, 429]


# Pages


@pytest.mark.parametrize("prefix", ["", "/api/v2"])
async def test_every_way_to_page_gives_every_object_once(prefix):
    """
    A client that pages wrongly leaves objects out, or gives them twice.
    """
    async with running(items=60, path_prefix=prefix) as (_, caller):
        expected = list(range(1, 61))

        pages = [
            await caller.get("Patients", page=n, pageSize=25) for n in (1, 2, 3, 4)
        ]
        assert [len(page["items"]) for page in pages] == [25, 25, 10, 0]
        assert {page["totalCount"] for page in pages} == {60}
        assert ids([one for page in pages for one in page["items"]]) == expected

        bare = [await caller.get("Organizations", pageIndex=n) for n in (0, 1, 2, 3)]
        assert ids([one for page in bare for one in page]) == expected

        offsets = [await caller.get("Teams", offset=n, limit=40) for n in (0, 40, 80)]
        assert ids([one for page in offsets for one in page["results"]]) == expected

        skips = [await caller.get("Providers", skip=n, top=40) for n in (0, 40)]
        assert ids([one for page in skips for one in page["value"]]) == expected
        assert len(await caller.get("Services")) == len(expected)


async def test_a_token_leads_from_page_to_page_and_cannot_be_made_up():
    """
    It holds what a query must quote, so a client that does not quote is seen.
    """
    async with running(items=60) as (_, caller):
        found, given = [], {}
        while True:
            page = await caller.get("Patients/7/Problems", pageSize=25, **given)
            found += ids(page["items"])
            assert len(found) <= 60
            if page["continuationToken"] is None:
                break
            given = {"continuationToken": page["continuationToken"]}
        path = f"Patients/7/Problems?{'&'.join('='.join(x) for x in given.items())}"
        unquoted = await caller.errors("GET", path)
        invented = await caller.errors(
            "GET", "Encounters", params={"continuationToken": "MQ=="}
        )

        assert found == list(range(1, 61))
        assert list(unquoted) == list(invented) == ["continuationToken"]


@pytest.mark.parametrize("prefix", ["", "/api/v2"])
async def test_links_lead_from_page_to_page_with_everything_that_was_asked(prefix):
    """
    A client only follows them; filters must not get lost on the way.
    """
    async with running(items=60, path_prefix=prefix) as (emulator, caller):
        linked, url = [], f"{emulator.url}/HealthcareProvider/1/TeamManagers?perPage=25"
        while url:
            response, body = await caller.raw("GET", url)
            linked += ids(orjson.loads(body))
            assert len(linked) <= 60
            url = str(response.links.get("next", {}).get("url", ""))
        nexts, url = [], f"{emulator.url}/HealthcareProvider/1/IncidentReports"
        url += "?severity=Minor&limit=4"
        while url:
            _, body = await caller.raw("GET", url)
            page = orjson.loads(body)
            nexts += page["items"]
            assert len(nexts) <= 60
            url = page["next"]
        every = (await caller.get("IncidentReports", limit=100))["items"]

        assert linked == list(range(1, 61))
        assert ids(nexts) == ids(one for one in every if one["severity"] == "Minor")
        assert 4 < len(nexts) < 60


async def test_the_server_cuts_pages_without_a_word():
    """
    A page that is shorter than what was asked for is not the last one.
    """
    async with running(items=30, max_page_size=10) as (_, caller):
        page = await caller.get("Patients", pageSize=1000)
        bare = await caller.get("Organizations", pageSize=1000)

        assert (len(page["items"]), page["pageSize"]) == (10, 10)
        assert len(bare) == 10


async def test_lists_may_be_empty():
    """
    A new account has nothing, and nothing must break for it.
    """
    async with running(items=0) as (_, caller):
        for operation in OPERATIONS:
            if operation.task == "list" and "Id}" not in operation.path:
                response, _ = await caller.valid(operation)
                assert response.status == 200
        missing, _ = await caller.below("GET", "Patients/1")
        created, _ = await caller.below(
            "POST", "Patients", json=BODIES["create_patient"]
        )

        assert (missing.status, created.status) == (404, 201)


# Filters


async def test_filters_leave_what_they_say():
    """
    A filter that is encoded wrongly must not look as if it had worked.
    """
    async with running(items=100) as (_, caller):
        every = (await caller.get("Patients", pageSize=100))["items"]
        # Days on which somebody was registered: both ends belong to the range.
        days = [every[n]["registeredOn"] for n in (20, 60)]
        range_ = {"from": days[0], "to": days[1]}
        wanted = {
            (("status", "Active"),): lambda p: p["status"] == "Active",
            (("sports", "Soccer,Rowing"),): lambda p: (
                p["sport"] in {"Soccer", "Rowing"}
            ),
            (("sports", "Track & Field"),): lambda p: p["sport"] == "Track & Field",
            (("filter.name", "grübel"),): lambda p: "Grübel" in p["name"],
            tuple(range_.items()): lambda p: (
                range_["from"] <= p["registeredOn"] <= range_["to"]
            ),
        }
        for given, passes in wanted.items():
            page = await caller.get("Patients", pageSize=100, **dict(given))
            assert ids(page["items"]) == ids(p for p in every if passes(p)), given
            assert 0 < page["totalCount"] < 100

        teams = (await caller.get("Teams", limit=100))["results"]
        path = "Teams?limit=100&organizationIds=7&organizationIds=8"
        _, body = await caller.below("GET", path)
        assert ids(orjson.loads(body)["results"]) == ids(
            team for team in teams if team["organizationId"] in {7, 8}
        )
        since = "2026-06-01T00:00:00+00:00"
        changed = await caller.get("Encounters", pageSize=100, modifiedSince=since)
        assert all(one["changedAt"] >= "2026-06" for one in changed["items"])


async def test_the_data_is_the_seeds_and_each_providers_own():
    """
    A test that mixes providers up must see it.
    """
    async with running(seed=1) as (_, caller), running(seed=1) as (_, twin):
        first = await caller.get("Patients")
        again = await twin.get("Patients")
        _, body = await caller.below("GET", "Patients", 2)
        one = await caller.get("Patients/3")
        document = await caller.first("Documents", 1)
        elsewhere, _ = await caller.below("GET", f"Documents/{document}", 2)

        assert first == again
        assert first["items"][2] == one
        assert {p["healthcareProviderId"] for p in first["items"]} == {1}
        assert orjson.loads(body)["items"][0]["name"] != first["items"][0]["name"]
        assert elsewhere.status == 404


# What a client can encode wrongly


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("Patients?pagesize=5", "pagesize"),
        ("Patients?pageSize=5&pageSize=6", "pageSize"),
        ("Patients?pageSize=0", "pageSize"),
        ("Patients?pageSize=1.5", "pageSize"),
        ("Patients?pageSize=", "pageSize"),
        ("Patients?page=99999999999", "page"),
        ("Patients?status=active", "status"),
        ("Patients?sports=Soccer&sports=Rowing", "sports"),
        ("Patients?sports=Soccer%7CRowing", "sports"),
        ("Patients?sports=%5B%27Soccer%27%5D", "sports"),
        ("Patients?from_=2025-01-01", "from_"),
        ("Patients?from=2025-02-30", "from"),
        ("Patients?from=2025-01-01T00:00:00", "from"),
        ("Patients?filter_name=x", "filter_name"),
        ("Patients/x", "patientId"),
        ("Documents/7", "documentId"),
        ("Teams?organizationIds=1,2", "organizationIds"),
        ("Organizations?isActive=True", "isActive"),
        ("Encounters?modifiedSince=2026-01-01T00:00:00+00:00", "modifiedSince"),
        ("Appointments?from=2025-01-01", "to"),
    ],
)
async def test_a_wrong_query_is_refused_by_name(path, name):
    """
    A real server often shrugs at it, and a client is wrong for years.
    """
    async with running() as (_, caller):
        assert list(await caller.errors("GET", path)) == [name]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"name": None}, "name"),
        ({"Name": "x"}, "Name"),
        ({"dateOfBirth": "02/28/2009"}, "dateOfBirth"),
        ({"isMinor": "true"}, "isMinor"),
        ({"heightCm": "170"}, "heightCm"),
        ({"organizationId": 1.5}, "organizationId"),
        ({"organizationId": 2**31}, "organizationId"),
        ({"sport": "soccer"}, "sport"),
        ({"email": "nobody"}, "email"),
        ({"id": 7}, "id"),
        ({"address": {"town": "x"}}, "address.town"),
        ({"emergencyContacts": [{"name": "a"}, {}]}, "emergencyContacts[1].name"),
        ({"teamIds": 7}, "teamIds"),
        ({"customFields": {"locker": 7}}, "customFields.locker"),
    ],
)
async def test_a_wrong_body_is_refused_by_the_place(changes, name):
    """
    What a client writes is looked at as closely as what it reads.
    """
    async with running() as (_, caller):
        body = BODIES["create_patient"] | changes
        assert list(await caller.errors("POST", "Patients", json=body)) == [name]
        assert list(await caller.errors("PUT", "Patients/1", json=body)) == [name]


async def test_bodies_of_another_kind_are_refused():
    """
    415 where the content type is wrong, 400 where the content is.
    """
    async with running() as (_, caller):
        text, _ = await caller.below("POST", "Patients", data="{}")
        form, _ = await caller.below("POST", "Messages", json={"patientId": 3})
        file, _ = await caller.below("POST", "Documents", data={"title": "x"})
        header = {"Content-Type": "application/json"}
        broken = await caller.errors("POST", "Patients", data="{", headers=header)
        bare = await caller.errors("POST", "Patients", json=[])
        empty = await caller.errors("POST", "Patients")

        assert [text.status, form.status, file.status] == [415] * 3
        assert list(broken) == list(bare) == list(empty) == ["$"]


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"abc",
        b'Content-Disposition: form-data; name="title"\r\n\r\nabc',
        b'Content-Disposition: form-data; name="title"\r\n\r\n\xff\r\n--x--\r\n',
        b"Content-Type: text/plain; charset=none\r\n\r\na\r\n--x--\r\n",
        b"Content-Transfer-Encoding: none\r\n\r\na\r\n--x--\r\n",
        b"Content-Type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n--x--\r\n",
    ],
)
async def test_a_broken_form_is_the_clients_fault(part):
    """
    500 would be repeated, and come back.
    """
    async with running() as (_, caller):
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        data = b"--x\r\n" + part
        upload = await caller.errors("POST", "Documents", data=data, headers=kind)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        message = await caller.errors("POST", "Messages", data=b"\xff", headers=kind)

        assert list(upload) == list(message) == ["$"]


async def test_headers_and_forms_are_looked_at_too():
    """
    They are parameters like all others.
    """
    async with running() as (_, caller):
        key = {"Idempotency-Key": "once"}
        body = BODIES["create_patient"]
        reason = await caller.errors("DELETE", "Patients/1")
        once = await caller.errors("POST", "Patients", json=body, headers=key)
        message = {"patientId": "x", "subject": "Ice", "isUrgent": "1", "to": "y"}
        wrong = await caller.errors("POST", "Messages", data=message)
        nobody = {"patientId": "999", "subject": "Ice"}
        unknown, _ = await caller.below("POST", "Messages", data=nobody)

        assert list(reason) == ["X-Reason"]
        assert list(once) == ["Idempotency-Key"]
        assert sorted(wrong) == ["isUrgent", "patientId", "to"]
        assert unknown.status == 404


# Writing


async def test_what_is_created_or_replaced_comes_back_but_is_not_kept():
    """
    An emulator that stores would have to forget between tests.
    """
    async with running() as (_, caller):
        body = BODIES["create_patient"] | {"sport": "Rowing"}
        created, raw = await caller.below("POST", "Patients", json=body)
        made = orjson.loads(raw)
        later, _ = await caller.raw("GET", created.headers["Location"])
        club = BODIES["create_organization"]
        _, raw_club = await caller.below("POST", "Organizations", json=club)
        before = await caller.get("Patients/4")
        _, raw = await caller.below("PUT", "Patients/4", json=body)
        replaced = orjson.loads(raw)
        deleted, empty = await caller.below(
            "DELETE", "Patients/4", headers={"X-Reason": "x"}
        )

        assert made | body == made
        assert (made["id"], made["email"]) == (51, None)
        assert later.status == 404
        # What only the server gives a value keeps it.
        assert orjson.loads(raw_club)["parent"]["id"] > 0
        assert replaced | body == replaced
        assert replaced["id"] == 4
        assert (deleted.status, empty) == (204, b"")
        assert await caller.get("Patients/4") == before


async def test_files_go_up_and_come_down():
    """
    Bytes must arrive as they are, and a large file must not be kept in memory.
    """
    async with running() as (_, caller):
        _, raw = await caller.below("POST", "Documents", data=upload(3_000_000))
        sent = orjson.loads(raw)
        twice = await caller.errors("POST", "Documents", data=upload(title2="x"))
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("file", "no file name")
        plain = await caller.errors("POST", "Documents", data=form)
        document = (await caller.get("Documents", pageSize=1))["items"][0]
        file, content = await caller.below("GET", f"Documents/{document['id']}/Content")

        assert (sent["sizeBytes"], sent["fileName"]) == (3_000_000, "scan.pdf")
        assert sent["title"] == "A scan"
        assert list(twice) == ["title2"]
        assert sorted(plain) == ["file", "title"]
        assert len(content) == document["sizeBytes"]
        assert document["fileName"] in file.headers["Content-Disposition"]


async def test_a_path_says_which_methods_it_has():
    """
    A client that mistakes PATCH for PUT gets told.
    """
    async with running() as (_, caller):
        wrong, _ = await caller.below("PATCH", "Patients/4")
        slash, _ = await caller.below("GET", "PATIENTS/4/")
        nowhere, _ = await caller.below("GET", "Patients/4/Nothing")
        parent, _ = await caller.below("GET", "Patients/51/Problems")

        assert wrong.status == 405
        assert wrong.headers["Allow"] == "GET, PUT, DELETE"
        assert slash.status == 200
        assert [nowhere.status, parent.status] == [404, 404]


async def test_links_stay_in_their_environment():
    """
    Following one must never carry credentials to the other environment.
    """
    environments = tuple(Environment)
    async with (
        Emulator(environments=environments, items=60) as emulator,
        aiohttp.ClientSession() as session,
    ):
        for environment in environments:
            credentials = emulator.credentials[environment]
            base = emulator.base_urls[environment]
            headers = {
                emulator.application_id_header: credentials.application_id,
                emulator.application_secret_header: (
                    credentials.application_secret.reveal()
                ),
            }
            url = f"{base}/HealthcareProvider/1/IncidentReports"
            async with session.get(url, headers=headers) as response:
                assert (await response.json())["next"].startswith(base)
