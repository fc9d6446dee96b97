"""Recordings: what is in them, and that they play as it was."""

import asyncio
import contextlib
import json
import re
import secrets
import stat
import sys

import fakes
import pytest

from healthyroster_async import ConfigurationError, ForbiddenError
from healthyroster_async._core.messages import SignedRequest
from healthyroster_async._core.paging import next_link
from healthyroster_async.emulator import Emulator, Fault
from healthyroster_async.testing import (
    Answer,
    Recorder,
    Replay,
    ScriptedTransport,
    scripted_pool,
)


async def job(pool):
    """Do what an app does, and return what it sees of it."""
    clinic = pool.session(1)
    sources = await clinic.reporting.data_sources()
    detail = await clinic.reporting.data_source(sources[0])
    rows = await clinic.reporting.rows(detail, StartDate="2020-01-01").to_list()
    table = await clinic.reporting.rows(detail).to_arrow()
    with pytest.raises(ForbiddenError):
        await pool.session(2).reporting.data_sources()
    return sources, detail, rows, table


async def recorded(path, **options):
    async with (
        Emulator(providers=2, rows=40, denied=[(2, "*")]) as emulator,
        emulator.pool(transport=Recorder(path, **options)) as pool,
    ):
        seen = await job(pool)
        (own,) = emulator.credentials.values()
        contract = emulator.contract()
    return seen, own, contract, await asyncio.to_thread(path.read_text)


async def test_a_recording_plays_with_the_same_types_and_no_value_of_a_row(tmp_path):
    """
    It lies in a repository, where no patient belongs.
    """
    path = tmp_path / "clinic.json"
    (sources, detail, rows, table), own, contract, text = await recorded(path)
    replay = await asyncio.to_thread(Replay, path)
    async with scripted_pool(replay, contract=contract) as pool:
        again = await job(pool)

    assert again[:2] == (sources, detail)
    assert [list(row) for row in again[2]] == [list(row) for row in rows]
    assert again[3].schema == table.schema
    assert again[3].num_rows == table.num_rows
    for secret in (own.application_secret.reveal(), own.application_id):
        assert secret not in text
    private = {v for row in rows for v in row.values() if isinstance(v, str)}
    private |= {str(v) for row in rows for v in row.values() if isinstance(v, int)}
    # A date may be another row's by chance; descriptions name what a column may have.
    private = {v for v in private if len(v) > 5 and v[4:5] != "-"}
    calls = json.loads(text)["calls"]
    told = json.dumps([call for call in calls if call["request"].endswith("/Data")])
    assert len(private) > 100
    found = [value for value in private if value in told]
    # Six digits stand in hundreds of other numbers once in some hundred recordings; the
    # same place never has them.
    assert all(value.isdigit() and len(value) < 8 for value in found), found
    assert len(found) < 3
    for row, told_row in zip(rows, again[2], strict=True):
        same = [name for name in row if row[name] == told_row[name]]
        assert not {str(row[name]) for name in same} & private
    # Nor what was asked for: a recording has no place for it but in the answers.
    for call in calls:
        assert set(call) == {"request", "path", "status", "headers", "body"}
        assert "2020-01-01" not in json.dumps({**call, "body": None})


async def test_whoever_wants_health_data_has_to_say_so(tmp_path):
    """
    By default nobody has it by mistake.
    """
    path = tmp_path / "clinic.json"
    (_, _, rows, _), _, contract, text = await recorded(path, keep_health_data=True)
    replay = await asyncio.to_thread(Replay, path)
    async with scripted_pool(replay, contract=contract) as pool:
        again = await job(pool)

    assert again[2] == rows
    assert str(rows[0]["id"]) in text
    if sys.platform != "win32":
        assert stat.S_IMODE((await asyncio.to_thread(path.stat)).st_mode) == 0o600


def test_nobody_can_hold_the_file_of_a_recording_before_it_is_written(
    tmp_path, monkeypatch
):
    """
    In a folder of many, whoever made it or has it open would read along.
    """
    recorder = Recorder(tmp_path / "clinic.json", keep_health_data=True)
    known = tmp_path / ".clinic.json.partial"
    known.mkdir()
    recorder._write()
    assert sorted(p.name for p in tmp_path.iterdir()) == [known.name, "clinic.json"]

    monkeypatch.setattr(secrets, "token_hex", lambda size: "0")
    guessed = tmp_path / ".clinic.json.0.partial"
    guessed.write_text("")
    with guessed.open() as theirs, contextlib.suppress(FileExistsError):
        recorder._write()
        assert theirs.read() == ""


