"""Questions to the read side: pages, filters, fields, versions, what is refused, who sees what."""

from __future__ import annotations

import base64

import pytest

from billing.application.outlook import STATUSES
from billing.identity import contract_id
from projections.api.paging import written
from tests.api.living import Lives, added, lived
from tests.api.serving import served
from tests.projections.test_prices import revised


def nine(lives):
    """Nine contracts, C-1 to C-9, odd ones of ODD, even ones of EVEN; parties, three invoices."""
    lives.on("2026-01-05")
    for n in range(1, 10):
        lives.signs(f"C-{n}", client="ODD" if n % 2 else "EVEN")
    for n, on in ((1, "2026-01-31"), (2, "2026-02-28"), (3, "2026-01-31")):
        lives.issues(f"F-{n}", "10.00", on, on, contract="C-1")
    lives.knows("P", category="consumer", email="p@example.org", iban=IBAN)
    lives.knows("E", email="e@example.org", siren="999001050")
    return lives.on("2026-03-10")


IBAN = "FR7630006000011234567890189"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def there(request, tmp_path_factory):
    """What there is, only asked."""
    with lived(request, tmp_path_factory) as lives:
        yield nine(lives)


@pytest.fixture
def lives(api_on_both):
    """The same, to which a test adds."""
    return nine(Lives(api_on_both))


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    with served(f"sqlite:///{tmp_path_factory.mktemp('empty')}/api.db") as api:
        yield api


def gets(lives, path, **more):
    return lives.api.gets(path, role="reader", **more)


def numbers(page):
    return [row["number"] for row in page["data"]]


def pages(lives, path, between=lambda: None):
    """The pages from there on; something may happen between two."""
    while path:
        page = gets(lives, path).json()
        yield page
        between()
        path = page["next"]


# Pages


def test_pages_follow_each_other_to_the_end_and_hold_every_row_once(there):
    found = list(pages(there, "/v1/contracts?limit=4"))
    assert [numbers(page) for page in found] == [
        ["C-1", "C-2", "C-3", "C-4"],
        ["C-5", "C-6", "C-7", "C-8"],
        ["C-9"],
    ]
    assert [bool(page["next"]) for page in found] == [True, True, False]


def test_a_page_that_ends_with_the_last_row_says_there_is_none_after(there):
    (page,) = pages(there, "/v1/contracts?limit=9")
    assert len(page["data"]) == 9
    assert page["next"] is None


def test_rows_inserted_meanwhile_neither_repeat_nor_hide_one(lives):
    fresh = iter(
        ("C-35", "C-0", "C-85")
    )  # Before what is to come, behind what was told, again before.

    def sign():
        if (number := next(fresh, None)) is not None:
            lives.signs(number)

    found = [
        number for page in pages(lives, "/v1/contracts?limit=3", sign) for number in numbers(page)
    ]
    assert found == ["C-1", "C-2", "C-3", "C-35", "C-4", "C-5", "C-6", "C-7", "C-8", "C-85", "C-9"]


def test_the_next_page_keeps_the_question(there):
    odd = list(pages(there, "/v1/contracts?client=ODD&limit=2&fields=number"))
    assert [row for page in odd for row in page["data"]] == [
        {"number": f"C-{n}"} for n in (1, 3, 5, 7, 9)
    ]
    first = gets(there, "/v1/contracts?client=ODD&limit=2&fields=number")
    assert first.headers["link"] == f'<{first.json()["next"]}>; rel="next"'


def test_rows_come_downwards_too(there):
    down = list(pages(there, "/v1/invoices?sort=-issued_on&limit=2"))
    assert [numbers(page) for page in down] == [["F-2", "F-3"], ["F-1"]]
    up = list(pages(there, "/v1/receivables?sort=due_on&limit=1"))
    assert [number for page in up for number in numbers(page)] == ["F-1", "F-3", "F-2"]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "",
        "é",
        "W10",  # []
        "bnVsbA",  # null
        base64.urlsafe_b64encode(b'["Invoice supplier","S","F-1"]').decode(),
        written("Contract number", [7]),
        written("Contract number", ["C-1", "C-2"]),
        written("Contract number", ["C\0"]),
        "A" * 2000,
    ],
)
def test_a_cursor_of_another_question_or_of_none_is_refused(there, cursor):
    refused = gets(there, "/v1/contracts", params={"cursor": cursor})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "cursor"


def test_a_cursor_holds_for_the_order_it_was_given_in(there):
    following = gets(there, "/v1/invoices?limit=1").json()["next"]
    refused = gets(there, f"{following}&sort=-issued_on")
    assert refused.status_code == 422


