"""Collections to hand over to the bank, as plain facts (prélèvements à remettre), and their faults.

Amounts are exact euros. What the bank would reject is refused here, before a byte is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any, Final, get_args

from msgspec import Struct

from billing.dates import is_target_day, next_target_day
from billing.documents.profile import Profile, Scheme, SequenceType, in_paris
from billing.documents.sepa_text import identifier_fault, says_something, sepa
from billing.events.party import Address
from billing.forms import identifiers
from billing.refusal import Refused

LARGEST: Final = 99_999_999_999
"""In cents: 999,999,999.99 € is the most a collection may be (EPC130-08, AT-06)."""

TOLD: Final = 20
"""How many faults of a file are told."""


class Direct(Struct, frozen=True, gc=False):
    """One collection (prélèvement): what is asked of one debtor under one mandate.

    `end_to_end` names it within the creditor, from here to the bank's statement. The `original_`
    fields say what was before an amendment, told once, with the first collection after it. Of a
    new account `original_iban` or, when that is not known, `original_bic`.
    """

    end_to_end: str
    amount: Decimal
    mandate: str
    signed_on: date
    debtor: str
    iban: str
    bic: str = ""
    remittance: str = ""
    original_iban: str = ""
    original_bic: str = ""
    original_mandate: str = ""
    original_creditor: str = ""
    original_creditor_identifier: str = ""
    address: Address | None = None


class Batch(Struct, frozen=True):
    """Collections alike but for the debtor (remise): one line of the statement when batch-booked.

    `creditor` is the name, `creditor_identifier` the ICS, `iban` the account credited.
    """

    id: str
    creditor: str
    iban: str
    bic: str
    creditor_identifier: str
    scheme: Scheme
    sequence: SequenceType
    collected_on: date
    collections: Sequence[Direct]


class Message(Struct, frozen=True):
    """One file: `id` never serves twice, `initiator` is the name of who hands it over."""

    id: str
    created_at: datetime
    initiator: str
    batches: Sequence[Batch]


def is_amended(collection: Direct) -> bool:
    """Whether something of the mandate, or the account, is told to have been another before."""
    return bool(
        collection.original_iban
        or collection.original_bic
        or collection.original_mandate
        or collection.original_creditor
        or collection.original_creditor_identifier
    )


def cents_of(amount: Any) -> int:
    """An amount of whole cents as a whole number; -1 when it is no such amount."""
    if type(amount) is not Decimal or not amount.is_finite():
        return -1
    cents = amount.scaleb(2)
    return whole if (whole := int(cents)) == cents else -1


def refuse(message: Message, profile: Profile) -> None:
    """Raises Refused with what the bank would reject, the first twenty faults."""
    found = list(islice(_faults(message, profile), TOLD + 1))
    if len(found) > TOLD:
        found[TOLD] = f"and more than these {TOLD}"
    if found:
        raise Refused("\n".join([f"file {message.id}: nothing was written", *found]))


def fault(collection: Direct, profile: Profile, on: date) -> str:
    """Why the bank would reject a collection in a file of that day, in a sentence; "" if not."""
    for told in _collection_faults(collection, profile, on):
        return f"collection {collection.end_to_end}: {told}"
    return ""


def _faults(message: Message, profile: Profile) -> Iterator[str]:
    created_on = in_paris(message.created_at).date()
    if told := identifier_fault(message.id):
        yield f"the id of the file is {message.id!r}: {told}"
    if told := _name_fault(message.initiator, profile):
        yield f"the name of who hands over the file is {message.initiator!r}: {told}"
    if not message.batches:
        yield "there is nothing to collect"
    counted = sum(len(batch.collections) for batch in message.batches)
    if profile.max_per_file and counted > profile.max_per_file:
        yield (
            f"{counted} collections, and the bank takes {profile.max_per_file} a file "
            f"(profile {profile.name})"
        )
    batches: set[str] = set()
    ends: set[str] = set()
    for batch in message.batches:
        for told in _batch_faults(batch, profile, created_on):
            yield f"batch {batch.id}: {told}"
        if batch.id in batches:
            yield f"batch {batch.id}: another batch of the file bears that id"
        batches.add(batch.id)
        for collection in batch.collections:
            if told := fault(collection, profile, created_on):
                yield told
            if collection.end_to_end in ends:
                yield f"collection {collection.end_to_end}: it is twice in the file"
            ends.add(collection.end_to_end)


def _batch_faults(batch: Batch, profile: Profile, created_on: date) -> Iterator[str]:
    if told := identifier_fault(batch.id):
        yield f"its id: {told}"
    if told := _name_fault(batch.creditor, profile):
        yield f"the creditor is {batch.creditor!r}: {told}"
    for value, told in (
        (batch.iban, _account_fault(batch.iban)),
        (batch.bic, batch.bic and _bic_fault(batch.bic)),
        (batch.creditor_identifier, _creditor_fault(batch.creditor_identifier)),
    ):
        if told:
            yield f"{value!r}: {told}"
    for value, kind in ((batch.scheme, Scheme), (batch.sequence, SequenceType)):
        if value not in get_args(kind):
            yield f"{value!r}: {' or '.join(get_args(kind))} was expected"
    day = batch.collected_on
    if not is_target_day(day):
        yield (
            f"banks settle nothing on {day}, no TARGET day: {next_target_day(day)} is the next one"
        )
    if day < created_on:
        yield f"it is to be collected on {day}, before the day of the file, {created_on}"
    if not batch.collections:
        yield "there is nothing to collect"
    if profile.max_per_batch and len(batch.collections) > profile.max_per_batch:
        yield (
            f"{len(batch.collections)} collections, and the bank takes {profile.max_per_batch} "
            f"a batch (profile {profile.name})"
        )


def _collection_faults(collection: Direct, profile: Profile, on: date) -> Iterator[str]:
    if told := identifier_fault(collection.end_to_end):
        yield f"its end-to-end id: {told}"
    cents = cents_of(collection.amount)
    if not 0 < cents <= LARGEST:
        yield (
            f"the amount is {collection.amount}: exact euros and cents, from 0.01 to "
            "999999999.99, were expected"
        )
    if told := identifier_fault(collection.mandate):
        yield f"the mandate is {collection.mandate!r}: {told}"
    if collection.signed_on > on:
        yield f"mandate {collection.mandate} is signed on {collection.signed_on}, after {on}"
    if told := _name_fault(collection.debtor, profile):
        yield f"the debtor is {collection.debtor!r}: {told}"
    if told := _account_fault(collection.iban):
        yield f"the debtor's account is {collection.iban!r}: {told}"
    if collection.bic and (told := _bic_fault(collection.bic)):
        yield f"the debtor's bank is {collection.bic!r}: {told}"
    if is_amended(collection):
        yield from _amendment_faults(collection, profile)
    where = collection.address
    if where is not None and not re.fullmatch("[A-Z]{2}", where.country):
        yield f"the debtor's country is {where.country!r}: two capital letters were expected"


def _amendment_faults(collection: Direct, profile: Profile) -> Iterator[str]:
    for what, value, check in (
        ("original mandate", collection.original_mandate, identifier_fault),
        ("original account", collection.original_iban, _account_fault),
        ("original bank", collection.original_bic, _bic_fault),
        ("original creditor", collection.original_creditor, lambda it: _name_fault(it, profile)),
        ("original creditor", collection.original_creditor_identifier, _creditor_fault),
    ):
        if value and (told := check(value)):
            yield f"the {what} is {value!r}: {told}"


def _name_fault(name: str, profile: Profile) -> str:
    # A first letter without an accent stays whatever the rest becomes: most names need no more.
    if name[:1].isascii() and name[:1].isalnum():
        return ""
    if says_something(sepa(name, profile.name_length)):
        return ""
    return "a name with Latin letters was expected"


_FRENCH: Final = re.compile(r"FR[0-9]{12}[0-9A-Z]{11}[0-9]{2}")
_BASE_36: Final = {ord(letter): str(ord(letter) - 55) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_RIB: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "12345678912345678923456789")


def _account_fault(iban: str) -> str:
    """As `billing.forms.identifiers`, thirty times as fast for French accounts.

    Both keys are remainders of 97: ISO 7064's on the whole, the RIB's on the account.
    """
    if _FRENCH.fullmatch(iban) and "01" < iban[2:4] < "99" and "00" < iban[-2:] < "98":
        account = one = two = iban[4:]
        if not account.isdigit():
            one, two = account.translate(_BASE_36), account.translate(_RIB)
        if int(f"{one}1527{iban[2:4]}") % 97 == 1 and int(two) % 97 == 0:
            return ""
    return _foreign_account_fault(iban)


def _foreign_account_fault(iban: str) -> str:
    from schwifty import IBAN

    if told := _checked(identifiers.iban, iban):
        return told
    return "" if IBAN(iban).in_sepa_zone else "its country is not in the single euro payments area"


@lru_cache(maxsize=4096)
def _bic_fault(bic: str) -> str:
    return _checked(identifiers.bic, bic)


@lru_cache(maxsize=4096)
def _creditor_fault(number: str) -> str:
    return _checked(identifiers.creditor_identifier, number)


def _checked(check: Any, number: str) -> str:
    try:
        compact = check(number)
    except ValueError as error:
        return str(error)
    return "" if compact == number else f"{compact} was expected, without spaces"
