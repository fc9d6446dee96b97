"""Lists that come in pages are gone through to their end, and no item comes twice."""

import asyncio

import pytest
from attrs import evolve
from documents import document, operation, patients, query
from fakes import SlowScript

from healthyroster_async import ConfigurationError, Contract, Paging
from healthyroster_async._core.paging import Pages, PagesError, detect, next_link, shown
from healthyroster_async.testing import Answer, scripted_pool

WHOLE, TEXT = {"type": "integer"}, {"type": "string"}


def wrapped(**more):
    return {"type": "object", "properties": {"items": patients(), **more}}


def found(*parameters, schema=None, headers=None):
    one = operation(*parameters, schema=schema)
    one["responses"]["200"]["headers"] = headers or {}
    made = Contract.from_swagger(document(GetPatients=one))
    return detect(made.operations["get_patients"])


@pytest.mark.parametrize(
    ("names", "schema", "expected"),
    [
        (
            ["page", "pageSize"],
            None,
            Paging(kind="page", parameter="page", size="pageSize"),
        ),
        (
            ["PageIndex"],
            wrapped(total=WHOLE),
            Paging(kind="page", parameter="PageIndex", items="items"),
        ),
        (
            ["offset", "limit"],
            None,
            Paging(kind="offset", parameter="offset", size="limit"),
        ),
        (["$skip", "$top"], None, Paging(kind="offset", parameter="skip", size="top")),
        (
            ["request.offset", "request.limit"],
            wrapped(),
            Paging(
                kind="offset",
                parameter="request_offset",
                size="request_limit",
                items="items",
            ),
        ),
        (
            ["continuationToken"],
            wrapped(ContinuationToken=TEXT),
            Paging(
                kind="token",
                parameter="continuationToken",
                key="ContinuationToken",
                items="items",
            ),
        ),
        (
            ["cursor", "page"],
            wrapped(pagination={"type": "object", "properties": {"nextCursor": TEXT}}),
            Paging(
                kind="token",
                parameter="cursor",
                key="pagination.nextCursor",
                items="items",
            ),
        ),
        (
            ["limit"],
            wrapped(next=TEXT),
            Paging(kind="next", key="next", items="items", size="limit"),
        ),
        (["sort"], None, None),
        (
            ["page"],
            {"type": "object", "properties": {"a": patients(), "b": patients()}},
            None,
        ),
        (["page"], TEXT, None),
    ],
)
def test_the_document_says_how_a_list_comes_in_pages(names, schema, expected):
    """
    By the words that services use; what is unclear is not guessed.
    """
    parameters = [
        query(n, TEXT if "oken" in n or n == "cursor" else WHOLE) for n in names
    ]

    assert found(*parameters, schema=schema) == expected


def test_a_link_header_and_a_first_page_are_said_by_the_document():
    """
    Pages that count from what the document says need no probe.
    """
    assert found(headers={"Link": {}}).kind == "link"
    assert found(query("page", WHOLE | {"default": 0})).start == 0
    assert found(query("page", WHOLE)).start is None


@pytest.mark.parametrize("name", ["page", "offset", "startIndex"])
@pytest.mark.parametrize(
    ("said", "start"),
    [
        ({"default": 0}, 0),
        ({"default": 1}, 1),
        ({"default": 1, "minimum": 0}, 1),
        ({"minimum": 1}, 1),
        ({"minimum": 0}, None),
        ({"default": -1}, None),
        ({"default": "1"}, None),
        ({}, None),
    ],
)
def test_the_document_says_whether_they_count_from_one(name, said, start):
    """
    Whoever begins at 0 where the first is 1 gets an item twice.
    """
    assert found(query(name, WHOLE | said)).start == start


def pulled(paging, server, **arguments):
    """Return the items that a server gives, and what it was asked for."""
    pages = Pages(paging, arguments)
    items, asked, step = [], [], pages.first()
    while step is not None:
        asked.append(step)
        assert len(asked) < 50, "it never ends"
        more, step = pages.turn(*server(step))
        items += more
    return items, asked


class Counted:
    """A list of numbers in pages that count from *first*."""

    def __init__(self, count, *, first=1, size=3, **said):
        self.count, self.first, self.size, self.said = count, first, size, said

    def __call__(self, step):
        number = step.get("page", self.first)
        begin = max(0, (number - self.first) * self.size)
        items = list(range(self.count))[begin : begin + self.size]
        if not self.said:
            return items, {}
        told = {"number": number, "count": self.count}
        return {"items": items} | {k: told[v] for k, v in self.said.items()}, {}


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 9, 10])
@pytest.mark.parametrize("start", ["known", None])
def test_pages_that_count_are_read_whole(first, count, start):
    """
    Whether they count from 0 or 1 is found out: a guess would lose the first page.
    """
    paging = Paging(kind="page", parameter="page", start=first if start else None)

    items, asked = pulled(paging, Counted(count, first=first), size=3)
    assert items == list(range(count))
    assert all(step["size"] == 3 for step in asked)