def test_a_row_of_a_page_is_told_as_it_is_by_its_key(lives):
    lives.signs("N-1", starts_on="2026-04-01")
    lives.contract("C-2", revised("2026-04-01", "100.00", "110.00", "1.1"))
    for on, price, status in (
        ("2026-03-10", "100.00", "to start"),
        ("2026-04-01", "110.00", "running"),
    ):
        lives.on(on)
        page = gets(lives, "/v1/contracts")
        rows = [gets(lives, f"/v1/contracts/{number}") for number in numbers(page.json())]
        assert page.text.startswith(f'{{"data":[{",".join(row.text for row in rows)}],"next"')
        told = {row["number"]: row for row in page.json()["data"]}
        assert told["C-2"]["items"][0]["unit_price"] == price
        assert told["N-1"]["status"] == status
        few = gets(lives, "/v1/contracts?fields=status,number").json()["data"]
        assert few == [{"status": row["status"], "number": number} for number, row in told.items()]


# Filters


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("client=EVEN", ["C-2", "C-4", "C-6", "C-8"]),
        ("client=EVEN&supplier=S", ["C-2", "C-4", "C-6", "C-8"]),
        ("client=even", []),
        ("client=%25", []),
        ("client=' OR ''='", []),
        ("status=running&client=ODD", ["C-1", "C-3", "C-5", "C-7", "C-9"]),
        ("status=ended", []),
        ("ends_from=2026-01-01", []),
    ],
)
def test_a_filter_narrows_the_list(there, said, found):
    assert numbers(gets(there, f"/v1/contracts?{said}").json()) == found