async def test_errors_tell_nothing_in_a_recording_either(tmp_path):
    """
    What the API says of an error may name people, also of what holds no rows.
    """
    path = tmp_path / "clinic.json"
    broken = Fault(kind="status", status=400, endpoint="data_sources")
    async with (
        Emulator(providers=1, faults=[broken]) as emulator,
        emulator.pool(transport=Recorder(path)) as pool,
    ):
        await pool.fan_out([1], lambda s: s.reporting.data_sources())
    (call,) = json.loads(await asyncio.to_thread(path.read_text))["calls"]

    assert call["status"] == 400
    assert "fault" not in json.dumps(call["body"]).lower()


async def test_a_recording_lies_in_the_home_as_people_write_it(tmp_path, monkeypatch):
    """
    Only its owner may read it there, if it has health data.
    """
    monkeypatch.setenv("HOME", str(tmp_path))
    recorder = Recorder("~/clinic.json", keep_health_data=True)
    async with Emulator(rows=1) as emulator, emulator.pool(transport=recorder) as pool:
        sources = await pool.session(1).reporting.data_sources()
        contract = emulator.contract()
    replay = await asyncio.to_thread(Replay, "~/clinic.json")
    async with scripted_pool(replay, contract=contract) as pool:
        assert await pool.session(1).reporting.data_sources() == sources

    def modes():
        return {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}

    assert await asyncio.to_thread(modes) == {"clinic.json": 0o600}


async def test_what_was_not_recorded_is_said(tmp_path):
    """
    Code that has changed needs another recording, not a guess.
    """
    path = tmp_path / "clinic.json"
    _, _, contract, _ = await recorded(path)
    replay = await asyncio.to_thread(Replay, path)
    async with scripted_pool(replay, contract=contract) as pool:
        with pytest.raises(AssertionError, match="Record it anew"):
            await pool.session(9).reporting.data_sources()


async def test_the_detail_of_each_of_a_list_plays_whoever_the_provider_is(tmp_path):
    """
    Apps go from lists to details, and a patient may have the number of the provider.
    """

    async def details(pool):
        operations = pool.session(1).operations
        listed = (await operations.get_patients()).items
        found = [await operations.get_patient(patientId=each.id) for each in listed]
        return [each.id for each in listed], [each.id for each in found]

    path = tmp_path / "clinic.json"
    async with Emulator(items=12) as emulator:
        async with emulator.pool(transport=Recorder(path)) as pool:
            ids, _ = await details(pool)
        contract = emulator.contract()
    replay = await asyncio.to_thread(Replay, path)
    async with scripted_pool(replay, contract=contract) as pool:
        made, found = await details(pool)

    assert 1 in ids
    assert made == found
    assert len(set(made)) == len(set(ids))


async def recorded_answer(path, answer, **request):
    """Return what a recording has of one answer."""
    recorder = Recorder(path)
    recorder.around(ScriptedTransport([answer]))
    await recorder.send(SignedRequest(fakes.request(**request), {}))
    await recorder.close()
    (call,) = json.loads(await asyncio.to_thread(path.read_text))["calls"]
    return call


@pytest.mark.parametrize("as_it_was", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "get_patients",  # by page
        "get_teams",  # by offset
        "get_encounters",  # by token
        "get_incident_reports",  # by a URL in the answer
        "get_team_managers",  # by one in its header
    ],
)
async def test_a_list_in_pages_plays_whole(name, as_it_was, tmp_path):
    """
    A test that sees less of a list than there is passes for the wrong reason.
    """

    async def listed(pool):
        pages = getattr(pool.session(1).operations, name).pages
        return [item.id async for item in pages()]

    path = tmp_path / "clinic.json"
    recorder = Recorder(path, keep_health_data=as_it_was)
    async with Emulator(items=11, max_page_size=5) as emulator:
        async with emulator.pool(transport=recorder) as pool:
            ids = await listed(pool)
        contract = emulator.contract()
    replay = await asyncio.to_thread(Replay, path)
    for _ in range(2):
        async with scripted_pool(replay, contract=contract) as pool:
            again = [await listed(pool), await listed(pool)]

        assert [len(set(each)) for each in (ids, *again)] == [11, 11, 11]
        assert (again == [ids, ids]) is as_it_was


