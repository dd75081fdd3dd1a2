"""The demo tells the five contracts by the book, once, and in less time than it takes to read."""

from datetime import date
from decimal import Decimal

import pytest

from billing.application import Billing, issued, replay, story
from billing.events.contract import (
    ContractRenewed,
    ContractSetAside,
    ContractTerminated,
    EquipmentRemoved,
    IndemnityAssessed,
    PriceRevised,
)
from billing.refusal import Refused
from tests.played import Typed


def happened(app, number, kind):
    return [event for event in app.history(number) if isinstance(event, kind)]


def nets(app, number):
    return {one.period.start if one.period else one.issued_on: one.net
            for one in issued.documents(app, number)}  # fmt: skip


def test_given_again_it_plays_nothing_twice_and_finds_all_right(tmp_path):
    billing = Typed(tmp_path / "demo.db")
    first = billing("demo", "--json")
    record = billing.log()
    second = billing("demo", "--json")
    assert first.code == second.code == 0
    assert billing.log() == record
    assert second.data["played"]["before"] == second.data["played"]["steps"]
    assert second.data["wrong"] == []
    for what in ("last_invoices", "years", "debits", "set_aside", "explanation"):
        assert second.data[what] == first.data[what]
    assert "nothing was played again" in billing("demo").out


@pytest.mark.parametrize("at", [1, 40, 77, 116])
def test_stopped_half_way_it_goes_on_and_comes_to_the_same_record(played, tmp_path, at):
    class Killed(Exception):
        pass

    def kill(rank, of):
        if rank == at:
            raise Killed

    billing = Typed(tmp_path / "half.db")
    with pytest.raises(Killed):
        story.play(billing.app(), story.story(), 0, kill)
    assert story.done(billing.app(), story.story()) == at
    assert billing("demo").code == 0
    assert billing.log() == played.log()


def test_it_leaves_a_database_of_other_contracts_alone(played, tmp_path):
    app = Billing({"DATABASE_URL": f"sqlite:///{tmp_path}/own.db"}, user="finance")
    path = story.FOLDER / "contracts" / "pixel-tech-2024-001.toml"
    from billing.application import commands
    from billing.forms import read_contract

    commands.sign_contract(app, read_contract(path))
    app.close()
    billing = Typed(tmp_path / "own.db")
    record = billing.log()
    refused = billing("demo")
    assert refused.code == 3
    assert "other contracts" in refused.err
    assert billing.log() == record


def test_it_knows_a_database_played_by_another_version(tmp_path):
    app = Billing({"DATABASE_URL": "sqlite://"})
    told = story.story()
    story.play(app, told._replace(steps=told.steps[:2]), 0)
    with pytest.raises(Refused, match="another version"):
        story.done(app, told._replace(digest="00000000"))


