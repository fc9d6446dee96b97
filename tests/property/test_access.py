"""Laws of the matrix: whatever is answered, it claims nothing that is not so."""

from hypothesis import example, given
from hypothesis import strategies as st

from healthyroster_async import Grant, LikelyCause
from healthyroster_async._core.access_grid import Grid
from healthyroster_async._core.access_plan import AccessPlan
from healthyroster_async._core.access_text import id_list

ROWS, COLUMNS = [f"p{n}" for n in range(6)], [f"e{n}" for n in range(4)]
cells = st.tuples(st.sampled_from(ROWS), st.sampled_from(COLUMNS))
missing = st.tuples(st.sets(st.sampled_from(ROWS)), st.sets(st.sampled_from(COLUMNS)))


@given(steps=st.lists(st.tuples(cells, st.sampled_from([True, False, None]))))
def test_a_grid_is_what_its_cells_said_last(steps):
    """
    The sums that are kept beside the cells must not drift away from them.
    """
    grid, said = Grid(), {}
    for cell, granted in steps:
        if granted is None:
            if said.pop(cell, None) is not None:
                grid.drop(*cell)
        else:
            said[cell] = granted
            grid.put(*cell, granted=granted)

    assert grid.answering_providers == {p for (p, _), yes in said.items() if yes}
    assert grid.answering_endpoints == {e for (_, e), yes in said.items() if yes}
    assert set(grid.providers) == {p for p, _ in said}
    assert set(grid.endpoints) == {e for _, e in said}
    for row in ROWS:
        for column in COLUMNS:
            expected = {None: Grant.UNKNOWN, True: Grant.GRANTED, False: Grant.DENIED}
            assert grid.said(row, column) is expected[said.get((row, column))]


@given(missing=missing, known=st.sets(cells), full=st.booleans())
@example(missing=(set(ROWS), set()), known=set(), full=False)
@example(missing=(set(), set(COLUMNS)), known=set(), full=True)
@example(missing=(set(ROWS[:5]), set(COLUMNS[:3])), known=set(), full=False)
def test_two_kinds_of_grants_are_told_apart_whichever_are_missing(missing, known, full):
    """
    If nothing but whole rows and columns is missing, no cell is wrong and none is
    asked twice; where anything answers, none is left open.
    """
    rows, columns = missing
    plan = AccessPlan(providers=ROWS, endpoints=COLUMNS, full=full)
    plan.know((p, e, p not in rows and e not in columns) for p, e in known)
    asked = []
    while round_ := plan.next_round():
        asked += round_
        for p, e in round_:
            denied = p in rows or e in columns
            plan.tell(p, e, Grant.DENIED if denied else Grant.GRANTED)
    grid = plan.grid

    assert len(asked) == len(set(asked))
    assert not known & set(asked)
    if full:
        assert known | set(asked) == {(p, e) for p in ROWS for e in COLUMNS}
    for p in ROWS:
        for e in COLUMNS:
            truth = Grant.DENIED if p in rows or e in columns else Grant.GRANTED
            shown = grid.grant(p, e)
            assert shown is truth or (shown is Grant.UNKNOWN and not full)
            if grid.answering_endpoints:
                assert shown is truth
            if truth is Grant.DENIED:
                cause = grid.cause(p, e)
                assert cause is not LikelyCause.PROVIDER_NOT_GRANTED or p in rows
                assert cause is not LikelyCause.ENDPOINT_NOT_AUTHORIZED or e in columns
                if grid.answering_endpoints:
                    assert cause is not LikelyCause.UNKNOWN


@given(
    answers=st.dictionaries(cells, st.sampled_from(Grant)),
    default=st.sampled_from(Grant),
)
def test_a_check_ends_whatever_comes_and_believes_what_cells_say(answers, default):
    """
    Exceptions, failures, contradictions: a matrix of 24 cells takes 24 calls at most.
    """
    plan = AccessPlan(providers=ROWS, endpoints=COLUMNS)
    asked = []
    while round_ := plan.next_round():
        asked += round_
        for cell in round_:
            plan.tell(*cell, answers.get(cell, default))

    assert len(asked) == len(set(asked)) <= len(ROWS) * len(COLUMNS)
    for cell in asked:
        said = answers.get(cell, default)
        assert plan.grid.said(*cell) is said
        if said is not Grant.UNKNOWN:
            assert plan.grid.grant(*cell) is said


@given(ids=st.lists(st.one_of(st.integers(0, 40), st.sampled_from(["a-b", "7", "07"]))))
def test_a_short_list_of_ids_holds_exactly_them(ids):
    """
    A clinic too many in a letter to support is a grant that nobody asked for.
    """
    read = []
    for part in filter(None, id_list(ids).split(", ")):
        first, dash, last = part.partition("-")
        if dash and part != "a-b":
            read += map(str, range(int(first), int(last) + 1))
        else:
            read.append(part)

    assert read == [str(one) for one in ids]
