"""Every answer about the demo is what the document says; and examples are answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import jsonschema
import pytest

from billing.application import balances
from billing.application.explain import explain
from billing.demo import story
from projections.api.shapes import EXAMPLES
from tests.api.serving import Api, Clock, served
from tests.played import Typed

Document = dict[str, Any]
OURS = re.compile(
    "/v1/(contracts|invoices|receivables|payments|clients|direct-debits|mandates|revenue|ledger"
    "|runs|calendar|prices|revisions|parties|indices)"
)


@pytest.fixture(scope="module")
def demo(played: Typed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The demo, asked; on a copy of its own."""
    path = tmp_path_factory.mktemp("asked") / "demo.db"
    path.write_bytes(played.database.read_bytes())
    clock = Clock(datetime.combine(story.TODAY, datetime.min.time(), UTC) + timedelta(hours=12))
    with served(f"sqlite:///{path}", clock, embedded=True) as api:
        yield api


@pytest.fixture(scope="module")
def document(demo: Api) -> Document:
    told: Document = demo.gets("/openapi.json").json()
    return told


def validator(document: Document, schema: Document) -> Any:
    # Nothing is left out here: what is always there is required.
    schemas = {
        name: one | ({"required": one["x-always"]} if "x-always" in one else {})
        for name, one in document["components"]["schemas"].items()
    }
    components = {"components": {"schemas": schemas}}
    return jsonschema.Draft202012Validator(
        schema | components, format_checker=jsonschema.FormatChecker()
    )


def asked_of(document: Document) -> dict[str, Document]:
    """Our questions: path and operation."""
    return {
        path: item["get"]
        for path, item in document["paths"].items()
        if "get" in item and OURS.match(path)
    }


KEYS = {
    "/v1/contracts": ("number",),
    "/v1/invoices": ("supplier", "number"),
    "/v1/receivables": ("supplier", "number"),
    "/v1/payments": ("supplier", "reference"),
    "/v1/direct-debits": ("supplier", "end_to_end"),
    "/v1/mandates": ("reference",),
    "/v1/runs": ("name",),
    "/v1/parties": ("code",),
    "/v1/indices": ("id",),
    "/v1/clients": ("code",),
}


def every(demo: Api, path: str, token: str) -> list[Document]:
    found, following = [], path
    while following:
        page = demo.gets(following, token=token).json()
        found += page["data"]
        following = page["next"]
    return found


