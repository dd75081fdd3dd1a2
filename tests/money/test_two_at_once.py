"""Two people who pay the same documents at the same time."""

from tests import another
from tests.money.office import Office

COUNT = 25


def test_an_invoice_is_paid_once_by_two_who_pay_at_once(url, tmp_path):
    with Office(url) as office:
        office.signs("K-1")
        for rank in range(COUNT):
            office.invoice(f"F-{rank}", "100.00")
    go = tmp_path / "go"
    processes = [another.Started("tests.money.payer", url, name, COUNT, go) for name in "AB"]
    for process in processes:
        assert process.said.readline() == "ready\n"
    go.touch()
    ends = [process.ended() for process in processes]
    assert [end.returncode for end in ends] == [0, 0], ends
    assert sum(int(end.said) for end in ends) == COUNT
    with Office(url) as office:
        assert list(office.book.open()) == []
        payments = list(office.book.payments(left_only=False))
        assert sum(p.amount for p in payments) == 100 * COUNT
        assert all(p.left == 0 for p in payments)
        assert office.app.drifted_states() == []
