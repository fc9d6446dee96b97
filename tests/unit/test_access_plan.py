"""Which cells a check asks: simulated, so 12,000 of them cost milliseconds."""

import random

import pytest

from healthyroster_async import Grant, LikelyCause
from healthyroster_async._core.access_plan import AccessPlan

PROVIDERS = [str(number) for number in range(1, 301)]
ENDPOINTS = [f"endpoint {number}" for number in range(1, 41)]


class World:
    """Who is granted what, and how often it was asked."""

    def __init__(self, providers=(), endpoints=(), denied=(), failing=()):
        self.providers = set(providers)
        self.endpoints = set(endpoints)
        self.denied = set(denied)
        self.failing = set(failing)
        self.calls = []

    def grant(self, provider, endpoint):
        missing = provider in self.providers or endpoint in self.endpoints
        if missing or (provider, endpoint) in self.denied:
            return Grant.DENIED
        return Grant.GRANTED

    def check(self, plan):
        while cells := plan.next_round():
            self.calls += cells
            for cell in cells:
                failed = self.failing & {cell, *cell}
                plan.tell(*cell, Grant.UNKNOWN if failed else self.grant(*cell))
        assert len(self.calls) == len(set(self.calls))
        return plan.grid

    def right_causes(self, cell):
        provider, endpoint = cell
        causes = set()
        if provider in self.providers:
            causes.add(LikelyCause.PROVIDER_NOT_GRANTED)
        if endpoint in self.endpoints:
            causes.add(LikelyCause.ENDPOINT_NOT_AUTHORIZED)
        return causes


def plan_of(**changes):
    settings = {"providers": PROVIDERS, "endpoints": ENDPOINTS}
    return AccessPlan(**settings | changes)


CELLS = [(provider, endpoint) for provider in PROVIDERS for endpoint in ENDPOINTS]


@pytest.mark.parametrize("seed", range(30))
def test_few_calls_find_every_missing_grant_and_its_cause(seed):
    """
    20 of 300 providers and 6 of 40 endpoints: 5 % of the calls must do, wherever the
    missing ones stand.
    """
    rng = random.Random(seed)
    world = World(rng.sample(PROVIDERS, 20), rng.sample(ENDPOINTS, 6))
    plan = plan_of()
    grid = world.check(plan)
    denied = [cell for cell in CELLS if world.grant(*cell) is Grant.DENIED]
    right = [grid.cause(*cell) in world.right_causes(cell) for cell in denied]

    assert len(world.calls) <= 0.05 * len(CELLS)
    assert [grid.grant(*cell) for cell in CELLS] == [world.grant(*c) for c in CELLS]
    assert {p for p in PROVIDERS if grid.provider_refusals(p)} == world.providers
    assert {e for e in ENDPOINTS if grid.endpoint_refusals(e)} == world.endpoints
    assert sum(right) >= 0.95 * len(denied)
    assert set(plan.asked) == set(world.calls)


def test_missing_grants_that_all_stand_in_front_cost_no_more():
    """
    Ids are often in the order in which clinics joined, and grants come late.
    """
    world = World(PROVIDERS[:20], ENDPOINTS[:6])
    grid = world.check(plan_of())

    assert len(world.calls) <= 0.05 * len(CELLS)
    assert all(grid.grant(*cell) is world.grant(*cell) for cell in CELLS)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("providers", "endpoints"), [(299, 0), (0, 39), (280, 30)])
def test_a_matrix_in_which_little_is_granted_is_found_out_too(
    providers, endpoints, seed
):
    """
    A new application has one clinic, or one endpoint, to begin with.
    """
    rng = random.Random(seed)
    world = World(rng.sample(PROVIDERS, providers), rng.sample(ENDPOINTS, endpoints))
    grid = world.check(plan_of())

    assert all(grid.grant(*cell) is world.grant(*cell) for cell in CELLS)
    assert len(world.calls) <= 0.1 * len(CELLS)