@pytest.mark.parametrize(
    ("said", "field", "words"),
    [
        ("clients=ODD", "clients", "there is no such parameter; there are client, supplier"),
        ("client=", "client", "a text of 1 to 200 characters"),
        ("client=a%00b", "client", "a text of 1 to 200 characters"),
        ("client=ODD&client=EVEN", "client", "given twice"),
        ("status=asleep", "status", f"one of {', '.join(STATUSES)}"),
        ("limit=0", "limit", "a whole number from 1 to 200"),
        ("limit=201", "limit", "a whole number from 1 to 200"),
        ("limit=+5", "limit", "a whole number from 1 to 200"),
        ("limit=٣", "limit", "a whole number from 1 to 200"),
        ("fields=number,nmber", "fields", "there is no field 'nmber'; there are number"),
        ("at_least=-1", "at_least", "a whole number from 0"),
        ("ends_from=soon", "ends_from", "a day written YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(empty, said, field, words):
    refused = empty.gets(f"/v1/contracts?{said}", role="reader")
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    (fault,) = refused.json()["errors"]
    assert fault["field"] == field
    assert words in fault["expected"]


def test_every_fault_is_told_at_once(empty):
    refused = empty.gets("/v1/contracts?foo=1&limit=0&status=x", role="reader")
    assert [one["field"] for one in refused.json()["errors"]] == ["foo", "limit", "status"]


def test_what_the_path_says_is_not_said_again(there):
    refused = gets(there, "/v1/contracts/C-1/prices?contract=C-2")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["expected"] == "the path says it already"


# Fields and versions


def test_some_fields_come_in_the_order_they_were_asked_for(there):
    one = gets(there, "/v1/contracts/C-1?fields=yearly,number,client")
    assert one.text == '{"yearly":"1200.00","number":"C-1","client":"ODD"}'


def test_an_answer_known_already_is_not_sent_again(there):
    first = gets(there, "/v1/contracts/C-1")
    tag = first.headers["etag"]
    assert tag.startswith('"')  # Strong: the same bytes.
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = gets(there, "/v1/contracts/C-1", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["billing-position"] == first.headers["billing-position"]
    other = gets(there, "/v1/contracts/C-1", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_what_changed_is_sent_again_and_what_did_not_is_not(lives):
    one, page = gets(lives, "/v1/contracts/C-1"), gets(lives, "/v1/contracts?limit=2")
    lives.signs("D-1")
    for path, before in (("/v1/contracts/C-1", one), ("/v1/contracts?limit=2", page)):
        known = {"If-None-Match": before.headers["etag"]}
        same = gets(lives, path, headers=known)
        assert same.status_code == 304
        # Though it knows of more by now.
        position = int(same.headers["billing-position"])
        assert position > int(before.headers["billing-position"])
    lives.contract("C-1", added("B", "10.00", "2026-03-01"))
    for path, before in (("/v1/contracts/C-1", one), ("/v1/contracts?limit=2", page)):
        known = {"If-None-Match": before.headers["etag"]}
        assert gets(lives, path, headers=known).status_code == 200


def test_the_same_row_is_another_version_when_a_day_makes_it_another(lives):
    lives.signs("N-1", starts_on="2026-03-11")
    before = gets(lives, "/v1/contracts/N-1")
    assert before.json()["status"] == "to start"
    lives.on("2026-03-11")
    after = gets(lives, "/v1/contracts/N-1", headers={"If-None-Match": before.headers["etag"]})
    assert after.json()["status"] == "running"


def test_an_answer_may_be_kept_by_who_asked_and_by_no_one_between(there):
    assert gets(there, "/v1/contracts/C-1").headers["cache-control"] == "private, no-cache"


# Positions


def test_an_answer_says_up_to_where_it_knows(there):
    end = there.api.billing.store.log_position()
    one, page = gets(there, "/v1/contracts/C-1"), gets(there, "/v1/contracts?client=nobody")
    assert int(one.headers["billing-position"]) == end
    assert (page.json()["position"], page.headers["billing-position"]) == (end, str(end))


@pytest.mark.parametrize("path", ["/v1/contracts", "/v1/contracts/C-1", "/v1/receivables/aged"])
def test_a_position_nobody_has_reached_is_waited_for_and_then_refused(empty, path, monkeypatch):
    monkeypatch.setattr("projections.api.positions.LONGEST", 0.05)
    beyond = empty.billing.store.log_position() + 1
    for said in ({"params": {"at_least": beyond}}, {"headers": {"Billing-Position": str(beyond)}}):
        assert empty.gets(path, role="reader", **said).status_code == 409
    bad = empty.gets(path, role="reader", headers={"Billing-Position": "soon"})
    assert bad.status_code == 422


def test_on_sqlite_a_read_follows_the_log_first(sqlite):
    with served(sqlite, embedded=True) as api:
        app = api.billing
        Lives(api).on("2026-01-05").signs("C-1")
        app.write(app.stamp([added("B", "10.00", "2026-01-01")], contract_id("C-1"), 1))
        one = api.gets("/v1/contracts/C-1", role="reader")
        assert one.json()["version"] == 2
        assert int(one.headers["billing-position"]) == app.store.log_position()


# Who sees what


def test_what_is_personal_is_for_those_who_need_it(there):
    plain, personal = (there.api.key("reader", personal=one) for one in (False, True))
    person = there.api.gets("/v1/parties/P", token=plain)
    assert "name" not in person.json()
    assert "example.org" not in person.text
    seen = there.api.gets("/v1/parties/P", token=personal).json()
    assert (seen["name"], seen["email"]) == ("P SAS", "p@example.org")
    company = there.api.gets("/v1/parties/E", token=plain).json()
    assert (company["name"], company["siren"]) == ("E SAS", "999001050")
    assert "email" not in company
    listed = there.api.gets("/v1/parties", token=plain)
    assert listed.status_code == 200
    everyone = listed.text
    assert "P SAS" not in everyone
    assert "example.org" not in everyone
    asked = there.api.gets("/v1/parties/P?fields=code,email", token=plain).json()
    assert asked == {"code": "P"}
    # The version of one is not the version of the other.
    tag = person.headers["etag"]
    again = there.api.gets("/v1/parties/P", token=personal, headers={"If-None-Match": tag})
    assert again.status_code == 200


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("/v1/contracts", "reader"),
        ("/v1/contracts/C-1/history", "auditor"),
        ("/v1/ledger/entries", "auditor"),
        ("/v1/ledger/balances", "auditor"),
        ("/v1/revenue/recurring", "reader"),
    ],
)
def test_the_books_and_the_history_are_for_auditors(there, path, role):
    assert gets(there, path).status_code == (200 if role == "reader" else 403)
    assert there.api.gets(path, role="operator").status_code == (200 if role == "reader" else 403)
    assert there.api.gets(path, role="auditor").status_code == 200


def test_a_document_with_names_and_addresses_is_for_the_scope_personal(there):
    refused = there.api.gets("/v1/invoices/S/F-1/document", role="auditor")
    assert refused.status_code == 403


# What is not there


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/contracts/X", "no contract X"),
        ("/v1/contracts/X/Y", "no contract X/Y"),
        ("/v1/contracts/X/prices", "no contract X"),
        ("/v1/contracts/X/schedule", "no contract X"),
        ("/v1/contracts/%00", "no contract \0"),
        ("/v1/invoices/S/X", "no invoice S/X"),
        ("/v1/invoices/S/X/lines", "no invoice S/X"),
        ("/v1/invoices/S/X/explain", "no invoice S/X"),
        ("/v1/receivables/S/X", "no document S/X"),
        ("/v1/receivables/S/X/interest", "no document S/X"),
        ("/v1/payments/S/X", "no payment S/X"),
        ("/v1/direct-debits/S/X", "no direct debit S/X"),
        ("/v1/mandates/X", "no mandate X"),
        ("/v1/parties/X", "no party X"),
        ("/v1/clients/X/statement", "no party X"),
        ("/v1/runs/X", "no run X"),
        ("/v1/runs/X/set-aside", "no run X"),
        ("/v1/indices/X", "no series X"),
    ],
)
def test_what_is_not_there_is_said_by_name(empty, path, told):
    missing = empty.gets(path, role="reader")
    assert missing.status_code == 404
    assert missing.json()["detail"] == told


def test_a_number_may_hold_slashes_and_accents(lives):
    lives.signs("K/2026/é")
    found = gets(lives, "/v1/contracts/K/2026/%C3%A9")
    assert found.json()["number"] == "K/2026/é"
    assert (
        numbers(gets(lives, "/v1/contracts/K%2F2026%2F%C3%A9/prices").json() | {"data": []}) == []
    )
    following = gets(lives, "/v1/contracts?limit=9").json()["next"]
    assert numbers(gets(lives, following).json()) == ["K/2026/é"]