@pytest.mark.parametrize("first", [0, 1])
def test_an_answer_that_tells_its_number_and_the_total_saves_calls(first):
    """
    Neither a probe nor an empty page at the end is needed.
    """
    server = Counted(7, first=first, page="number", totalCount="count")
    items, asked = pulled(Paging(kind="page", parameter="page", items="items"), server)

    assert items == list(range(7))
    assert len(asked) == 3


@pytest.mark.parametrize("total", [{}, {"total": 10}])
def test_offsets_go_by_what_came(total):
    """
    A server that gives fewer items than were asked for leaves none out.
    """

    def server(step):
        begin = step["offset"]
        return {"items": list(range(10))[begin : begin + 4]} | total, {}

    paging = Paging(kind="offset", parameter="offset", items="items")
    items, asked = pulled(paging, server, limit=100)

    assert items == list(range(10))
    assert [step["offset"] for step in asked] == [0, 4, 8] + ([] if total else [10])
    assert pulled(paging, server, offset=7)[0] == [7, 8, 9]


class Clamped:
    """A list of numbers that counts from *first*, and takes less for it."""

    def __init__(self, first, *, total, size=3):
        self.first, self.total, self.size = first, total, size

    def __call__(self, step):
        begin = max(0, step.get("startIndex", self.first) - self.first)
        if "page" in step:
            begin = max(0, step["page"] - self.first) * self.size
        items = list(range(7))[begin : begin + self.size]
        return {"items": items} | ({"totalResults": 7} if self.total else {}), {}


@pytest.mark.parametrize("kind", ["page", "offset"])
@pytest.mark.parametrize("size", [1, 3, 4, 7])
@pytest.mark.parametrize("total", [False, True])
@pytest.mark.parametrize(
    ("first", "start", "given"),
    [
        (0, None, None), (0, 0, None), (0, None, 0), (0, 0, 0),
        (1, None, None), (1, 1, None), (1, None, 1), (1, 1, 1),
        (1, None, 0), (1, 1, 0),
    ],
)  # fmt: skip
def test_wherever_it_begins_no_item_is_lost_or_comes_twice(
    *, kind, size, total, first, start, given
):
    """
    RFC 7644, section 3.4.2.4: a start below 1 is 1, so 0 seems to be right as well.
    """
    name = {"page": "page", "offset": "startIndex"}[kind]
    paging = Paging(kind=kind, parameter=name, items="items", start=start)
    arguments = {} if given is None else {name: given}
    server = Clamped(first, total=total, size=size)

    assert pulled(paging, server, **arguments)[0] == list(range(7))


@pytest.mark.parametrize("given", [{}, {"page": 0}])
def test_a_number_that_is_not_the_one_asked_for_is_not_believed(given):
    """
    Who asks for page 0 may be told that it is the first: the second would be left out.
    """
    pages = [[0, 1], [2, 3], [4]]

    def server(step):
        number = step.get("page", 0)
        said = {"page": number + 1} if given else {}
        return {"items": [*pages, []][min(number, 3)]} | said, {}

    paging = Paging(kind="page", parameter="page", items="items")

    assert pulled(paging, server, **given)[0] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("first", [0, 1])
def test_items_that_are_all_alike_do_not_show_where_they_begin(first):
    """
    Either guess would lose one or double one, and nobody would see it.
    """

    def server(step):
        begin = max(0, step["startIndex"] - first)
        return ["x"] * min(3, 5 - begin), {}

    paging = Paging(kind="offset", parameter="startIndex")

    with pytest.raises(PagesError, match=r"give Paging\(start="):
        pulled(paging, server)
    assert pulled(evolve(paging, start=first), server)[0] == ["x"] * 5


@pytest.mark.parametrize(
    ("name", "first", "start"),
    [
        ("offset", 0, "known"),
        ("offset", 1, "known"),
        ("offset", 0, None),
        ("startIndex", 0, "known"),
        ("startIndex", 1, "known"),
        ("startIndex", 0, None),
        ("startIndex", 1, None),
    ],
)
def test_a_list_from_its_middle_has_its_last_item(first, start, name):
    """
    Where the first number is not known, a total tells the end one call later. An offset
    is how many stand before, and servers answer 416 beyond the total.
    """

    def server(step):
        return Clamped(first, total=True)({"startIndex": step[name]})

    known = first if start else None
    paging = Paging(kind="offset", parameter=name, items="items", start=known)

    for begin in range(7):
        items, asked = pulled(paging, server, **{name: begin + first})
        assert items == list(range(begin, 7))
        beyond = start is None and name == "startIndex" and first == 0
        assert asked[-1][name] <= 6 + first + beyond