def test_where_nothing_answers_a_check_ends_and_claims_nothing():
    """
    Either grant may be missing everywhere, so no cell that was not asked is denied.
    """
    world = World(PROVIDERS)
    plan = plan_of()
    grid = world.check(plan)

    assert len(world.calls) == 0.05 * len(CELLS)
    assert {provider for provider, _ in world.calls} == set(PROVIDERS)
    assert {endpoint for _, endpoint in world.calls} == set(ENDPOINTS)
    assert all(
        grid.grant(*cell) is (Grant.DENIED if cell in plan.asked else Grant.UNKNOWN)
        for cell in CELLS
    )
    assert grid.cause(*CELLS[0]) is LikelyCause.UNKNOWN


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2)])
@pytest.mark.parametrize("missing", [0, 1])
def test_a_small_matrix_is_found_out(shape, missing):
    """
    Most applications have one clinic, and nobody there wants to hear of inference.
    """
    providers, endpoints = PROVIDERS[: shape[0]], ENDPOINTS[: shape[1]]
    world = World((), endpoints[1 : 1 + missing])
    grid = world.check(plan_of(providers=providers, endpoints=endpoints))

    assert all(
        grid.grant(p, e) is world.grant(p, e) for p in providers for e in endpoints
    )


def test_one_denied_cell_is_no_missing_provider():
    """
    A line is asked twice before it is said to be denied as a whole.
    """
    exceptions = [(provider, ENDPOINTS[0]) for provider in PROVIDERS[5:9]]
    world = World(PROVIDERS[100:102], (), exceptions)
    grid = world.check(plan_of())

    assert {p for p in PROVIDERS if grid.provider_refusals(p)} == world.providers


@pytest.mark.parametrize("seed", range(3))
def test_a_full_check_asks_every_cell_once(seed):
    """
    It finds what breaks the structure.
    """
    rng = random.Random(seed)
    world = World(PROVIDERS[3:5], ENDPOINTS[:2], rng.sample(CELLS, 10))
    grid = world.check(plan_of(full=True))

    assert sorted(world.calls) == sorted(CELLS)
    assert all(grid.said(*cell) is world.grant(*cell) for cell in CELLS)


def test_what_is_known_is_not_asked_again():
    """
    A check after a check costs nothing.
    """
    first, second = World(PROVIDERS[:20]), World(PROVIDERS[:20])
    plan, again = plan_of(), plan_of()
    first.check(plan)
    again.know((*cell, g is Grant.GRANTED) for cell, g in plan.asked.items())
    grid = second.check(again)

    assert second.calls == []
    assert all(grid.grant(*cell) is second.grant(*cell) for cell in CELLS)


def test_other_providers_tell_about_the_endpoints():
    """
    A clinic that is denied everything is told from an endpoint that is, by one call.
    """
    world = World(["1"])
    plan = plan_of(providers=["1"])
    plan.know(("2", endpoint, True) for endpoint in ENDPOINTS)
    grid = world.check(plan)

    assert len(world.calls) == 2
    assert all(grid.grant("1", endpoint) is Grant.DENIED for endpoint in ENDPOINTS)
    assert grid.cause("1", ENDPOINTS[9]) is LikelyCause.PROVIDER_NOT_GRANTED


def test_what_fails_is_tried_elsewhere_and_costs_nobody_else():
    """
    A line without an answer either way stays unknown; the others do not.
    """
    failing = [PROVIDERS[7], ENDPOINTS[3], ("9", ENDPOINTS[0])]
    world = World(PROVIDERS[100:105], ENDPOINTS[20:22], (), failing)
    grid = world.check(plan_of())

    for cell in CELLS:
        known = grid.grant(*cell)
        if {PROVIDERS[7], ENDPOINTS[3]} & set(cell):
            assert known in {Grant.UNKNOWN, world.grant(*cell)}
        else:
            assert known is world.grant(*cell)
    assert grid.grant(PROVIDERS[7], ENDPOINTS[0]) is Grant.UNKNOWN
    assert len(world.calls) <= 0.05 * len(CELLS)


def test_an_api_that_is_down_is_left_alone():
    """
    12,000 calls to find out that nothing can be found out help nobody.
    """
    world = World(failing=PROVIDERS)
    world.check(plan_of(full=True))

    assert len(world.calls) < 50


def test_what_needs_an_answer_of_another_endpoint_waits_for_it():
    """
    Rows cannot be asked for before anybody has named a data source.
    """
    needs = {"detail": "list", "rows": "list"}
    endpoints = ["list", "detail", "rows", "unsafe"]
    changes = {"endpoints": endpoints, "needs": needs, "unaskable": {"unsafe"}}
    world, denied = World(["1"]), World((), ["list"])
    world.check(plan_of(**changes))
    denied.check(plan_of(full=True, **changes))

    order = [endpoint for _, endpoint in world.calls]
    assert order.index("list") < order.index("detail")
    assert set(order) == {"list", "detail", "rows"}
    assert {endpoint for _, endpoint in denied.calls} == {"list"}
