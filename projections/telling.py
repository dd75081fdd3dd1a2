"""How an event is told to other services: its fields, less the personal data it holds.

PERSONAL names, for every kind of event, the fields that only those with the scope `personal` are
told: accounts, e-mail addresses, what payers wrote, who they are; and the name and address of a
party that is a person. A kind of event that is not in the table is told without any of its data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Final

import msgspec
from eventsourcing.persistence import StoredEvent

from billing.events import TOPICS
from billing.record import from_stored
from billing.refusal import Refused

_PARTY: Final = ("party.email", "party.iban", "party.bic")
_NATURAL: Final = ("party.name", "party.address", "party.siren", "party.siret", "party.vat_number")
"""Of a party that is a person: not a company's."""

PERSONAL: Final[dict[str, tuple[str, ...]]] = {
    "party.registered": _PARTY,
    "party.amended": _PARTY,
    "mandate.signed": ("iban", "bic", "proof"),
    "mandate.amended": ("iban", "bic"),
    "mandate.collection_ordered": ("iban", "original_iban"),
    "mandate.collection_returned": ("iban",),
    "payment.received": ("payer", "payer_iban", "remittance"),
    "bank_file.imported": ("account",),
    "bank_entry.unmatched": ("account", "counterparty", "counterparty_iban", "remittance"),
    "einvoice.status_received": ("note", "reasons", "sender"),
} | dict.fromkeys(
    (
        "bank_entry.settled",
        "collection_file.submitted",
        "contract.assigned",
        "contract.breach_cured",
        "contract.charge_added",
        "contract.deposit_credited",
        "contract.deposit_invoiced",
        "contract.deposit_received",
        "contract.deposit_reversed",
        "contract.equipment_added",
        "contract.equipment_checked",
        "contract.equipment_removed",
        "contract.faulty_item_returned",
        "contract.formal_notice_sent",
        "contract.indemnity_assessed",
        "contract.indemnity_settled",
        "contract.index_substituted",
        "contract.installation_accepted",
        "contract.instalment_billed",
        "contract.mandate_attached",
        "contract.non_renewal_noticed",
        "contract.option_cancelled",
        "contract.option_subscribed",
        "contract.order_cancelled",
        "contract.price_revised",
        "contract.renewal_accepted",
        "contract.renewal_offered",
        "contract.renewed",
        "contract.rental_purchased",
        "contract.replacement_shipped",
        "contract.service_resumed",
        "contract.service_suspended",
        "contract.set_aside",
        "contract.signed",
        "contract.supplementary_work_done",
        "contract.task_done",
        "contract.terminated",
        "contract.terms_amended",
        "contract.usage_measured",
        "directory.address_recorded",
        "einvoice.collection_declared",
        "einvoice.file_attached",
        "einvoice.queued",
        "einvoice.sent",
        "einvoice_message.read",
        "ereport.prepared",
        "form.recorded",
        "index.corrected",
        "index.published",
        "index.series_declared",
        "index.series_replaced",
        "invoice.credit_note_issued",
        "invoice.credited",
        "invoice.debit_note_issued",
        "invoice.dispute_settled",
        "invoice.disputed",
        "invoice.issued",
        "invoice.late_interest_charged",
        "invoice.payment_allocated",
        "invoice.payment_reversed",
        "invoice.received",
        "invoice.recovery_fee_charged",
        "invoice.reminder_sent",
        "invoice.retention_released",
        "invoice.retention_withheld",
        "invoice.written_off",
        "mandate.collection_settled",
        "mandate.collections_announced",
        "mandate.lapsed",
        "mandate.revoked",
        "numbers.taken",
        "payment.identified",
        "payment.refunded",
        "payment.rejected",
        "run.closed",
        "run.opened",
    ),
    (),
)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def told(position: int, stored: StoredEvent, personal: bool) -> dict[str, Any]:
    """An event as others are told of it: where it stands, who recorded it when, what it says."""
    topic = stored.topic
    kind = TOPICS.get(topic)
    later_shape = kind is not None and kind.VERSION > 1
    data = _decode(_encode(from_stored(stored)) if later_shape else stored.state)
    for name in ("originator_id", "originator_version", "v"):
        data.pop(name, None)
    recorded_at, recorded_by = data.pop("recorded_at", None), data.pop("recorded_by", "")
    if not personal:
        data = _impersonal(topic, data)
    return {
        "position": position,
        "topic": topic,
        "stream": str(stored.originator_id),
        "version": stored.originator_version,
        "recorded_at": recorded_at,
        "recorded_by": recorded_by,
        "data": data,
    }


def _impersonal(topic: str, data: dict[str, Any]) -> dict[str, Any]:
    paths = PERSONAL.get(topic)
    if paths is None:
        return {}
    if paths is _PARTY and data["party"].get("category", "professional") in NATURAL:
        paths += _NATURAL
    for path in paths:
        table, _, name = path.rpartition(".")
        (data[table] if table else data).pop(name, None)
    return data


NATURAL: Final = ("consumer", "non_professional")
"""The categories of parties that are, or may be, persons."""


def topics_of(said: Iterable[str]) -> tuple[str, ...]:
    """Kinds of events by name (invoice.issued) or by group (invoice.*); all when none is said.

    Raises Refused for what is neither.
    """
    found: dict[str, None] = {}
    for one in said:
        ours = [one] if one in TOPICS else list(_of_group(one))
        if not ours:
            groups = {f"{topic.partition('.')[0]}.*" for topic in TOPICS}
            close = get_close_matches(one, [*TOPICS, *groups], 3, 0.5)
            hint = f"did you mean {' or '.join(close)}?" if close else "such as invoice.issued"
            raise Refused(f"topics: no kind of event is called {one}; {hint}")
        found.update(dict.fromkeys(ours))
    return tuple(found)


def _of_group(said: str) -> Iterator[str]:
    group, dot, rest = said.partition(".")
    if dot and rest == "*":
        yield from (topic for topic in sorted(TOPICS) if topic.partition(".")[0] == group)


def words(topics: Sequence[str]) -> list[str]:
    """Topics parsed from a parameter: several values, or one with commas."""
    return [word.strip() for one in topics for word in one.split(",") if word.strip()]


__all__ = ["NATURAL", "PERSONAL", "told", "topics_of", "words"]