@pytest.mark.parametrize("end", [{"next": None}, {"next": ""}, {}])
def test_a_token_is_sent_on_until_there_is_none(end):
    """
    A page may be empty and not the last.
    """
    answers = {
        None: {"items": [1], "next": "a"},
        "a": {"items": [], "next": "b"},
        "b": {"items": [2]} | end,
    }
    paging = Paging(kind="token", parameter="token", key="next", items="items")

    items, asked = pulled(paging, lambda step: (answers[step.get("token")], {}), x=1)
    assert items == [1, 2]
    assert asked == [{"x": 1}, {"x": 1, "token": "a"}, {"x": 1, "token": "b"}]


def test_a_url_is_followed_where_the_answer_or_its_header_has_it():
    """
    RFC 8288 for the header; the keys may differ in case from the document's.
    """
    link = '<https://x.test/?a=1,2>; title="a, b"; rel="prev", </p?page=2>; rel=next'
    body = Pages(Paging(kind="next", key="links.next", items="data"), {})
    header = Pages(Paging(kind="link"), {})

    assert body.turn({"Data": [1], "Links": {"Next": "/p2"}}, {}) == ([1], "/p2")
    assert header.turn([1], {"link": link}) == ([1], "/p?page=2")
    assert header.turn([2], {}) == ([2], None)


@pytest.mark.parametrize(
    ("header", "url"),
    [
        ('<a>; rel="next"', "a"),
        ("<a>;rel=next", "a"),
        ('<a>; rel="first next"', "a"),
        ('<a>; REL="NEXT"', "a"),
        ('<b>; rel="last", <a>; rel="next"', "a"),
        ('<a>; rel="prev"', None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_the_next_link_is_found(header, url):
    """
    RFC 8288, section 3.
    """
    assert next_link(header) == url


def test_a_server_that_turns_in_a_circle_is_left():
    """
    Else a pull would run for ever, and items would come again and again.
    """
    page = Paging(kind="page", parameter="page", start=1)
    token = Paging(kind="token", parameter="t", key="next", items="items")

    with pytest.raises(PagesError, match="the API does not heed page"):
        pulled(page, lambda _: ([1, 2], {}))
    with pytest.raises(PagesError, match="same page again"):
        pulled(token, lambda _: ({"items": [1], "next": "a"}, {}))


def test_items_that_are_not_there_are_an_error_and_not_an_empty_list():
    """
    An answer of another form must never look like the end.
    """
    with pytest.raises(PagesError, match=r"give Paging\(items="):
        Pages(Paging(kind="page", parameter="page"), {}).turn({"rows": []}, {})
    for answer in ({"items": "x"}, {"items": None}, {"error": "boom"}, {}):
        with pytest.raises(PagesError, match=r"give Paging\(items="):
            Pages(Paging(kind="link", items="items"), {}).turn(answer, {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "pages"},
        {"kind": "page"},
        {"kind": "token", "parameter": "t"},
        {"kind": "next"},
        {"kind": "page", "parameter": "page", "start": "1"},
    ],
)
def test_a_paging_that_cannot_be_is_refused(wrong):
    """
    It is said when it is built, not when the second page is asked for.
    """
    with pytest.raises(ConfigurationError):
        Paging(**wrong)


def test_a_paging_can_be_shown():
    """
    One line, for a person.
    """
    paging = Paging(kind="token", parameter="t", key="next", items="data", size="limit")

    assert (
        shown(paging) == "by token, argument t, size limit, next at next, items at data"
    )
    assert shown(Paging(kind="link")) == "by link, the answer is the list"
    assert "not paged" in shown(None)


@pytest.mark.parametrize("linked", [False, True])
async def test_the_deadline_of_a_page_runs_from_its_request(linked):
    """
    Whoever takes long over a page, or to begin, must not see the next one fail unsent.
    """
    get = operation(query("page", WHOLE), query("pageSize", WHOLE))
    contract = Contract.from_swagger(document(GetPatients=get))
    link = {"link": '<?page=2>; rel="next"'} if linked else {}
    script = SlowScript([Answer(json=[{"id": 1}], headers=link), [{"id": 2}], []])
    async with scripted_pool(script, contract=contract, deadline=1.0) as pool:
        paging = Paging(kind="link") if linked else None
        items = pool.session(1).operations.get_patients.pages(paging=paging)
        await asyncio.sleep(2.0)
        ids = []
        async for item in items:
            ids.append(item.id)
            await asyncio.sleep(2.0)

    assert ids == [1, 2]
