"""Commands over HTTP: the whole vocabulary, each with its path, its roles, its schema."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from billing.application.actions import ACTIONS, action_of
from billing.events.payment import PaymentReceived
from billing.forms import contract_from_values
from projections.api import commands_http, feed, vocabulary
from projections.api.access import INCLUDED
from projections.api.command_schemas import documented
from projections.api.vocabulary import ROUTES
from tests.api.asking import INTEGRAL, NUMBER, PIXEL, a_key, asks, done, signs, topics, values_of
from tests.api.serving import Api, endpoints, served

AN_INVOICE = "AT-2023-000001"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One server for what is refused, and so changes nothing."""
    with served(f"sqlite:///{tmp_path_factory.mktemp('shared')}/api.db") as api:
        signs(api)
        yield api


@pytest.fixture
def signed(api: Api) -> Api:
    signs(api)
    return api


@pytest.fixture
def billed(signed: Api) -> Api:
    """July 2023 is billed: 270.00 € before tax, 324.00 € with it."""
    done(asks(signed, "/v1/runs", {"month": "2023-07"}, on=date(2023, 7, 1)))
    return signed


def invoice_of(api: Api) -> str:
    return api.billing.contract(NUMBER).last_invoice


# The vocabulary


def test_every_action_has_a_path_of_its_own_and_nothing_else_has(api: Api):
    assert ROUTES.keys() == ACTIONS.keys()
    paths = [route.path for route in ROUTES.values()]
    assert len(set(paths)) == len(paths)
    assert {("POST", path) for path in paths} <= endpoints(api.app)


@pytest.mark.parametrize("word", ROUTES)
def test_the_example_of_a_command_is_one_the_engine_understands(word: str):
    route = ROUTES[word]
    values = dict(route.example)
    if word == "sign":
        assert contract_from_values(values).number == "SI-2026-0042"
        return
    named = {name: one for name, one in vocabulary.NAMED.items() if f"{{{name}}}" in route.path}
    if "code" in named:
        values, named = {"party": values | named}, {}
    for name in ("content", "name") if word in vocabulary.UPLOADS else ():
        values.pop(name, None)
    if word in ("collect", "bank-import", "index-import"):
        values["path"] = "a file"
    assert action_of({"do": word, **named, **values}).__struct_config__.tag == word


@pytest.mark.parametrize("word", ROUTES)
def test_the_example_of_a_command_fits_its_schema_and_another_field_does_not(
    word: str, sqlite: str
):

    body = documented(word, ROUTES[word])["requestBody"]["content"]["application/json"]
    components = {"schemas": commands_http.COMPONENTS | feed.COMPONENTS}
    schema = {**body["schema"], "components": components}
    check = jsonschema.Draft202012Validator(schema)
    check.validate(body["example"])
    with pytest.raises(jsonschema.ValidationError):
        check.validate(body["example"] | {"no_such_field": 1})


def test_a_command_that_moves_bank_details_is_no_one_s_alone():
    # Whoever may change where money goes may not move it.
    assert "operator" not in INCLUDED["admin"]
    assert "approver" not in INCLUDED["admin"]


APPROVED = (
    *("amend", "assign", "cancel-order", "suspend", "terminate", "settle-indemnity", "purchase"),
    *("mandate-amend", "collect", "credit-note", "write-off", "refund"),
    *("index-correct", "index-replace", "index-substitute"),
)


def asks_for(api: Api, word: str, role: str) -> int:
    """The status of a command's example, asked by a role."""
    path = ROUTES[word].path.format(**vocabulary.NAMED)
    return asks(api, path, ROUTES[word].example, role=role).status_code


def test_what_gives_money_away_or_takes_a_right_is_for_approvers(shared: Api):
    for word in ROUTES:
        refused = asks_for(shared, word, "operator") == 403
        assert (word, refused) == (word, word in APPROVED)
        assert (word, asks_for(shared, word, "approver") == 403) == (word, False)


@pytest.mark.parametrize("role", ["reader", "auditor", "admin"])
def test_whoever_only_reads_or_administers_decides_nothing(shared: Api, role: str):
    assert {word for word in ROUTES if asks_for(shared, word, role) != 403} == set()


# Signing


@pytest.mark.parametrize("as_toml", [False, True], ids=["json", "toml"])
def test_a_contract_is_signed_from_its_file_told_as_json_or_as_it_is(api: Api, as_toml: bool):
    more: dict[str, Any] = (
        {"content": INTEGRAL.read_bytes(), "headers": {"Content-Type": "application/toml"}}
        if as_toml
        else {"body": values_of(INTEGRAL)}
    )
    answer = asks(api, "/v1/contracts", on=date(2023, 6, 20), **more)
    told = done(answer)
    assert topics(told)[-1] == "contract.signed"
    assert told["position"] == api.billing.store.log_position() == told["events"][-1]["position"]
    assert answer.headers["Billing-Position"] == str(told["position"])
    # Who signed is recorded, and what the review found is told.
    assert api.billing.history(NUMBER)[0].recorded_by == "operator"
    assert {found["severity"] for found in told["findings"]} <= {"warn"}


