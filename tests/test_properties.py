"""What holds for every contract, whatever it says."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.clauses import Terms
from billing.clauses.cover import Cover
from billing.clauses.fees import Item
from billing.clauses.renewal import Renewal
from billing.clauses.revision import Revision, Weight
from billing.clauses.schedule import Schedule
from billing.clauses.termination import Ground, Termination
from billing.contract import cover, end, renew
from billing.contract.state import fold, from_bytes, to_bytes
from billing.dates import add_months, months_between
from billing.events.contract import ContractRenewed
from billing.money import to_cents
from billing.refusal import Refused
from tests.scenario import BOOK, D, House, lines_of, nets, published, signed

# Made up: an index for every month, out at the end of the next one.
MONTHS = [add_months(date(2023, 12, 1), n) for n in range(60)]
INDEXED = published(
    "SYNTEC_REVISED",
    *(
        (f"{m:%Y-%m}", str(300 + n), str(add_months(m, 2) - timedelta(days=1)))
        for n, m in enumerate(MONTHS)
        if not BOOK.versions("SYNTEC_REVISED", f"{m:%Y-%m}")
    ),
)

prices = st.decimals(min_value=0, max_value=5000, places=2)
starts = st.dates(date(2024, 1, 1), date(2025, 6, 30))
everies = st.sampled_from([1, 2, 3, 4, 6, 12, None])


@st.composite
def items(draw, code="A"):
    return Item(
        code=code,
        label=code,
        unit_price=draw(prices),
        quantity=draw(st.sampled_from([D(1), D(3), D("2.5")])),
        per_months=draw(st.sampled_from([1, 3, 6, 12])),
        kind=draw(st.sampled_from(["service", "equipment", "access", "volume"])),
        discount=draw(st.sampled_from([D(0), D(10), D(100)])),
    )


@st.composite
def terms(draw):
    revision = draw(
        st.sampled_from(
            [
                None,
                Revision(indices=(Weight(weight=D(1), series="SYNTEC_REVISED"),), month=7),
                Revision(
                    indices=(Weight(weight=D("0.8"), series="SYNTEC_REVISED"),),
                    fixed=D("0.2"),
                    base="original",
                ),
            ]
        )
    )
    return Terms(
        renewal=Renewal(
            kind=draw(st.sampled_from(["tacit", "none", "open"])),
            term_months=draw(st.sampled_from([12, 24])),
        ),
        schedule=Schedule(
            every_months=draw(everies),
            in_advance=draw(st.booleans()),
            anchor=draw(st.sampled_from(["start", "calendar"])),
        ),
        cover=Cover(
            proration=draw(st.sampled_from(["days", "actual_365", "thirty_360", "whole_months"])),
            whole_month_kinds=draw(st.sampled_from([(), ("access", "volume")])),
            catch_up=draw(st.sampled_from(["next", "at_once"])),
            removal_credit=draw(st.booleans()),
        ),
        revision=revision,
        termination=Termination(
            grounds=(
                Ground(cause="mutual", refund=True),
                Ground(cause="convenience", refund=False),
            )
        ),
    )


def fit(clauses):
    """A contract without a term cannot be billed by whole terms."""
    return clauses.renewal.kind != "open" or clauses.schedule.every_months is not None


@st.composite
def lives(draw):
    """A signature and what happens to it: day by day, decisions that may be refused."""
    clauses = draw(terms().filter(fit))
    start = draw(starts)
    first = signed(
        draw(items()), draw(items("B")), terms=clauses, starts_on=start.isoformat(), book=INDEXED
    )
    happenings = draw(
        st.lists(
            st.tuples(
                st.integers(0, 900),
                st.sampled_from(["add", "open", "remove", "cancel", "notice", "end"]),
                items("X"),
            ),
            max_size=4,
        )
    )
    return first, sorted(happenings, key=lambda h: h[0]), start


def live(first, happenings, start, until=1000):
    """The life of a contract, billed each month; what a decision refuses does not happen."""
    house = House(INDEXED)
    number = house.sign(first)
    day = start.replace(day=1)
    last = start + timedelta(days=until)
    waiting = list(happenings)
    while day < last:
        following = add_months(day, 1)
        while waiting and start + timedelta(days=waiting[0][0]) < following:
            offset, what, item = waiting.pop(0)
            happens(house, number, what, item, start + timedelta(days=offset))
        house.run(following.isoformat())
        day = following
    return house, number


def happens(house, number, what, item, on):
    history = house.history(number)
    decision = {
        "add": lambda: house.do(number, cover.add_equipment, item, on),
        "open": lambda: house.do(number, cover.subscribe, item, on),
        "remove": lambda: house.do(number, cover.remove_equipment, "A", on, INDEXED, history),
        "cancel": lambda: house.do(number, cover.cancel_option, "X", on, INDEXED, history),
        "notice": lambda: house.do(number, renew.notice, "client", on),
        "end": lambda: house.do(number, end.terminate, on, "mutual", "client", "", history),
    }[what]
    try:
        decision()
    except Refused:
        return


@given(lives(), st.data())
@settings(max_examples=60, deadline=None)
def test_folding_in_chunks_is_folding_at_once(life, data):
    house, number = live(*life, until=500)
    events = house.events[number]
    cut = data.draw(st.integers(0, len(events)))
    at_once = fold(None, events)
    assert fold(fold(None, events[:cut]), events[cut:]) == at_once == house[number]


@given(lives())
@settings(max_examples=60, deadline=None)
def test_a_state_is_read_back_as_it_was(life):
    house, number = live(*life, until=500)
    assert from_bytes(to_bytes(house[number])) == house[number]


@given(lives())
@settings(max_examples=150, deadline=None)
def test_no_run_is_stopped_and_no_fee_is_negative(life):
    house, _ = live(*life)
    assert house.asides == []
    assert all(line.net >= 0 for line in lines_of(house.documents))


@given(lives())
@settings(max_examples=100, deadline=None)
def test_the_next_day_due_never_goes_back_once_its_month_is_billed(life):
    house, number = live(*life)
    due = house[number].next_due()
    assert due is None or due >= life[2] + timedelta(days=950)


@given(lives())
@settings(max_examples=100, deadline=None)
def test_no_day_of_an_item_is_billed_twice(life):
    house, _ = live(*life)
    seen: dict[str, list] = {}
    for line in lines_of(house.documents):
        if line.kind in ("fee", "catch_up"):
            seen.setdefault(line.code, []).append(line.period)
    for periods in seen.values():
        ordered = sorted(periods)
        for before, after in pairwise(ordered):
            assert before.end <= after.start


@given(lives())
@settings(max_examples=100, deadline=None)
def test_what_ends_owes_nothing_more_and_leaves_no_day_unbilled(life):
    house, number = live(*life)
    contract = house[number]
    if contract.ends_on is not None and contract.next_due() is None:
        assert all(covered.owed_from is None for covered in contract.items)
        assert contract.billed_until >= min(contract.ends_on, contract.limit)


@given(starts, everies, prices, st.sampled_from([D(0), D(10), D("33.33")]), st.booleans())
@settings(max_examples=100, deadline=None)
def test_the_instalments_of_a_year_sum_to_the_year(start, every, price, discount, in_advance):
    clauses = Terms(
        renewal=Renewal(kind="none", term_months=12),
        schedule=Schedule(every_months=every, in_advance=in_advance),
    )
    item = Item(code="A", label="A", unit_price=price, per_months=12, discount=discount)
    house = House()
    house.sign(signed(item, terms=clauses, starts_on=start.isoformat()))
    billed = lines_of(house.run("2027-06-01"))
    assert len(billed) == 12 // (every or 12)
    assert sum(line.net for line in billed) == to_cents(price * (100 - discount) / 100)


@given(starts, st.sampled_from([1, 3, 6, 12]), st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_anniversaries_never_drift(start, months, renewals):
    clauses = Terms(renewal=Renewal(term_months=months), schedule=Schedule(every_months=None))
    house = House()
    house.sign(signed(terms=clauses, starts_on=start.isoformat()))
    house.run(add_months(start, months * renewals).isoformat(), earliest=start.isoformat())
    terms_seen = [e.term for e in house.events["C-1"] if isinstance(e, ContractRenewed)]
    assert [term.start for term in terms_seen] == [
        add_months(start, months * n) for n in range(1, renewals)
    ]
    assert all(months_between(start, term.start) % months == 0 for term in terms_seen)


@given(lives())
@settings(max_examples=150, deadline=None)
def test_month_by_month_or_all_late_in_one_go_gives_the_same_lines(life):
    first, _, start = life
    until = add_months(start.replace(day=1), 30).isoformat()
    monthly, late = House(INDEXED), House(INDEXED)
    for house in (monthly, late):
        house.sign(first)
    monthly.months(start.replace(day=1).isoformat(), until)
    late.run(until)
    assert lines_of(late.documents) == lines_of(monthly.documents)
    # Only the numbers differ: they are of the year in which the invoices leave.
    left = [replace(house["C-1"], first_invoice=None, last_invoice="") for house in (monthly, late)]
    assert left[0] == left[1]


@given(lives(), st.integers(1, 700), st.sampled_from(["mutual", "convenience"]))
@settings(max_examples=150, deadline=None)
def test_an_end_costs_the_same_whether_the_run_comes_before_or_after(life, offset, cause):
    first, _, start = life
    on = start + timedelta(days=offset)
    until = add_months(on.replace(day=1), 14).isoformat()
    early, late = House(INDEXED), House(INDEXED)
    for house in (early, late):
        house.sign(first)
    early.months(start.replace(day=1).isoformat(), add_months(on.replace(day=1), 1).isoformat())
    try:
        for house in (early, late):
            told = ("C-1", end.terminate, on, cause, "client", "", house.history("C-1"))
            house.do(*told)
    except Refused:
        return
    early.months(on.replace(day=1).isoformat(), until)
    late.run(until)
    before, after = (sum(nets(house.documents), D(0)) for house in (early, late))
    if cause == "convenience" and first.terms.schedule.in_advance:
        assert before == after  # What fell due stays due.
    elif first.terms.cover.proration == "days" and not first.terms.cover.whole_month_kinds:
        # A credit is by day and rounded once, the fees it gives back line by line.
        assert abs(before - after) <= D("0.02")
