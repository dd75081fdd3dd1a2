"""Termination: the ways out the contract lists; any other is refused."""

import pytest

from billing.clauses.termination import Ground, Termination, ground_for

ABROAD = Ground(cause="moved_abroad", by="client", proof=True, refund=True)
BREACH = Ground(cause="breach_by_supplier", by="client", clock="breach", refund=True)
UNPAID = Ground(cause="unpaid", by="supplier", clock="unpaid", indemnity=True)
MUTUAL = Ground(cause="mutual")
CONTRACT = Termination(grounds=(ABROAD, BREACH, UNPAID, MUTUAL))


@pytest.mark.parametrize(
    ("cause", "by", "expected"),
    [
        ("moved_abroad", "client", ABROAD),
        ("moved_abroad", "supplier", None),  # the client's way out, not the supplier's
        ("breach_by_supplier", "client", BREACH),
        ("unpaid", "supplier", UNPAID),
        ("unpaid", "client", None),
        ("mutual", "client", MUTUAL),
        ("mutual", "supplier", MUTUAL),
        ("convenience", "client", None),  # not listed
        ("force_majeure", "supplier", None),
    ],
)
def test_a_side_leaves_on_a_ground_of_the_contract_only(cause, by, expected):
    assert ground_for(CONTRACT, cause, by) is expected


@pytest.mark.parametrize("by", ["client", "supplier"])
def test_a_contract_that_lists_nothing_is_not_left_early(by):
    assert ground_for(Termination(), "convenience", by) is None


def test_the_ground_of_the_right_side_is_found_among_several_of_one_cause():
    supplier = Ground(cause="convenience", by="supplier")
    client = Ground(cause="convenience", by="client", indemnity=True)
    clause = Termination(grounds=(supplier, client))
    assert ground_for(clause, "convenience", "client") is client
    assert ground_for(clause, "convenience", "supplier") is supplier