def test_the_example_of_a_contract_can_be_signed(api: Api):
    signed = done(asks(api, "/v1/contracts", ROUTES["sign"].example, on=date(2026, 1, 6)))
    assert topics(signed)[-1] == "contract.signed"
    usage = {"revision": False}
    told = asks(
        api,
        "/v1/contracts/SI-2026-0042/amend",
        {"prices": {"VISIO-1": "1450.00"}, "terms": usage, "effective_on": "2026-02-01"},
        role="approver",
    )
    assert topics(done(told)) == ["contract.terms_amended"]


def test_every_fault_of_a_contract_is_told_with_its_field(api: Api):
    values = values_of(INTEGRAL) | {"signed_on": "yesterday", "colour": "blue"}
    answer = asks(api, "/v1/contracts", values, on=date(2023, 6, 20))
    assert answer.status_code == 422
    assert {fault["field"] for fault in answer.json()["errors"]} >= {"signed_on", "colour"}


def test_what_the_law_forbids_is_refused_in_a_sentence(api: Api):
    values = values_of(PIXEL) | {"terms": {"payment": {"days": 120}}}
    answer = asks(api, "/v1/contracts", values, on=date(2024, 1, 5))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:billing:problem:refused")
    assert "L441-10" in answer.json()["detail"]
    assert api.billing.store.log_position() == len(list(api.billing.recorded(topics=INDICES)))


INDICES = ["index.series_declared", "index.published", "index.series_replaced"]


# Bodies


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"amount": 12.5, "client": "X"}, 422, "amount"),
        ({"amount": "twelve", "client": "X"}, 422, "amount"),
        ({"amount": "12.50", "client": "X", "do": "pay"}, 422, "do"),
        ({"amount": "12.50", "client": "X", "path": "/etc/passwd"}, 422, "path"),
        ({"amount": "12.50", "client": "X\x00"}, 422, "client"),
        ({"client": "X"}, 422, "amount"),
        ({"amount": "12.50", "value_on": "2023-02-30", "client": "X"}, 422, "value_on"),
        ({"amount": "12.50", "invoices": ["a\x07"]}, 422, "invoices[0]"),
        (["amount"], 422, "body"),
    ],
)
def test_what_is_wrong_in_a_body_is_told_by_field(shared: Api, body: Any, status: int, field: str):
    answer = asks(shared, "/v1/payments", body)
    assert answer.status_code == status
    assert field in [fault["field"] for fault in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("content", "media", "status", "kind"),
    [
        (b"{", "application/json", 400, "not-json"),
        (b'{"amount": "\xff"}', "application/json", 400, "not-json"),
        (b"[" * 100_000, "application/json", 400, "not-json"),
        (b'{"client": "\\ud800"}', "application/json", 400, "not-json"),
        (b"amount=12", "application/x-www-form-urlencoded", 415, "media-type"),
        (b"amount=12", "text/plain", 415, "media-type"),
    ],
)
def test_a_body_of_another_kind_is_refused(
    shared: Api, content: bytes, media: str, status: int, kind: str
):
    answer = asks(shared, "/v1/payments", content=content, headers={"Content-Type": media})
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:billing:problem:{kind}")


@pytest.mark.parametrize(
    "word", [word for word, hidden in vocabulary.HIDDEN.items() if word != "sign"]
)
def test_no_one_names_a_file_of_the_server(shared: Api, word: str):
    for field in ("path", "profile"):
        if field in vocabulary.HIDDEN[word]:
            body = ROUTES[word].example | {field: "/etc/passwd"}
            answer = asks(shared, ROUTES[word].path, body, role="approver")
            assert answer.json()["errors"][0]["field"] == field


def test_a_body_may_not_contradict_its_path(shared: Api):
    answer = asks(shared, f"/v1/contracts/{NUMBER}/resume", {"contract": "OTHER"})
    assert answer.json()["errors"] == [
        {
            "field": "contract",
            "value": "OTHER",
            "expected": f"{NUMBER} was expected, as the path says",
        }
    ]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/v1/contracts/NONE/resume", "contract NONE"),
        ("/v1/contracts/A/B/resume", "contract A/B"),
        ("/v1/invoices/NONE/receive", "invoice NONE"),
        ("/v1/mandates/NONE/revoke", "mandate NONE"),
    ],
)
def test_what_a_path_names_must_be_there(shared: Api, path: str, what: str):
    answer = asks(shared, path, {})
    assert (answer.status_code, answer.json()["detail"]) == (404, f"no {what}")


