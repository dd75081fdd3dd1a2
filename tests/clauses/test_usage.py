"""Usage: what was consumed beyond what the fee includes."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.clauses.usage import Excess, Meter, usage_fee

D = Decimal

LANDLINE = Meter(
    code="FIXE", label="Landlines", unit="s", unit_price=D("0.01"), units_per_price=D(60)
)
MOBILE = Meter(code="MOB", label="Mobiles", unit="s", unit_price=D("0.08"), units_per_price=D(60))
BACKUP = Meter(
    code="GO", label="Backup", unit="Go", unit_price=D("3.00"), included=D(100), step=D(1)
)
BLOCKS = Meter(code="B", label="Blocks", unit="Go", unit_price=D("0.50"), step=D(10))
REQUESTS = Meter(code="R", label="Requests", unit="unit", unit_price=D("0.0085"))

used = st.decimals(0, 1_000_000, places=3)


@pytest.mark.parametrize(
    ("meter", "measured", "billed", "net"),
    [
        (LANDLINE, "3725", "3725", "0.62"),  # 62.0833 min × 0.01 = 0.6208
        (MOBILE, "3725", "3725", "4.97"),  # 62.0833 min × 0.08 = 4.9667
        (LANDLINE, "0", "0", "0.00"),
        (LANDLINE, "29", "29", "0.00"),  # 0.0048
        (LANDLINE, "30", "30", "0.01"),  # half a minute is 0.005, a tie
        (MOBILE, "1", "1", "0.00"),  # 0.0013
        (BACKUP, "99", "0", "0.00"),
        (BACKUP, "100", "0", "0.00"),
        (BACKUP, "100.001", "1", "3.00"),  # a started Go
        (BACKUP, "101", "1", "3.00"),
        (BACKUP, "112", "12", "36.00"),
        (BACKUP, "112.3", "13", "39.00"),
        (BLOCKS, "0", "0", "0.00"),
        (BLOCKS, "0.1", "10", "5.00"),
        (BLOCKS, "10", "10", "5.00"),
        (BLOCKS, "12", "20", "10.00"),
        (REQUESTS, "1", "1", "0.01"),  # 0.0085
        (REQUESTS, "1000", "1000", "8.50"),  # and not 1000 × 0.01
        (REQUESTS, "333", "333", "2.83"),  # 2.8305
    ],
)
def test_a_month_of_usage_costs(meter, measured, billed, net):
    excess = usage_fee(meter, D(measured))
    assert excess == Excess(D(billed), D(net))
    assert str(excess.net) == net


@pytest.mark.parametrize(
    ("included", "net"), [("0", "336.00"), ("50", "186.00"), ("100", "36.00"), ("150", "0.00")]
)
def test_a_contract_may_include_more_or_less_than_the_meter(included, net):
    # 112 Go at 3.00 beyond what is included; 0 included is not "as the meter says"
    assert usage_fee(BACKUP, D(112), D(included)).net == D(net)


@pytest.mark.parametrize("meter", [LANDLINE, BACKUP, BLOCKS, REQUESTS])
@given(used, used)
def test_more_usage_never_costs_less_and_none_is_negative(meter, one, other):
    less, more = sorted((one, other))
    assert 0 <= usage_fee(meter, less).net <= usage_fee(meter, more).net


@given(used, st.decimals("0.001", 100, places=3))
def test_a_started_step_is_billed_whole_and_no_other(measured, step):
    meter = Meter(code="X", label="X", unit="Go", unit_price=D(1), step=step)
    billed = Fraction(usage_fee(meter, measured).billed)
    assert 0 <= billed - Fraction(measured) < Fraction(step)
    assert billed % Fraction(step) == 0


@given(used)
def test_without_step_only_the_line_is_rounded(measured):
    exact = Fraction(measured) / 60 / 100
    assert abs(Fraction(usage_fee(LANDLINE, measured).net) - exact) <= Fraction(1, 200)