def addresses(demo: Api, path: str, token: str) -> list[str]:
    """Where a question of the document is asked on the demo; of rows, some of each."""
    if "{" not in path:
        return [path]
    head = path.partition("/{")[0]
    rows = every(demo, "/v1/parties" if head == "/v1/clients" else head, token)
    step = max(1, len(rows) // 12)
    found = []
    for row in rows[::step]:
        address = path
        for name in KEYS[head]:
            address = re.sub(r"\{\w+\}", row[name], address, count=1)
        found.append(address)
    return found


@pytest.mark.parametrize("personal", [False, True])
def test_every_answer_is_what_the_document_says(demo, document, personal):
    token = demo.key("auditor", personal=personal)
    told = 0
    for path, operation in asked_of(document).items():
        content = operation["responses"]["200"]["content"]
        if "application/json" not in content:
            continue
        check = validator(document, content["application/json"]["schema"])
        for address in addresses(demo, path, token):
            answer = demo.gets(address, token=token)
            assert answer.status_code == 200, (address, answer.text)
            faults = [f"{one.json_path}: {one.message}" for one in check.iter_errors(answer.json())]
            assert not faults, (address, faults[:3])
            told += 1
    assert told > 200


def test_every_row_of_every_list_is_what_the_document_says(demo, document):
    token = demo.key("auditor", personal=True)
    for path, operation in asked_of(document).items():
        if "{" in path or "json" not in str(operation["responses"]["200"]["content"].keys()):
            continue
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        if "data" not in schema.get("properties", {}):
            continue
        check = validator(document, schema["properties"]["data"])
        rows = every(demo, path, token)
        faults = [f"{one.json_path}: {one.message}" for one in check.iter_errors(rows)]
        assert not faults, (path, faults[:3])
        assert rows, path


def test_every_question_says_its_units_its_parameters_and_an_example(document):
    ours = asked_of(document)
    assert len(ours) > 35
    for path, operation in ours.items():
        content = operation["responses"]["200"]["content"]
        (kind,) = content
        assert operation["summary"], path
        assert len(operation["description"]) > 40, path
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description") or parameter["in"] == "path", (path, parameter)
        if kind == "application/json":
            assert "example" in content[kind], path


def test_every_example_is_an_answer(document):
    schemas = document["components"]["schemas"]
    assert len(EXAMPLES) > 20
    for name, example in EXAMPLES.items():
        faults = list(validator(document, schemas[name]).iter_errors(example))
        assert not faults, (name, [f"{one.json_path}: {one.message}" for one in faults[:3]])
    for path, operation in asked_of(document).items():
        for content in operation["responses"]["200"]["content"].values():
            if "example" in content:
                faults = list(
                    validator(document, content["schema"]).iter_errors(content["example"])
                )
                assert not faults, (path, faults[0].message)


def test_fields_named_in_the_document_may_be_asked_for(demo, document):
    token = demo.key("auditor", personal=True)
    for path, operation in asked_of(document).items():
        names = {one["name"] for one in operation.get("parameters", ())}
        if "fields" not in names or "{" in path:
            continue
        (row, *_) = every(demo, path, token)
        for name in list(row)[:40]:
            (found, *_) = demo.gets(f"{path}?limit=1&fields={name}", token=token).json()["data"]
            assert found == {name: row[name]}


# Answers no table holds


def test_the_aged_balance_is_the_engines(demo):
    for on in (None, date(2025, 3, 31), date(2026, 11, 1)):
        said = {"as_of": str(on)} if on else {}
        told = demo.gets("/v1/receivables/aged", role="reader", params=said).json()
        found = balances.aged(demo.billing, on or demo.billing.today)
        assert told["at"] == str(found.at)
        assert [one["client"] for one in told["clients"]] == [one.client for one in found.clients]
        assert told["total"]["total"] == f"{found.total.total:.2f}"


def test_a_statement_ends_with_what_is_owed(demo):
    reader = demo.key("reader")
    aged = demo.gets("/v1/receivables/aged", token=reader).json()
    assert aged["clients"]
    for one in aged["clients"]:
        told = demo.gets(f"/v1/clients/{one['client']}/statement", token=reader).json()
        assert told["closing"] == one["total"]
        assert told["entries"][-1]["balance"] == told["closing"]


def test_a_document_is_explained_to_its_lines(demo):
    (row, *_) = demo.gets("/v1/invoices?limit=1", role="reader").json()["data"]
    path = f"/v1/invoices/{row['supplier']}/{row['number']}/explain"
    whole = demo.gets(path, role="reader").json()
    assert whole.get("agrees", True)
    assert whole["title"] == explain(demo.billing, row["number"], row["supplier"]).title
    line = demo.gets(f"{path}?line=1", role="reader").json()
    assert line["title"] != whole["title"]
    wrong = demo.gets(f"{path}?line=99", role="reader")
    assert wrong.status_code == 422
    assert "no line 99" in wrong.json()["detail"]


def test_a_document_is_printed_as_it_was_issued(demo):
    (row, *_) = demo.gets("/v1/invoices?limit=1", role="reader").json()["data"]
    token = demo.key("reader", personal=True)
    pdf = demo.gets(f"/v1/invoices/{row['supplier']}/{row['number']}/document", token=token)
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-1.7")
    assert f'filename="{row["number"]}.pdf"' in pdf.headers["content-disposition"]


def test_the_schedule_is_what_the_runs_to_come_would_bill(demo):
    running = demo.gets("/v1/contracts?status=running", role="reader").json()["data"]
    billed = 0
    for contract in running:
        path = f"/v1/contracts/{contract['number']}/schedule?count=3"
        told = demo.gets(path, role="reader").json()
        dates = [one["on"] for one in told["invoices"]]
        assert dates == sorted(dates)
        assert all(on >= told["on"] for on in dates)
        billed += len(dates)
        limited = demo.gets(f"{path}&to={told['on']}", role="reader").json()
        assert all(one["on"] <= told["on"] for one in limited["invoices"])
    assert billed > 5


def test_late_interest_to_date_is_stretches_of_days_at_a_rate(demo):
    reader = demo.key("reader")
    late = demo.gets("/v1/receivables?late=true", token=reader).json()["data"]
    assert late
    for row in late:
        path = f"/v1/receivables/{row['supplier']}/{row['number']}/interest"
        told = demo.gets(path, token=reader).json()
        assert told["until"] == str(demo.billing.today)
        assert told["stretches"] or told["unknown"]
        before = demo.gets(f"{path}?as_of={row['due_on']}", token=reader).json()
        assert (before["interest"], before["fee"]) == ("0.00", "0.00")


@pytest.mark.parametrize("dated", ["", "&as_of=2026-05-20", "&known_at=2026-03-01"])
def test_interest_of_a_list_is_that_of_each_of_its_documents(demo, dated):
    reader = demo.key("reader")
    rows = every(demo, f"/v1/receivables?client=CONGRES-LUBERON{dated}", reader)
    told = every(demo, f"/v1/receivables/interest?client=CONGRES-LUBERON&limit=3{dated}", reader)
    assert len(told) == len(rows) > 3
    for row, one in zip(rows, told, strict=True):
        path = f"/v1/receivables/{row['supplier']}/{row['number']}/interest"
        alone = demo.gets(f"{path}?{dated}", token=reader).json()
        assert one == alone


def test_interest_is_listed_of_those_that_are_late_on_the_day(demo):
    reader = demo.key("reader")
    # PT2026-000001: 1122.00 due on 2026-01-31; 59 days at 12.15 %: 22.0350… on 2026-03-31.
    which = "late=true&kind=invoice&client=ATELIER-ENSEIGNES&as_of=2026-03-31"
    (one,) = demo.gets(f"/v1/receivables/interest?{which}", token=reader).json()["data"]
    assert (one["number"], one["until"]) == ("PT2026-000001", "2026-03-31")
    assert (one["interest"], one["fee"]) == ("22.04", "40.00")
    refused = demo.gets("/v1/receivables/interest?fields=number", token=reader)
    assert refused.status_code == 422
    assert "fields" in refused.json()["detail"] + str(refused.json()["errors"])


def test_what_recurs_is_the_sum_of_what_moved_it(demo):
    reader = demo.key("reader")
    months = demo.gets("/v1/revenue/recurring", token=reader).json()["data"]
    moves = every(demo, "/v1/revenue/moves", reader)
    last = {one["supplier"]: one for one in months}
    for supplier, month in last.items():
        assert month["month"] == f"{demo.billing.today:%Y-%m-01}"
        until = f"{demo.billing.today:%Y-%m-31}"
        summed = sum(
            round(float(one["yearly"]) * 100)
            for one in moves
            if one["supplier"] == supplier and one["effective_on"] <= until
        )
        assert round(float(month["yearly"]) * 100) == summed
    whole = [one["month"] for one in months if one["supplier"] == "INTEGRALMICRO"]
    assert len(whole) == len(set(whole)) > 50


def test_the_history_of_a_contract_has_its_events_with_their_data(demo):
    (row, *_) = demo.gets("/v1/contracts?limit=1", role="reader").json()["data"]
    path = f"/v1/contracts/{row['number']}/history"
    lines = every(demo, path, demo.key("auditor"))
    assert len(lines) == row["version"]
    assert [one["version"] for one in lines] == list(range(1, row["version"] + 1))
    assert lines[0]["data"]["number"] == row["number"]
    only = every(demo, f"{path}?topic=contract.instalment_billed", demo.key("auditor"))
    assert {one["topic"] for one in only} == {"contract.instalment_billed"}


def test_a_series_is_told_with_source_and_day_of_publication(demo):
    told = demo.gets("/v1/indices/SYNTEC_REVISED?from=2023-04&to=2023-05", role="reader").json()
    values = {one["period"]: one for one in told["values"]}
    assert values["2023-05"]["value"] == "302.7"
    assert values["2023-05"]["published_on"] == "2023-06-30"
    assert values["2023-05"]["source"]
    before = demo.gets(
        "/v1/indices/SYNTEC_REVISED?from=2023-04&to=2023-05&published_by=2023-06-29", role="reader"
    )
    assert [one["period"] for one in before.json()["values"]] == ["2023-04"]