# A life


def test_a_contract_lives_by_commands(billed: Api):
    contract = f"/v1/contracts/{NUMBER}"
    item = {"code": "PC-12", "label": "Poste", "unit_price": "15.00", "per": "month"}
    life: list[tuple[str, dict[str, Any], str, list[str]]] = [
        ("add-equipment", {"item": item}, "operator", ["contract.equipment_added"]),
        ("remove-equipment", {"code": "PC-12"}, "operator", ["contract.equipment_removed"]),
        ("notice", {"by": "client"}, "operator", ["contract.non_renewal_noticed"]),
    ]
    for word, body, role, expected in life:
        told = done(asks(billed, f"{contract}/{word}", body, role=role, on=date(2023, 7, 10)))
        assert topics(told) == expected
        assert told["recorded"] == len(expected)
        assert told["events"][0]["recorded_by"] == role
    assert billed.billing.contract(NUMBER).version == 5


def test_an_invoice_is_received_paid_too_much_refunded_and_credited(billed: Api):
    number = invoice_of(billed)
    on = date(2023, 7, 20)
    invoice = f"/v1/invoices/{number}"
    assert topics(done(asks(billed, f"{invoice}/receive", {}, on=on))) == ["invoice.received"]
    assert topics(done(asks(billed, f"{invoice}/dispute", {"reason": "Prix"}))) == [
        "invoice.disputed"
    ]
    done(asks(billed, f"{invoice}/settle-dispute", {"how": "Expliqué"}))
    paid = done(asks(billed, "/v1/payments", {"amount": "400.00", "invoices": [number]}))
    assert topics(paid) == ["payment.received", "invoice.payment_allocated"]
    # 400.00 for 324.00: 76.00 are left.
    payment = paid["events"][0]["data"]["reference"]
    back = done(
        asks(billed, "/v1/refunds", {"payment": payment, "reason": "Trop payé"}, role="approver")
    )
    assert back["events"][0]["data"]["amount"] == "76.00"
    credit = done(
        asks(billed, f"{invoice}/credit-note", {"reason": "Geste", "net": "10.00"}, role="approver")
    )
    assert "invoice.credit_note_issued" in topics(credit)
    received = next(billed.billing.recorded(topics=[PaymentReceived.TOPIC]))[1]
    assert received.amount == Decimal("400.00")  # type: ignore[attr-defined]


# Bank details


@pytest.mark.parametrize(
    ("role", "body", "status"),
    [
        ("operator", {"email": "new@example.org"}, 200),
        ("operator", {"iban": "FR7630006000011234567890189"}, 403),
        ("approver", {"iban": "FR7630006000011234567890189"}, 403),
        ("admin", {"iban": "FR7630006000011234567890189"}, 200),
        ("admin", {"email": "new@example.org"}, 403),
        ("admin", {"iban": "FR7630006000011234567890189", "email": "new@example.org"}, 403),
        ("reader", {"email": "new@example.org"}, 403),
        ("auditor", {"iban": "FR7630006000011234567890189"}, 403),
    ],
)
def test_bank_details_are_changed_by_administrators_and_the_rest_by_operators(
    signed: Api, role: str, body: dict[str, Any], status: int
):
    client = signed.billing.contract(NUMBER).client
    answer = asks(signed, f"/v1/parties/{client}/amend", body, role=role)
    assert answer.status_code == status, answer.text
    if status == 200:
        # Personal data of the answer itself is for those with the scope.
        assert not {"iban", "email"} & answer.json()["events"][0]["data"]["party"].keys()


def test_a_cession_does_not_move_bank_details(shared: Api):
    to = {"code": "NEW", "name": "New SARL", "iban": "FR7630006000011234567890189"}
    answer = asks(
        shared, f"/v1/contracts/{NUMBER}/assign", {"side": "client", "to": to}, role="approver"
    )
    assert (answer.status_code, "role admin" in answer.json()["detail"]) == (403, True)


# Long commands


def test_a_month_is_billed_and_its_report_answered(signed: Api):
    answer = asks(signed, "/v1/runs", {"month": "2023-07"}, key="july", on=date(2023, 7, 1))
    told = done(answer)
    assert (told["run"]["invoices"], told["run"]["gross"]) == (1, "324.00")
    assert told["events"] == []
    # Opened, the contract's instalment, its invoice and number, closed.
    assert told["recorded"] == 5
    seen = signed.gets("/v1/commands/july", role="operator").json()
    assert (seen["state"], seen["status"], seen["answer"]["run"]) == ("done", 201, told["run"])


