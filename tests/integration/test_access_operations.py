"""A check of access over every operation of the document, over real sockets."""

import random

import pytest
from documents import document, operation

from healthyroster_async import Contract, Grant, LikelyCause
from healthyroster_async.emulator import Emulator
from healthyroster_async.testing import scripted_pool

PROVIDERS = range(1, 301)


def safe_endpoints(pool):
    """Return the operations that can be asked without an id that nobody knows."""
    return [
        operation.name
        for operation in pool.contract.operations.values()
        if operation.safe and len(operation.endpoint.placeholders) == 1
    ]


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", [1, 2])
async def test_few_calls_find_every_missing_grant_of_300_providers(seed):
    """
    The two grants are independent, so some 350 calls tell a matrix of 8,400 cells.
    """
    rng = random.Random(seed)
    async with (
        Emulator(providers=300, rows=3, items=3) as emulator,
        emulator.pool() as pool,
    ):
        names = [n for n in safe_endpoints(pool) if n in emulator.endpoints]
        providers = set(rng.sample(PROVIDERS, 20))
        endpoints = set(rng.sample(names, 6))
        for provider in providers:
            emulator.deny(provider, "*")
        for endpoint in endpoints:
            emulator.deny("*", endpoint)

        report = await pool.check_access(PROVIDERS)

        asked = sum(emulator.seen.by_endpoint.values())
        cells = len(report.providers) * len(report.endpoints)
        assert len(report.endpoints) > 25
        assert asked <= 0.05 * cells
        assert set(report.missing_providers) == providers
        assert {e.name for e in report.missing_endpoints} == endpoints
        assert emulator.seen.by_endpoint["create_patient"] == 0
        denied = [f for f in report if f.grant is Grant.DENIED]
        right = [
            f
            for f in denied
            if f.likely_cause
            is (
                LikelyCause.PROVIDER_NOT_GRANTED
                if f.provider_id in providers
                else LikelyCause.ENDPOINT_NOT_AUTHORIZED
            )
        ]
        assert len(denied) >= 20 * len(report.endpoints)
        assert len(right) >= 0.95 * len(denied)


async def test_a_check_asks_for_the_least():
    """
    A page of one, a day without records, the first id of a list.
    """
    async with (
        Emulator(providers=2, rows=3, items=30) as emulator,
        emulator.pool() as pool,
    ):
        report = await pool.check_access([1, 2], ["GetPatients", "get_patient"])

        assert [e.name for e in report.endpoints] == ["get_patients", "get_patient"]
        assert not report.missing_providers
        assert sum(emulator.seen.by_endpoint.values()) <= 5


@pytest.mark.parametrize(
    ("slot", "item", "asked"),
    [
        ("key", {"id": 7, "_id": "row 1"}, "7"),
        ("key", {"_id": 7}, "7"),
        ("id_", {"id_": 7, "id": "row 1"}, "7"),
        ("noteId", {"noteId": 7, "note_id": "row 1", "id": 8}, "7"),
        ("noteId", {"Note_ID": 7, "id": 8}, "7"),
        ("x.noteId", {"NoteId": 7, "id": 8}, "7"),
    ],
)
async def test_the_id_of_an_item_is_what_is_spelled_most_like_it(slot, item, asked):
    """
    A check that asks for another one finds nothing, and says so of the grant.
    """
    path = "/HealthcareProvider/{id}/GetNotes"
    given = {"name": slot, "in": "path", "required": True, "schema": {}}
    one = operation(given) | {"x-path": f"{path}/{{{slot}}}"}
    contract = Contract.from_swagger(document(GetNotes=operation(), GetNote=one))
    seen = []

    def answers(request):
        seen.append(request.url.rpartition("/")[2])
        return [item]

    async with scripted_pool(answers, contract=contract) as pool:
        await pool.check_access([1], ["get_note"])

    assert seen == ["GetNotes", asked]


async def test_an_item_whose_list_is_denied_is_asked_for_all_the_same():
    """
    A 403 says as much of an id that was made up; a 404 says nothing.
    """
    async with Emulator(providers=3, items=3) as emulator:
        for endpoint in ("get_teams", "get_team", "get_patients"):
            emulator.deny("*", endpoint)
        async with emulator.pool() as pool:
            report = await pool.check_access([1, 2, 3])

            missing = {e.name for e in report.missing_endpoints}
            assert missing == {"get_teams", "get_team", "get_patients"}
            text = report.to_text()
            assert "get_patient, no patientId is known to ask for" in text