# By chance again: one in a billion.
COUNTS = {"totalCount": 1234567891, "Page": 5678912345, "page_size": 4321987654}
SCORE = 8765432198


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ({"items": [{"a": 1}]} | COUNTS, COUNTS),
        ({"items": []} | COUNTS, COUNTS),
        ({"data": {"items": []}, "paging": COUNTS}, COUNTS),
        ({"items": [COUNTS], "size": {"total": SCORE}, "score": SCORE}, {}),
        ({"items": [{"paging": COUNTS}], "total": str(SCORE)}, {}),
        ({"id": 1, "symptoms": []} | COUNTS, {}),
        ({"patient": {"id": 1, "symptoms": []}} | COUNTS, {}),
        ({"patientId": 1, "readings": []} | COUNTS, {}),
        ({"_ID": 1, "readings": []} | COUNTS, {}),
        (COUNTS, {}),
        ([COUNTS], {}),
    ],
)
async def test_of_numbers_only_those_of_a_page_stay(answer, kept, tmp_path):
    """
    A total beside a list says where it ends; one of a record may be a score.
    """
    asked = {
        "method": "POST",
        "label": "POST /Search",
        "url": f"{fakes.SANDBOX_URL}/Search",
    }
    path = tmp_path / "clinic.json"
    call = await recorded_answer(path, Answer(json=answer), **asked)

    told = json.dumps(call["body"])
    for number in [*COUNTS.values(), SCORE]:
        assert (str(number) in told) is (number in kept.values())


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize(
    ("following", "told"),
    [
        ("?after=Quillfeather", r"\?after=[A-Z][a-z]{11}"),
        ("/api/Patients/7?limit=5&of=Zo%C3%ABquill", r"\?limit=5&of=[A-Z][a-z]{7}"),
        (
            f"{fakes.SANDBOX_URL}/Patients/7?page=Kimberley#Kimberley",
            r"\?page=[A-Z][a-z]{8}",
        ),
        ("https://x.test/?of=Quillfeather", r"\w{5}://.*"),
        ("8?of=Quillfeather", r"\d\?\w{2}=\w{12}"),
        ("http://[Quillfeather", r"\w{4}://\[\w{12}"),
        ("", ""),
    ],
)
async def test_where_the_next_page_is_tells_of_nobody(
    following, told, header, tmp_path
):
    """
    A cursor may be the last name of a page; the path has ids.
    """
    answer = Answer(json={"rows": [], "next": following})
    if header:
        headers = {"Link": f'</Kimberley>; rel="first", <{following}>; rel="next"'}
        answer = Answer(json=[], headers=headers)
    label, url = "GET /Patients/{id}", f"{fakes.SANDBOX_URL}/Patients/7?of=Kimberley"
    path = tmp_path / "clinic.json"
    call = await recorded_answer(path, answer, label=label, url=url)

    said = next_link(call["headers"]["link"]) if header else call["body"]["next"]
    assert re.fullmatch(told, said)
    for secret in ("Quillfeather", "Kimberley", "quill", "/7"):
        assert secret not in json.dumps(call)


async def test_of_a_path_only_the_place_of_the_provider_stays(tmp_path):
    """
    What is another's id is health data, also where it is the same number.
    """
    template = "/Teams/{teamId}/HealthcareProvider/{id}/Patients/{name}"
    url = (
        f"{fakes.SANDBOX_URL}/Teams/4711/HealthcareProvider/4711/Patients/Zo%C3%AB%20K"
    )
    call = await recorded_answer(
        tmp_path / "clinic.json",
        200,
        label=f"GET {template}",
        url=url,
        provider_id=4711,
    )

    team, provider, name = call["path"]
    assert provider == "4711"
    assert team != "4711"
    # As long a name as the body has, where nothing is escaped.
    assert re.fullmatch(r"[A-Z][a-z]{2}%20[A-Z]", name)


@pytest.mark.parametrize(
    ("template", "path", "stays"),
    [
        ("{id}/Datasources", "4711/Datasources", True),
        ("{id}/Datasources/{dataSourceId}", "4711/Datasources/815", True),
        ("{id}/Patients/{p}/Datasources", "4711/Patients/815/Datasources", False),
        ("{id}/Datasources/{d}/Patients/{p}", "4711/Datasources/7/Patients/815", False),
        ("Patients/{p}/Datasources", "Patients/815/Datasources", False),
    ],
)
async def test_only_what_describes_data_sources_stays(template, path, stays, tmp_path):
    """
    An endpoint that is called alike may be about a person.
    """
    call = await recorded_answer(
        tmp_path / "clinic.json",
        Answer(json=[{"name": "Quillfeather"}]),
        label=f"GET /HealthcareProvider/{template}",
        url=f"{fakes.SANDBOX_URL}/HealthcareProvider/{path}",
        provider_id=4711,
    )

    assert ("Quillfeather" in json.dumps(call)) is stays
    assert ("815" in call["path"]) is (stays and "815" in path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2, "calls": []}'])
def test_what_is_no_recording_is_said(text, tmp_path):
    """
    A path that is wrong is found before the first call.
    """
    path = tmp_path / "clinic.json"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match="record"):
        Replay(path)
    with pytest.raises(ConfigurationError, match="record"):
        Replay(tmp_path / "missing.json")