def test_a_long_command_no_one_waits_for_is_answered_with_where_to_look(signed: Api):
    answer = asks(
        signed,
        "/v1/runs",
        {"month": "2023-07"},
        key="july",
        on=date(2023, 7, 1),
        headers={"Prefer": "wait=0"},
    )
    assert answer.status_code == 202
    assert answer.headers["Location"] == "/v1/commands/july"
    commands = signed.app.state.commands
    commands.long.submit(int).result()
    for _ in range(500):
        seen = signed.gets("/v1/commands/july", role="operator").json()
        if seen["state"] == "done":
            break
    assert seen["answer"]["run"]["invoices"] == 1
    assert len(list(signed.billing.recorded(topics=["invoice.issued"]))) == 1


def test_a_run_ends_when_the_server_stops_and_goes_on_when_it_is_asked_again(signed: Api):
    commands = signed.app.state.commands
    commands.stopping = True
    body = {"month": "2023-07"}
    stopped = asks(signed, "/v1/runs", body, key="july", on=date(2023, 7, 1))
    assert (stopped.status_code, stopped.json()["type"]) == (503, "urn:billing:problem:stopping")
    assert not list(signed.billing.recorded(topics=["run.closed"]))
    commands.stopping = False
    told = done(asks(signed, "/v1/runs", body, key="july"))
    assert (told["run"]["resumed"], told["run"]["invoices"]) == (True, 1)
    assert len(list(signed.billing.recorded(topics=["invoice.issued"]))) == 1


def test_one_sees_one_s_own_commands_only(signed: Api):
    asks(signed, "/v1/runs", {"month": "2023-07"}, key="july", on=date(2023, 7, 1))
    other = signed.key("operator", name="someone else")
    assert signed.gets("/v1/commands/july", token=other).status_code == 404


def test_what_a_run_would_bill_is_told_and_not_recorded(signed: Api):
    signed.clock.now = signed.clock.now.replace(year=2023, month=7)
    before = signed.billing.store.log_position()
    told = signed.gets("/v1/previews/2023-07", role="operator").json()
    assert [document["net"] for document in told["documents"]] == ["270.00"]
    assert told["run"]["gross"] == "324.00"
    assert signed.billing.store.log_position() == before
    assert signed.gets("/v1/previews/2023-13", role="operator").status_code == 422


def test_debits_are_handed_over_and_their_file_is_given_to_who_may_see_accounts(billed: Api):
    told = done(
        asks(
            billed,
            "/v1/collections",
            {"until": "2023-08-15"},
            role="approver",
            on=date(2023, 7, 28),
        )
    )
    (file,) = told["files"]
    assert (file["count"], file["total"]) == (1, "324.00")
    token = billed.key("approver", personal=True)
    answer = billed.gets(file["see"], token=token)
    assert answer.status_code == 200
    assert b'<InstdAmt Ccy="EUR">324.00</InstdAmt>' in answer.content
    assert billed.gets(file["see"], role="approver").status_code == 403
    assert billed.gets("/v1/collections/NONE/file", token=token).status_code == 404


def test_a_file_that_cannot_be_read_is_refused_by_its_own_name(api: Api):
    body = {"name": "releve.xml", "content": "<Document>"}
    answer = asks(api, "/v1/bank/files", body)
    assert answer.status_code == 422
    assert "releve.xml" in answer.json()["detail"]
    assert "/tmp" not in answer.text


def test_values_are_imported_from_a_file_s_text(api: Api):
    body = {"name": "notes.csv", "content": "not,what,is\nexpected,at,all\n"}
    answer = asks(api, "/v1/indices/files", body)
    assert (answer.status_code, "/tmp" in answer.text) == (422, False)


def test_what_is_late_is_chased_by_the_policy_that_ships_or_by_another(billed: Api):
    # Nothing is late yet.
    told = done(asks(billed, "/v1/chases", {}, on=date(2023, 7, 20)))
    assert told["recorded"] == 0
    bad = asks(billed, "/v1/chases", {"content": "colour = 'blue'"})
    assert (bad.status_code, "policy.toml" in bad.json()["detail"]) == (422, True)


def test_keys_of_commands_are_asked_for(api: Api):
    answer = api.asks("POST", "/v1/payments", role="operator", json={"amount": "1.00"})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:billing:problem:key-missing")
    for bad in ("", "é" * 3, "k" * 256, "two words"):
        answer = asks(
            api,
            "/v1/payments",
            {"amount": "1.00"},
            headers={"Idempotency-Key": bad.encode("latin-1")},
        )
        assert answer.status_code == 422
    assert a_key() != a_key()


def test_a_contract_told_as_json_reads_as_its_file(api: Api):
    told = contract_from_values(values_of(INTEGRAL))
    assert (told.number, told.form.name) == (NUMBER, "integral-micro")
