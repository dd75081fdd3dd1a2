"""Where each command of the vocabulary is asked for over HTTP, by whom, and with what for example.

Who may ask:

- `operator` records what happens: signatures, cover, work, usage, notices, payments, bank files,
  receipts, disputes, published values; and bills the month and chases what is late.
- `approver` decides what gives money away or takes a right: changes of terms, terminations,
  indemnities, credit notes, refunds, write-offs, suspensions, purchases, files of direct debits,
  rectified or replaced indices.
- Bank details of a party (IBAN, BIC, creditor identifier) are changed by `admin` alone, who decides
  nothing else: whoever can move money cannot also say where it goes.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

Role = Literal["operator", "approver"]


class Route(NamedTuple):
    """A command's path: its {parameters} are fields of the action, `what` each of them names.

    `long`: it takes several transactions, and may be answered before it is done. `bank`: the field
    that holds a party, whose bank details are for admin.
    """

    path: str
    role: Role
    example: dict[str, Any]
    status: int = 200
    long: bool = False
    bank: str = ""


def _contract(word: str, role: Role, bank: str = "", **example: Any) -> Route:
    return Route(f"/v1/contracts/{{contract}}/{word}", role, example, bank=bank)


def _invoice(word: str, role: Role, **example: Any) -> Route:
    return Route(f"/v1/invoices/{{invoice}}/{word}", role, example)


_CONTRACT_FILE: Final = {
    "form": "si-contact",
    "number": "SI-2026-0042",
    "signed_on": "2026-01-05",
    "supplier": {
        "siren": "732829320",
        "address": {"lines": ["400 rue Berthier"], "postcode": "13290", "city": "Aix-en-Provence"},
    },
    "client": {
        "code": "ATELIER-MOREAU",
        "name": "Atelier Moreau SARL",
        "siren": "404833048",
        "address": {"lines": ["12 rue des Forges"], "postcode": "69003", "city": "Lyon"},
    },
    "items": [
        {
            "code": "VISIO-1",
            "catalogue": "VISIO",
            "label": "Maintenance Sérénité, salle Mistral",
            "unit_price": "1500.00",
            "warranty_until": "2028-12-31",
        },
    ],
}
_ITEM: Final = {
    "code": "VISIO-2",
    "label": "Maintenance Sérénité, salle Alpilles",
    "quantity": 1,
    "unit_price": "900.00",
    "per": "year",
    "warranty_until": "2028-12-31",
}

ROUTES: Final[dict[str, Route]] = {
    # Signature and changes
    "sign": Route("/v1/contracts", "operator", _CONTRACT_FILE, 201),
    "amend": _contract(
        "amend",
        "approver",
        effective_on="2026-03-01",
        reason="Geste commercial",
        prices={"VISIO-1": "1450.00"},
    ),
    "assign": _contract("assign", "approver", "to", side="client", to={"code": "MOREAU-HOLDING"}),
    "accept": _contract("accept", "operator", accepted_on="2026-02-02"),
    "deposit": _contract(
        "deposit", "operator", amount="600.00", received_on="2026-01-12", reference="VIR-0107"
    ),
    "deposit-invoice": _contract("deposit-invoice", "operator", percent=30),
    "cancel-order": _contract("cancel-order", "approver", cancelled_on="2026-01-20", agreed=False),
    # Cover and work
    "add-equipment": _contract(
        "add-equipment", "operator", item=_ITEM, since="2026-03-01", declared="in_time"
    ),
    "remove-equipment": _contract(
        "remove-equipment", "operator", code="VISIO-2", removed_on="2026-06-30"
    ),
    "subscribe": _contract("subscribe", "operator", item=_ITEM | {"code": "SAUVEGARDE"}),
    "cancel-option": _contract("cancel-option", "operator", code="SAUVEGARDE"),
    "usage": _contract("usage", "operator", meter="copies", month="2026-02", used="4120"),
    "work": _contract("work", "operator", code="DEPLACEMENT", done_on="2026-02-11", quantity="1.5"),
    "check-equipment": _contract(
        "check-equipment", "operator", code="IMPRIMANTE-2", checked_on="2026-02-11", working=True
    ),
    "ship-replacement": _contract(
        "ship-replacement", "operator", code="VISIO-1", shipped_on="2026-02-12", reference="RMA-77"
    ),
    "return-faulty": _contract(
        "return-faulty", "operator", code="VISIO-1", returned_on="2026-02-20", reference="RMA-77"
    ),
    "charge": _contract(
        "charge",
        "operator",
        kind="bank_fee",
        label="Frais de rejet de prélèvement",
        amount="15.00",
        because="AM04, prélèvement du 5 février",
    ),
    # Renewal and end
    "offer": _contract("offer", "operator", months=12, prices={"VISIO-1": "1560.00"}),
    "accept-offer": _contract("accept-offer", "operator", accepted_on="2026-11-20"),
    "notice": _contract("notice", "operator", by="client", sent_on="2026-09-28"),
    "formal-notice": _contract(
        "formal-notice", "operator", clock="unpaid", sent_on="2026-03-02", reason="Impayés"
    ),
    "cure": _contract("cure", "operator", clock="unpaid", cured_on="2026-03-10"),
    "suspend": _contract("suspend", "approver", clock="unpaid", measure="suspend"),
    "resume": _contract("resume", "operator", resumed_on="2026-03-20"),
    "terminate": _contract(
        "terminate",
        "approver",
        cause="convenience",
        side="client",
        effective_on="2026-07-01",
        evidence="Lettre recommandée du 30 mars",
    ),
    "settle-indemnity": _contract(
        "settle-indemnity", "approver", amount="0", reason="Le client reprend un autre contrat"
    ),
    "purchase": _contract("purchase", "approver", price="900.00", label="Rachat du parc loué"),
    "task-done": _contract(
        "task-done", "operator", code="data_destruction", proof="Certificat 2026-118"
    ),
    # Mandates and parties
    "mandate-sign": _contract(
        "mandate", "operator", signed_on="2026-01-05", iban="FR7630006000011234567890189"
    ),
    "mandate-amend": Route(
        "/v1/mandates/{mandate}/amend", "approver", {"iban": "FR7630006000011234567890189"}
    ),
    "mandate-revoke": Route(
        "/v1/mandates/{mandate}/revoke", "operator", {"revoked_on": "2026-05-04"}
    ),
    "party-amend": Route(
        "/v1/parties/{code}/amend", "operator", {"email": "compta@example.org"}, bank="party"
    ),
    # Direct debits
    "collect": Route("/v1/collections", "approver", {"until": "2026-03-20"}, 201, long=True),
    "announce": Route(
        "/v1/collections/announcements", "operator", {"contract": "SI-2026-0042", "year": 2026}, 201
    ),
    # Invoices
    "credit-note": _invoice("credit-note", "approver", reason="Facturé deux fois", lines=[2]),
    "receive-invoice": _invoice("receive", "operator", received_on="2026-03-04"),
    "withhold": _invoice("withhold", "operator", percent=5, reason="Réserves à la réception"),
    "release": _invoice("release", "operator", released_on="2026-06-01"),
    "write-off": _invoice("write-off", "approver", reason="Liquidation judiciaire clôturée"),
    "dispute": _invoice("dispute", "operator", reason="Le client conteste les copies couleur"),
    "settle-dispute": _invoice("settle-dispute", "operator", how="Relevé du compteur accepté"),
    # Payments
    "pay": Route(
        "/v1/payments",
        "operator",
        {
            "amount": "278.40",
            "client": "ATELIER-MOREAU",
            "value_on": "2026-03-05",
            "reference": "VIR-2026-0305",
            "invoices": ["F-2026-000042"],
        },
        201,
    ),
    "allocate": Route("/v1/allocations", "operator", {"payment": "VIR-2026-0305"}, 201),
    "set-off": Route("/v1/set-offs", "operator", {"client": "ATELIER-MOREAU"}, 201),
    "refund": Route(
        "/v1/refunds", "approver", {"payment": "VIR-2026-0305", "reason": "Payé deux fois"}, 201
    ),
    "reject-payment": Route(
        "/v1/payments/{payment}/reject", "operator", {"reason": "Provision insuffisante"}
    ),
    "bank-import": Route(
        "/v1/bank/files",
        "operator",
        {"name": "releve.xml", "content": "<Document>…</Document>"},
        201,
        long=True,
    ),
    "match-entry": Route(
        "/v1/bank/entries/{entry}/match", "operator", {"invoices": ["F-2026-000042"]}
    ),
    # What is late
    "chase": Route("/v1/chases", "operator", {"chased_on": "2026-03-31"}, 201, long=True),
    # Indices
    "index-publish": Route(
        "/v1/indices/{series}/values",
        "operator",
        {
            "period": "2026-01",
            "value": "317.4",
            "source": "https://www.syntec.fr/indicateurs/indice-syntec/",
            "published_on": "2026-02-27",
        },
        201,
    ),
    "index-correct": Route(
        "/v1/indices/{series}/corrections",
        "approver",
        {
            "period": "2026-01",
            "value": "317.5",
            "source": "https://www.syntec.fr/indicateurs/indice-syntec/",
            "reason": "Valeur rectifiée par l'éditeur",
        },
        201,
    ),
    "index-replace": Route(
        "/v1/indices/{series}/replacement",
        "approver",
        {
            "successor": "ICHT-REV-TS-2025",
            "period": "2025-12",
            "coefficient": "1.2140",
            "source": "Informations rapides de l'Insee",
        },
        201,
    ),
    "index-substitute": _contract(
        "substitute-index",
        "approver",
        series="PSDA",
        by_series="SYNTEC",
        decided_by="Accord des parties",
        evidence="Avenant du 3 février 2026",
    ),
    "index-import": Route(
        "/v1/indices/files",
        "operator",
        {"name": "valeurs.csv", "content": "period;value\n…", "published_on": "2026-02-27"},
        201,
    ),
    # Runs
    "run": Route("/v1/runs", "operator", {"month": "2026-03"}, 201, long=True),
}

NAMED: Final = {
    "contract": "SI-2026-0042",
    "invoice": "F-2026-000042",
    "mandate": "SI-2026-0042-1",
    "code": "ATELIER-MOREAU",
    "payment": "VIR-2026-0305",
    "entry": "FR76…-2026-03-05-1",
    "series": "SYNTEC",
}
"""What the parameters of the paths look like."""

HIDDEN: Final = {
    "sign": ("path", "text", "folders", "values"),
    "collect": ("path", "profile"),
    "announce": ("path", "profile"),
    "bank-import": ("path",),
    "index-import": ("path",),
    "chase": ("path",),
}
"""Fields that name files of whoever runs the program: never taken from others."""

UPLOADS: Final = {"bank-import": "bank.xml", "index-import": "values.csv", "chase": "policy.toml"}
"""Commands that take a file, in `content`, and its name when none is given."""

MAY_LACK_FILE: Final = ("chase",)
BANK_DETAILS: Final = ("iban", "bic", "creditor_identifier")
