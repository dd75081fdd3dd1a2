"""A file that is broken, hostile or not ours is refused whole, and says where."""

from __future__ import annotations

import pytest

from billing.bank import read
from billing.bank.xml import TEXT
from billing.forms import BadFile
from tests.bank.files import (
    Ntry,
    Payment,
    Report,
    Stmt,
    Tx,
    TxStatus,
    camt,
    credit,
    pain002,
    written,
)

GOOD = camt(
    "camt.053.001.08",
    [
        Stmt(
            entries=[credit("324.00", "F-1"), credit("10.00", "F-2")],
            balances=[("OPBD", "0.00", "2026-07-02"), ("CLBD", "334.00", "2026-07-03")],
        )
    ],
)
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
) + "]>"  # fmt: skip
AFTER = '<?xml version="1.0" encoding="UTF-8"?>\n'


def after(text: str, old: str, new: str) -> str:
    """The good file with one thing changed."""
    assert old in text
    return text.replace(old, new, 1)


def refused(tmp_path, text: str | bytes) -> str:
    with pytest.raises(BadFile) as bad:
        read(written(tmp_path, text, "f.xml"))
    return str(bad.value).replace(f"{tmp_path}/", "")


HOSTILE = [
    ("nothing", "", r"f.xml: the file is empty"),
    ("blanks", " \n\n ", r"the file is empty"),
    ("no XML", "OR;2026;07\n", r"f.xml:1: this is not XML; a camt.053"),
    ("a PDF", b"%PDF-1.7\n\x00\xff", r"this is not XML"),
    ("cut short", GOOD[: GOOD.index("</Stmt>")], r"f.xml:\d+: Stmt\[1\]/Ntry\[2\]: .*cut short"),
    ("cut in the middle", GOOD[: len(GOOD) // 2], r"cut short or is not well formed"),
    ("two roots", GOOD + GOOD[len(AFTER) :], r"not well formed"),
    ("billion laughs", after(GOOD, AFTER, AFTER + LAUGHS), r"f.xml:2: .*DOCTYPE\); none"),
    (
        "an external entity",
        after(GOOD, AFTER, AFTER + '<!DOCTYPE D [<!ENTITY e SYSTEM "file:///etc/passwd">]>').replace(
            "<MsgId>MSG-1", "<MsgId>&e;"
        ),
        r"DOCTYPE\); none is allowed",
    ),
    ("an external subset", after(GOOD, AFTER, AFTER + '<!DOCTYPE D SYSTEM "http://x/y">'),
     "DOCTYPE"),
    ("an entity nobody declared", after(GOOD, "MSG-1", "&boo;"), r"not well formed"),
    ("another namespace", after(GOOD, "camt.053", "camt.086"), r"1|2: Document.*no message read"),
    ("a version to come", after(GOOD, "camt.053.001.08", "camt.053.001.99"), "no message read"),
    ("a status report too old", pain002("pain.002.001.02", Report("M")), "no message read"),
    ("no namespace", GOOD.replace(' xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"', ""),
     "no message read"),
    ("a web page", "<html><body>404</body></html>", r"Document|html.*no message read"),
    (
        "an element of another namespace",
        after(GOOD, '<Amt Ccy="EUR">324.00</Amt>', '<Amt xmlns="urn:x" Ccy="EUR">1.00</Amt>'),
        r"f.xml:11: Stmt\[1\]/Ntry\[1\]/Amt.*another namespace",
    ),
    ("an advice said to be a statement", GOOD.replace("Stmt>", "Ntfctn>"), "Stmt was expected"),
    ("dollars", after(GOOD, '<Amt Ccy="EUR">324.00', '<Amt Ccy="USD">324.00'),
     r"f.xml:\d+: Stmt\[1\]/Ntry\[1\]/Amt = 324.00 USD: an amount in EUR"),
    ("an account in francs", after(GOOD, "<Ccy>EUR", "<Ccy>CHF"),
     r"Acct/Ccy = CHF: an account in EUR"),
    ("no currency", after(GOOD, '<Amt Ccy="EUR">324.00', "<Amt>324.00"), r"in EUR was expected"),
    ("a huge text", after(GOOD, "<EndToEndId>F-1", "<EndToEndId>" + "F" * (TEXT + 1)),
     rf"EndToEndId.*a text of {TEXT + 1} characters"),
    ("a text of 11 MB", after(GOOD, "F-1", "x" * 11_000_000), r"cut short|characters"),
    ("deep", after(GOOD, "<Refs>", "<Refs>" + "<a>" * 300 + "</a>" * 300), r"depth"),
    ("deep balances", after(GOOD, "<Bal>", "<Bal>" + "<a>" * 40 + "x" + "</a>" * 40), "nested"),
    ("no amount", after(GOOD, '<Amt Ccy="EUR">324.00</Amt>', ""), r"Ntry\[1\]/Amt: an amount was"),
    ("a comma", after(GOOD, '<Amt Ccy="EUR">324.00', '<Amt Ccy="EUR">324,00'),
     r"324,00: .*1080\.00"),
    ("a negative amount", after(GOOD, '<Amt Ccy="EUR">324.00', '<Amt Ccy="EUR">-324.00'),
     "-324.00"),
    ("half a cent", after(GOOD, '<Amt Ccy="EUR">324.00', '<Amt Ccy="EUR">324.005'), "324.005"),
    ("an exponent", after(GOOD, '<Amt Ccy="EUR">324.00', '<Amt Ccy="EUR">3E2'), "3E2"),
    ("other digits", after(GOOD, '<Amt Ccy="EUR">324.00', '<Amt Ccy="EUR">٣٢٤.٠٠'),
     "euros and cents"),
    ("neither credit nor debit", GOOD.replace("CRDT</CdtDbtInd>\n<Sts>", "C</CdtDbtInd>\n<Sts>", 1),
     r"CdtDbtInd = C: CRDT or DBIT"),
    ("a status nobody knows", after(GOOD, "<Cd>BOOK", "<Cd>DONE"), r"Sts = DONE: one of BOOK"),
    ("no day", GOOD.replace("<BookgDt><Dt>2026-07-03</Dt></BookgDt>\n", "", 1).replace(
        "<ValDt><Dt>2026-07-03</Dt></ValDt>\n", "", 1), r"Ntry\[1\]: a booked entry has a BookgDt"),
    ("a day that is none", after(GOOD, "<Dt>2026-07-03</Dt></ValDt>",
     "<Dt>2026-02-30</Dt></ValDt>"),
     r"ValDt = 2026-02-30: a date"),
    ("no account", GOOD.replace("<IBAN>FR7630006000011234567890189</IBAN>", ""),
     r"Acct/Id: the account"),
    ("no statement", camt("camt.053.001.08", []), "no Stmt in this camt.053.001.08"),
    ("no id", after(GOOD, "<Id>REL-2026-07-03</Id>", ""), r"Stmt\[1\]/Id: nothing stands here"),
    ("an entry after the end", after(GOOD, "</Stmt>", "<Bal/></Stmt>"), r"Bal stands after Ntry"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "text", "said"), HOSTILE, ids=[one[0] for one in HOSTILE])
def test_what_is_not_a_good_file_is_refused_with_its_place(what, text, said, tmp_path):
    told = refused(tmp_path, text)
    import re

    assert re.search(said, told, re.S), told
    assert told.startswith("f.xml")
    assert len(told) < 600


def test_the_good_file_is_good(tmp_path):
    with read(written(tmp_path, GOOD)) as file:
        assert file.count == 2


ENTRIES = [credit("324.00", "F-1"), credit("10.00", "F-2"), Ntry("4.00", credit=False)]
TOTALS = [
    # The statement's own totals, and what is wrong with them; entries of 324 and 10 in, 4 out.
    ("<NbOfNtries>3<", "<NbOfNtries>4<", r"TtlNtries/NbOfNtries = 4: the entries are 3"),
    ("<Sum>338.00<", "<Sum>338.01<", r"TtlNtries/Sum = 338.01: the entries sum to 338.00"),
    ("<NbOfNtries>2<", "<NbOfNtries>1<", r"TtlCdtNtries/NbOfNtries = 1: the entries are 2"),
    ("<Sum>334.00<", "<Sum>333.00<", r"TtlCdtNtries/Sum = 333.00: the entries sum to 334.00"),
    ("<Sum>4.00<", "<Sum>5.00<", r"TtlDbtNtries/Sum = 5.00: the entries sum to 4.00"),
    ("<Amt>330.00<", "<Amt>331.00<", r"TtlNtries = 331.00: the entries come, net, to 330.00"),
]


@pytest.mark.parametrize(("old", "new", "said"), TOTALS, ids=[one[1] for one in TOTALS])
@pytest.mark.parametrize("schema", ["camt.053.001.02", "camt.054.001.08"])
def test_totals_that_disagree_with_the_entries_refuse_the_file(schema, old, new, said, tmp_path):
    text = camt(schema, [Stmt(entries=ENTRIES)])
    if schema.endswith("02"):
        old, new = (one.replace("<Amt>33", "<TtlNetNtryAmt>33") for one in (old, new))
    import re

    told = refused(tmp_path, after(text, old, new))
    assert re.search(said, told), told


def test_pages_of_a_statement_do_not_sum_to_the_totals_of_all(tmp_path):
    text = camt("camt.053.001.08", [Stmt(entries=ENTRIES, page=("1", "false"))])
    with read(written(tmp_path, after(text, "<NbOfNtries>3<", "<NbOfNtries>30<"))) as file:
        assert file.count == 3


def test_a_closing_balance_that_is_not_reached_refuses_the_file(tmp_path):
    told = refused(
        tmp_path, after(GOOD, ">334.00</Amt><CdtDbtInd>CRDT", ">335.00</Amt><CdtDbtInd>CRDT")
    )
    assert "opening balance 0.00 and the entries booked (+334.00) make 334.00" in told


def test_what_is_not_booked_does_not_move_the_balance(tmp_path):
    waiting = credit("5.00", "F-9", status="PDNG")
    text = camt("camt.053.001.08", [Stmt(entries=[credit("10.00", "F-1"), waiting], balances=[
        ("OPBD", "-3.00", "2026-07-02"), ("CLBD", "7.00", "2026-07-03")  # −3 + 10
    ])])  # fmt: skip
    with read(written(tmp_path, text)) as file:
        assert file.count == 2


DETAILS = [
    (Ntry("10.00", txs=[Tx("4.00", "A"), Tx("5.00", "B")]), "2 transactions sum to 9.00"),
    (Ntry("10.00", txs=[Tx("9.99", "A")]), "1 transactions sum to 9.99"),
    (Ntry("10.00", txs=[Tx(None, "A"), Tx(None, "B")]), "does not say its amount"),
    (Ntry("9.00", txs=[Tx("4.00", "A"), Tx("5.00", "B")], batch=("", "P", "3", "9.00")),
     r"Btch/NbOfTxs = 3: the transactions of it are 2"),
    (Ntry("9.00", txs=[Tx("4.00", "A"), Tx("5.00", "B")], batch=("", "P", "2", "8.00")),
     r"Btch/TtlAmt = 8.00: the transactions of it sum to 9.00"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "said"), DETAILS, ids=[one[1] for one in DETAILS])
def test_details_that_do_not_make_the_entry_refuse_the_file(entry, said, tmp_path):
    told = refused(tmp_path, camt("camt.054.001.08", [Stmt(entries=[credit("1.00", "Z"), entry])]))
    assert said in told
    assert "Ntfctn[1]/Ntry[2]" in told


@pytest.mark.parametrize(
    ("amount", "txs"),
    [
        ("95.00", [Tx("100.00", "A", charges="5.00")]),  # 100 − 5: the bank kept its charges
        ("105.00", [Tx("100.00", "A", charges="5.00")]),  # 100 + 5: it added them
        ("8.00", [Tx("10.00", "A"), Tx("2.00", "B", credit=False)]),  # a return among credits
    ],
)
def test_charges_and_ways_are_counted_in_the_sum(amount, txs, tmp_path):
    told = camt("camt.054.001.08", [Stmt(entries=[Ntry(amount, txs=txs)])])
    with read(written(tmp_path, told)) as file:
        assert file.count == 1


def test_a_statement_told_twice_in_a_file_refuses_it(tmp_path):
    one = Stmt(entries=[credit("1.00", "A")])
    assert "Stmt[2]/Id = REL-2026-07-03: this statement is in the file twice" in refused(
        tmp_path, camt("camt.053.001.08", [one, one])
    )
    pages = [Stmt(entries=one.entries, page=(n, "false")) for n in "12"]
    with read(written(tmp_path, camt("camt.053.001.08", pages))) as file:
        assert len(file.statements) == 2


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (Report("M", payments=[Payment("P", txs=[TxStatus("A", "XXXX")])]), "TxSts = XXXX: one of"),
        (Report("M", status="OK"), "GrpSts = OK: one of"),
        (Report("", status="RJCT"), "OrgnlMsgId: nothing stands here"),
        (Report("M", payments=[Payment("", status="RJCT")]), "OrgnlPmtInfId: nothing stands"),
        (Report("M", payments=[Payment("P", rejected="2", txs=[TxStatus("A")])]),
         "DtldNbOfTxs = 2: 1 rejected transactions are listed"),
        (Report("M", status="PART", payments=[Payment("P", status="PART", rejected="1")]),
         "DtldNbOfTxs = 1: none of them is listed"),
        (Report("M", status="PART", rejected="3", payments=[Payment("P", txs=[TxStatus("A")])]),
         "DtldNbOfTxs = 3: 1 rejected transactions are listed"),
        (Report("M", payments=[Payment("P", txs=[TxStatus("A", amount="1.00", currency="USD")])]),
         "1.00 USD: an amount in EUR"),
    ],
)  # fmt: skip
def test_a_status_report_that_contradicts_itself_is_refused(report, said, tmp_path):
    assert said in refused(tmp_path, pain002("pain.002.001.03", report))


def test_a_file_that_never_ends_an_entry_is_not_held_in_memory(tmp_path):
    start = GOOD[: GOOD.index("<Ntry>")] + "<Ntry>"
    path = tmp_path / "endless.xml"
    with path.open("w") as file:
        file.write(start)
        for _ in range(20):
            file.write("<Chrgs><Rcrd><Tp>x</Tp></Rcrd></Chrgs>" * 27_000)  # about 1 MB
    with pytest.raises(BadFile, match="16 MiB without the end of an entry"):
        read(path)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(BadFile, match="there is no such file"):
        read(tmp_path / "none.xml")
    with pytest.raises(BadFile, match="this is a folder"):
        read(tmp_path)