def test_without_a_database_on_the_command_line_it_is_demo_db(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from billing.cli import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///production.db")
    assert CliRunner().invoke(cli, ["demo", "--json"]).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["demo.db"]


def test_on_postgresql_it_comes_to_the_same_record(played, postgres):
    app = Billing({"DATABASE_URL": postgres.new_database()})
    story.play(app, story.story(), 0)
    stored = [(position, one.state) for position, one in app.store.read_log()]
    app.close()
    assert stored == played.log()


def test_every_run_done_again_is_the_same_and_numbers_are_unbroken(played):
    app = played.app()
    for row in app.store.states("run"):
        assert replay.verify(app, row.name).matches, row.name
    assert replay.audit_numbers(app) == []
    assert app.drifted_states() == []


# What the contracts say, in the amounts of the demo


def test_integral_is_revised_across_the_two_scales_of_syntec(played):
    first, second = happened(played.app(), "IM-2021-0015", PriceRevised)
    assert first.effective_on == date(2023, 7, 1)
    # 1000.00 × 302.7 × 0.97975 / 276.5 = 1072.587…; without the link it would be 1094.76
    assert [fee.after for fee in first.fees] == [Decimal("1072.59")]
    # 1072.59 × 313.3 / 302.7 = 1110.149…
    assert [fee.after for fee in second.fees] == [Decimal("1110.15")]


def test_integral_waits_for_the_index_of_july_2025_and_tells_what_waits(played):
    [aside] = [a for a in happened(played.app(), "IM-2021-0015", ContractSetAside) if a.held]
    assert (aside.due_on, aside.clause) == (date(2025, 7, 1), "revision")
    assert "2025-05" in aside.reason
    [waits] = [one for one in played("demo", "--json").data["set_aside"]
               if one["contract"] == "IM-2021-0015"]  # fmt: skip
    # August 2025 to November 2026: six quarters of 1110.15
    assert len(waits["waiting"]["invoices"]) == 6


def test_the_amended_contract_bills_on_at_the_price_in_force(played):
    billed = nets(played.app(), "IM-2023-0042")
    assert billed[date(2025, 7, 1)] == billed[date(2025, 8, 1)]


def test_an_item_told_in_time_costs_its_days(played):
    [october] = [one for one in issued.documents(played.app(), "IM-2023-0042")
                 if one.issued_on == date(2023, 10, 1)]  # fmt: skip
    # 5 × 32.50 + 95.00 + 45.00 + 32.50 × 14/30 (15.17)
    assert october.net == Decimal("317.67")


def test_the_security_copy_ends_on_the_day_of_its_parent(played):
    [end] = happened(played.app(), "CH-2024-018", ContractTerminated)
    assert (end.effective_on, end.cause) == (date(2026, 11, 1), "linked")
    assert len(happened(played.app(), "CH-2024-018", ContractRenewed)) == 2


def test_a_volume_opened_during_a_month_costs_the_whole_month(played):
    july = nets(played.app(), "CH-2024-018")[date(2024, 7, 1)]
    # 300 Go × 0.12 + 2 × 6.00, and the whole of June for the 100 Go more
    assert july == Decimal("60.00")


def test_out_of_warranty_it_leaves_and_its_fee_ends_with_the_annuity(played):
    [left] = happened(played.app(), "SC-2024-031", EquipmentRemoved)
    assert (left.code, left.removed_on, left.because) == (
        "VISIO-VENTOUX", date(2026, 6, 1), "out_of_warranty",
    )  # fmt: skip
    assert left.fee_until == date(2027, 3, 15)


def test_what_never_came_back_is_billed_at_its_list_price(played):
    billed = nets(played.app(), "SC-2024-031")
    assert billed[date(2025, 12, 1)] == Decimal("3400.00")


def test_leaving_31_months_early_costs_three_quarters_of_them(played):
    [indemnity] = happened(played.app(), "AT-2024-112", IndemnityAssessed)
    # 180.00 × 31 × 3/4
    assert indemnity.amount == Decimal("4185.00")


def test_buying_what_is_rented_gives_the_first_rent_back(played):
    first = next(one for one in issued.documents(played.app(), "AT-2025-207") if one.period)
    assert (first.period.start, first.gross, first.credited) == (
        date(2025, 3, 10), Decimal("216.00"), Decimal("216.00"),
    )  # fmt: skip


def test_the_quote_gives_the_price_of_the_renewal(played):
    billed = nets(played.app(), "PT-2024-001")
    assert [billed[date(year, 1, 1)] for year in (2024, 2025, 2026)] == [
        Decimal("890.00"), Decimal("912.00"), Decimal("935.00"),
    ]  # fmt: skip


def test_every_life_signs_its_contracts_from_a_file_one_can_read():
    signed = {one.action.path.rpartition("/")[2] for one in story.story().steps
              if hasattr(one.action, "folders")}  # fmt: skip
    assert signed == {path.name for path in (story.FOLDER / "contracts").glob("*.toml")}
