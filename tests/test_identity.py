"""Names of the trade give stream identifiers: the standard's, and always the same."""

import pickle
from uuid import NAMESPACE_URL, RFC_4122, uuid5

from hypothesis import given
from hypothesis import strategies as st

from billing.identity import contract_id, invoice_id, stream


@given(st.sampled_from(["contract", "invoice", "payment", "bank_entry"]), st.text())
def test_a_stream_is_the_uuid5_of_its_name_in_the_space_of_its_kind(kind, name):
    space = uuid5(uuid5(NAMESPACE_URL, "urn:billing"), kind)
    made = stream(kind, name)
    assert made == uuid5(space, name)
    assert (made.version, made.variant) == (5, RFC_4122)
    assert hash(made) == hash(uuid5(space, name))
    assert pickle.loads(pickle.dumps(made)) == made


def test_what_was_once_given_an_identifier_keeps_it():
    assert str(contract_id("IM-2023-0042")) == "2293dd58-8cdb-5c1d-9136-150011bfe9ba"
    assert str(invoice_id("INTEGRAL", "2026-000001")) == "8613fa29-eeb0-5907-bc5e-6c1cc0296672"
