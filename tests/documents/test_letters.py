"""Each kind of letter, from the lives of the five contracts and from small houses."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import replace

from billing.application import letters
from billing.clauses import Terms
from billing.clauses.interest import LateInterest
from billing.clauses.payment import Payment
from billing.clauses.suspension import Clock
from billing.cli import documents_letters
from billing.dates import month_of
from billing.documents.letters import Kind, letter_of
from billing.documents.letters.letter import Boxed, Table
from billing.events.contract import (
    IndemnityAssessed,
    RenewalOffered,
)
from billing.events.invoice import ReminderSent
from billing.events.party import AnnouncedDebit
from billing.refusal import Refused
from tests.collections import house
from tests.collections.house import opened, ready
from tests.documents.correspondence import (
    CLIENT,
    SUPPLIER,
    TRANSFER,
    announced,
    chased,
    due,
    euros,
    facts_of,
    letter,
    pages,
    party,
    plain,
    printed,
    read,
    total,
    unpaid,
)
from tests.played import Typed

D = Decimal


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/letters.db"


# The lives of the five contracts

LIVES = [
    (
        "renewal", "PT-2024-001", "2026-11-02",
        ("Devis de renouvellement", "DV-2026-377", "935,00 € par an", "958,00 € par an",
         "du 1er janvier 2027 au 31 décembre 2027",
         "Sans désaccord de votre part, reçu au plus tard le 31 décembre 2026"),
    ),
    (
        "formal-notice", "SC-2024-031", "2026-04-20",
        ("Mise en demeure de payer", "Lettre recommandée avec avis de réception",
         "annuité du 15 mars 2026", "À défaut avant le 5 mai 2026",
         "la suspension des prestations", "la résiliation du contrat",
         "15 jours après une première mise en demeure", "article 1344 du code civil"),
    ),
    (
        "formal-notice", "CH-2024-018", "2025-02-03",
        ("Dépassement du volume souscrit", "344 Go pour 300 Go souscrits",
         "Par courriel à bureau@menuiserie-lafon.example", "À défaut avant le 5 mars 2025",
         "100 unités, à 0,12 € HT par unité et par mois"),
    ),
    (
        "suspension", "SC-2024-031", "2026-05-06",
        ("Les prestations sont suspendues à compter du 6 mai 2026",
         "Notre courrier du 20 avril 2026", "Depuis le 5 mai 2026", "3 957,04 €",
         "Les redevances restent dues pendant la suspension"),
    ),
    (
        "index-substitution", "AT-2024-112", "2024-06-05",
        ("Taux d'escompte de la Banque de France", "Taux de refinancement principal de la BCE",
         "05/06/2024, les deux parties", "Pièce : lettre d'accord du 05/06/2024",
         "article 1167 du code civil", "majorés de deux points plus taxes"),
    ),
    (
        "settlement", "AT-2024-112", "2026-10-20",
        # 31 × 180.00 = 5580.00; × 0.75 = 4185.00; with 20 % VAT 5022.00.
        ("Son dernier jour est le 31 octobre 2026", "31 180,00 € 5 580,00 €", "4 185,00 €",
         "0,75 × 5 580,00 €", "Total TTC 5 022,00 €", "article 1231-5 du code civil",
         "lettre recommandée du 19/10/2026"),
    ),
    (
        "settlement", "CH-2024-018", "2026-10-12",
        ("fin du contrat CH-2024-017, auquel il est lié",
         # The contract ends on 2026-11-01; its data are destroyed within 30 days.
         "Destruction des données de la copie de sécurité : au plus tard le 1er décembre 2026"),
    ),
    (
        "settlement", "AT-2025-207", "2026-06-10",
        # 2400.00 sold, 180.00 + 180.00 credited: 2880.00 − 432.00 with VAT.
        ("achat du matériel loué", "À facturer, TTC 2 880,00 €", "À créditer, TTC −432,00 €",
         "(avoir sur AT2026-000012)"),
    ),
    (
        "amendment", "IM-2023-0042", "2025-07-01",
        ("à effet du 1er juillet 2025", "Indice non publié",
         "facturation suspendue jusqu’à sa publication", "facturation au prix en cours",
         "avenant n° 1", "Pour Cabinet Moreau et Associés SELARL Date et signature"),
    ),
    (
        "amendment", "CH-2024-018", "2026-01-01",
        ("Nouvelles conditions", "à compter du 1er janvier 2026", "6,00 € 6,50 €",
         "les nouvelles Conditions seront effectives dès leur publication"),
    ),
    (
        "pre-notification", "AT2026-000012", "2026-06-10",
        ("216,00 € seront prélevés le 10 juillet 2026", "AT-RUM-0207", "FR13222449274",
         "huit semaines", "FR76 •••• •••• 001"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "about", "on", "words"), LIVES)
def test_a_letter_says_what_its_events_say(played: Typed, kind, about, on, words):
    text = read(printed(played.app(), kind, about, date.fromisoformat(on)))
    for said in words:
        assert said in text, (said, text)


@pytest.mark.parametrize(("kind", "about", "on", "words"), LIVES[:8:3])
def test_the_same_events_give_the_same_bytes(played: Typed, kind, about, on, words):
    day = date.fromisoformat(on)
    assert printed(played.app(), kind, about, day) == printed(played.app(), kind, about, day)


def test_a_letter_is_made_again_as_it_was_whatever_came_since(copied: Typed):
    app = copied.app()
    on = date(2026, 4, 20)
    before = printed(app, "formal-notice", "SC-2024-031", on)
    moved = copied("party", "amend", "CONGRES-LUBERON", "--name", "Palais du Luberon")
    assert moved.code == 0, moved.err
    assert printed(copied.app(), "formal-notice", "SC-2024-031", on) == before


def test_the_amounts_of_a_formal_notice_are_those_of_the_invoices(played: Typed):
    facts = facts_of(played.app(), "formal-notice", "SC-2024-031")
    table = next(block for block in letter_of(facts).blocks if isinstance(block, Table))
    (one,) = facts.owed  # The annuities before were paid.
    assert one.owed == played.app().invoice_events("SC2026-000001")[0].gross == D("3957.04")
    # 3957.04 due on 2026-04-14, six days late at 2.15 + 10 = 12.15 %: 7.903…
    assert (one.interest, one.fee) == (D("7.90"), D("40.00"))
    assert plain(table.foot[-1][1]) == euros(D("4004.94"))


def test_an_offer_has_to_be_accepted_and_counts_the_whole_term(copied: Typed):
    offered = copied(
        "offer", "SC-2024-031", "--price", "VISIO-MISTRAL=1550.00", "--months", "12",
        "--reference", "PR-2026-7",
    )  # fmt: skip
    assert offered.code == 0, offered.err
    text = read(printed(copied.app(), "renewal", "SC-2024-031"))
    assert "Proposition de renouvellement" in text
    assert "acceptée jusqu’au 14 mars 2027 inclus" in text
    assert "1 500,00 € par an 1 550,00 € par an" in text
    # 1550.00 + 900.00: Ventoux left the cover with its warranty, its fee ends with the annuity.
    assert "Total HT du renouvellement (12 mois) 2 450,00 €" in text
    assert "Pour Centre de Congrès du Luberon SA Bon pour accord" in text


def test_both_indices_of_a_formula_are_replaced_by_one_letter(copied: Typed):
    # The base values are made up for the test.
    for series, by, value in (("PSDT", "FSD2", "141.2"), ("S_SME", "ICHTREV_TS_IME", "135.6")):
        said = copied(
            "index", "substitute", "AT-2024-112", series, by, "--by", "les parties",
            "--evidence", "avenant du 2026-11-20", "--base-value", value,
            "--base-period", "2024-04", "--base-published-on", "2024-05-15",
        )  # fmt: skip
        if said.code:
            pytest.fail(said.err)
    text = read(printed(copied.app(), "index-substitution", "AT-2024-112"))
    assert "Des indices auxquels se réfère le contrat AT-2024-112" in text
    assert "P = P₀ × (0,2 × PsdT / PsdT₀ + 0,8 × S / S₀)" in text
    assert "avenant du 20/11/2026" in text
    assert "P = Po(0.20 × PsdT / PsdTo + 0.80 × S / So) avec" in text
    assert "Valeur de base : 141,2 (avril 2024, publiée le 15/05/2024)" in text


def test_an_indemnity_negotiated_since_is_told_in_another_settlement(copied: Typed):
    said = copied(
        "settle-indemnity", "AT-2024-112", "--amount", "2000.00", "--reason", "accord du 2026-11-20"
    )
    assert said.code == 0, said.err
    text = read(printed(copied.app(), "settlement", "AT-2024-112"))
    assert "Évaluée à 4 185,00 € HT" in text
    assert "ramenée à 2 000,00 € HT : accord du 20/11/2026" in text
    before = read(printed(copied.app(), "settlement", "AT-2024-112", date(2026, 10, 20)))
    assert "ramenée" not in before


# What is late


def test_a_reminder_lists_what_its_events_say_is_owed(played: Typed):
    app = played.app()
    text = read(printed(app, "reminder", "SC-2024-031", date(2026, 11, 20)))
    told = [event for _, event in app.recorded(topics=[ReminderSent.TOPIC])]
    (reminder,) = [event for event in told if event.sent_on == date(2026, 11, 20)]
    assert "Première relance" in text
    assert f"Total restant dû {euros(reminder.owed)}" in text
    assert text.count("Facture SC20") == 1
    assert "Indemnité forfaitaire pour frais de recouvrement due en cas de retard : 40,00 €" in text


def test_sixty_invoices_make_a_reminder_of_several_pages(sqlite):
    unpaid(sqlite, 60, contracts=3)
    app = chased(sqlite, "2026-02-10")
    pdf = printed(app, "reminder", "F007", supplier="S")
    found = pages(pdf)
    assert len(found) == 2
    assert all(page.startswith("Document Contrat Émis le") for page in found[1:])
    text = " ".join(found)
    for place in range(60):
        assert f"Facture F{place:03d} K{place % 3} 01/01/2026 31/01/2026 10 jours" in text
    # 60 × 120 + (0 + … + 59) = 7200 + 1770
    assert "Total restant dû 8 970,00 €" in text
    assert text.count("8 970,00 €") == 2
    assert "Contrats K0, K1, K2" in text.replace("CONTRATS", "Contrats")
    assert "les numéros des documents ci-dessus" in text
    assert "Page 2 sur 2" in found[1]


def test_the_next_reminder_recalls_the_one_before(sqlite):
    unpaid(sqlite, 2)
    app = chased(sqlite, "2026-02-10", "2026-02-22")
    first = letter(app, "reminder", "K0", date(2026, 2, 10))
    second = letter(app, "reminder", "K0")
    assert "Sauf erreur de notre part" in first.blocks[0].text
    assert "Malgré notre précédente relance" in second.blocks[0].text
    assert (first.title, first.sending) == ("Première relance", "email")
    assert (second.title, second.sending) == ("Deuxième relance", "letter")


CLOCKED = replace(
    TRANSFER, clocks=(Clock(name="unpaid", days=10, allows=("suspend", "terminate")),)
)


def test_one_formal_notice_tells_of_the_contract_and_of_its_reminders(sqlite):
    unpaid(sqlite, 2, terms=CLOCKED)
    app = chased(sqlite, "2026-02-10", "2026-02-22", "2026-03-10")
    march = [one.kind for one in letters.of_month(app, month_of(date(2026, 3, 1)))]
    # The debit note of 10 February is reminded of for the first time.
    assert march == ["formal-notice", "reminder"]
    assert [one.kind for one in facts_of(app, "reminder", "K0").owed] == ["debit_note"]
    text = read(printed(app, "formal-notice", "K0"))
    # Ten days from the dispatch: 20 March. 120 + 121 = 241; twice 40 €.
    assert "À défaut avant le 20 mars 2026" in text
    assert "Factures impayées 241,00 €" in text
    assert "Indemnités forfaitaires de recouvrement 80,00 €" in text
    facts = facts_of(app, "formal-notice", "K0")
    # 38 days at 12.15 %: 120 × 0.1215 × 38/365 = 1.517…, 121 …= 1.530…
    assert [one.interest for one in facts.owed] == [D("1.52"), D("1.53")]
    # All of it is on debit notes already, of the same amount: nothing is claimed twice.
    charged = total(one.interest_charged + one.fee_charged for one in facts.owed)
    assert charged == total(one.owed for one in facts.debit_notes) == D("83.05")
    assert "Total à régler 324,05 €" in text


def test_without_a_clock_the_policy_s_formal_notice_is_a_letter_of_its_own(sqlite):
    unpaid(sqlite, 1)
    app = chased(sqlite, "2026-02-10", "2026-02-22", "2026-03-10")
    text = read(printed(app, "formal-notice", "F000", supplier="S"))
    assert "Mise en demeure de payer" in text
    assert "À défaut" not in text
    assert "Le contrat prévoit" not in text


def test_a_rate_that_is_not_known_is_said_to_be_missing(sqlite):
    clause = LateInterest(series="BDF_DISCOUNT", points=D(2))
    unpaid(sqlite, 1, terms=replace(CLOCKED, late_interest=clause))
    app = chased(sqlite, "2026-02-10", "2026-02-22", "2026-03-10")
    text = read(printed(app, "formal-notice", "K0"))
    assert "Les intérêts de retard, dont un taux n’est pas encore connu, s’y ajoutent." in text
    assert "Total à régler 120,00 €" in text


def test_a_consumer_owes_interest_from_the_notice_and_no_fee(sqlite):
    unpaid(sqlite, 1, category="consumer")
    app = chased(sqlite, "2026-02-10", "2026-02-22", "2026-03-10")
    text = read(printed(app, "formal-notice", "K0"))
    assert "Intérêts dus à compter de la mise en demeure" in text
    assert "40,00 €" not in text


# Debits


def debited(url: str, scheme: str = "CORE", **client: object) -> None:
    ready(
        url,
        party(SUPPLIER),
        party(CLIENT, **client),
        house.mandate("RUM-1", "C", scheme=scheme),
        house.contract("K0", "C", "RUM-1", Terms(payment=Payment(means="direct_debit"))),
        house.invoice("F000", "C", "K0", "RUM-1", "2026-02-02"),
    )


def test_a_debit_announced_anew_has_its_letter(sqlite):
    debited(sqlite)
    one = AnnouncedDebit(
        contract="K0", invoice="F000", amount=D("120.00"), collected_on=date(2026, 3, 2)
    )
    with opened(sqlite, "2026-01-12") as app:
        app.write([announced("RUM-1", 2, one)])
        (cause,) = letters.of_month(app, month_of(date(2026, 1, 1)))
        assert (cause.kind, cause.subject) == ("pre-notification", "K0")
        text = read(printed(app, "pre-notification", "F000", supplier="S"))
    for said in (
        "Le 12 janvier 2026",
        "120,00 € seront prélevés le 2 mars 2026",
        "RUM-1",
        house.ICS,
    ):
        assert said in text
    assert "dans les huit semaines suivant la date de débit" in text


def test_an_invoice_announces_its_own_debit_and_a_letter_says_so_when_asked(sqlite):
    debited(sqlite, "B2B")
    with opened(sqlite, "2026-01-12") as app:
        january = month_of(date(2026, 1, 1))
        assert letters.of_month(app, january) == []
        assert [one.kind for one in letters.of_month(app, january, every_debit=True)] == [
            "pre-notification"
        ]
        text = read(printed(app, "pre-notification", "K0"))
    assert "120,00 € seront prélevés le 2 février 2026" in text
    assert "un prélèvement autorisé n’est pas remboursé" in text
    assert "huit semaines" not in text


def test_a_schedule_lists_each_debit_of_the_year(sqlite):
    debited(sqlite)
    debits = [
        AnnouncedDebit(contract="K0", amount=D("120.00"), collected_on=date(2026, month, 5))
        for month in (3, 4, 5)
    ]
    with opened(sqlite, "2026-01-12") as app:
        app.write([announced("RUM-1", 2, *debits, how="schedule")])
        text = read(printed(app, "schedule", "K0"))
    assert "Échéancier de prélèvements" in text
    for day in ("05/03/2026", "05/04/2026", "05/05/2026"):
        assert f"Échéance du contrat K0 {day} 120,00 €" in text
    assert "Total 360,00 €" in text
    assert "vaut notification préalable de chacun de ces prélèvements" in text


# Languages, categories, refusals


def test_a_client_who_reads_english_has_the_english_edition(sqlite):
    unpaid(sqlite, 1, terms=CLOCKED, language="en")
    app = chased(sqlite, "2026-02-10", "2026-02-22", "2026-03-10")
    reminder = read(printed(app, "reminder", "K0", date(2026, 2, 22)))
    assert "Second reminder" in reminder
    assert "Please pay us €120.00 upon receipt of this letter." in reminder
    notice = read(printed(app, "formal-notice", "K0"))
    assert "Failing that before 20 March 2026, we are entitled" in notice
    assert "article 1344 of the French Civil Code" in notice
    for french in ("Madame", "Facture", "Échéance", "Reste"):
        assert french not in reminder + notice


def test_a_non_professional_is_told_in_a_box_that_it_may_leave(played: Typed):
    facts = facts_of(played.app(), "renewal", "PT-2024-001")
    boxes = [b.text for b in letter_of(facts).blocks if isinstance(b, Boxed)]
    assert len(boxes) == 1
    protected = letter_of(replace(facts, protected=True))
    _, box = (b.text for b in protected.blocks if isinstance(b, Boxed))
    assert "L. 215-1" in box
    assert "31 décembre 2026" in plain(box)


def test_the_law_of_the_day_is_cited(played: Typed):
    facts = facts_of(played.app(), "settlement", "AT-2024-112")
    old = replace(facts, head=replace(facts.head, dated=date(2016, 9, 30)))
    new = replace(facts, head=replace(facts.head, dated=date(2016, 10, 1)))
    assert "(article 1152 du code civil)" in read(letters.finished(old, {}))
    assert "(article 1231-5 du code civil)" in read(letters.finished(new, {}))


@pytest.mark.parametrize("side", ["supplier", "client"])
def test_a_party_without_an_address_is_refused_by_name(sqlite, side):
    ready(
        sqlite,
        party(SUPPLIER, address=None if side == "supplier" else SUPPLIER.address),
        party(CLIENT, address=None if side == "client" else CLIENT.address),
        house.contract("K0", "C", "", TRANSFER),
        due("F000", "C", "K0"),
    )
    app = chased(sqlite, "2026-02-10")
    code = {"supplier": "S", "client": "C"}[side]
    with pytest.raises(Refused, match=f"^K0: {side} {code} has no address"):
        printed(app, "reminder", "K0")


def test_a_text_without_glyphs_is_refused_by_name(played: Typed):
    facts = facts_of(played.app(), "amendment", "IM-2023-0042")
    event = replace(facts.event, reason="変更")
    with pytest.raises(Refused, match="IM-2023-0042: amendment: '変'"):
        letter_of(replace(facts, event=event))


@pytest.mark.parametrize(
    ("kind", "about", "on", "said"),
    [
        ("reminder", "CH-2024-018", None, "nothing recorded asks for a letter of kind reminder"),
        ("renewal", "PT-2024-001", date(2026, 1, 1), "no renewal on 2026-01-01; there is one of"),
        ("renewal", "NOPE", None, "no contract and no invoice NOPE"),
        ("schedule", "AT2026-000012", None, "nothing recorded asks for a letter of kind schedule"),
    ],
)
def test_a_letter_no_event_asks_for_is_refused(played: Typed, kind, about, on, said):
    with pytest.raises(Refused, match=said):
        letters.of(played.app(), kind, about, on)


def test_a_notice_sent_by_the_client_is_not_ours_to_write(copied: Typed):
    before = letters.of(copied.app(), "formal-notice", "PT-2024-001")
    given = copied("formal-notice", "PT-2024-001", "breach", "--by", "client", "--reason", "panne")
    assert given.code == 0, given.err
    assert letters.of(copied.app(), "formal-notice", "PT-2024-001") == before


def test_every_event_of_the_lives_that_asks_for_a_letter_has_one(played: Typed):
    app = played.app()
    days = [date(year, month, 1) for year in range(2021, 2027) for month in range(1, 13)]
    causes = [one for day in days for one in letters.of_month(app, month_of(day))]
    kinds = [one.kind for one in causes]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "amendment": 2,
        "formal-notice": 3,
        "index-substitution": 1,
        "pre-notification": 1,
        "reminder": 10,
        "renewal": 3,
        "settlement": 4,
        "suspension": 1,
    }
    assert len({one.file for one in causes}) == len(causes)
    for facts in letters.read(app, causes):
        assert not isinstance(facts, Refused), facts
        assert len(pages(letters.finished(facts, {}))) >= 1


def test_the_offers_and_the_indemnity_are_those_recorded(played: Typed):
    app = played.app()
    (offer, *_) = [e for e in app.history("PT-2024-001") if isinstance(e, RenewalOffered)]
    facts = facts_of(app, "renewal", "PT-2024-001", offer.offered_on)
    assert facts.event == offer
    assessed = next(e for e in app.history("AT-2024-112") if isinstance(e, IndemnityAssessed))
    settled = facts_of(app, "settlement", "AT-2024-112")
    assert settled.indemnity == assessed
    (invoice,) = settled.to_come
    assert (invoice.net, invoice.gross) == (assessed.amount, D("5022.00"))


# Files


def test_the_command_knows_every_kind():
    assert get_args(Kind) == documents_letters.KINDS


def test_the_letters_of_a_month_are_written_with_their_digests(copied: Typed, tmp_path):
    out = tmp_path / "letters"
    said = copied("letters", "2026-10", "--out", str(out))
    assert said.code == 0, said.err
    names = sorted(path.name for path in out.glob("*.pdf"))
    assert names == [
        "settlement-AT-2024-112-2026-10-20.pdf",
        "settlement-CH-2024-017-2026-10-12.pdf",
        "settlement-CH-2024-018-2026-10-12.pdf",
    ]
    told = dict(
        reversed(line.split("  "))
        for line in (out / "SHA256SUMS").read_text("utf-8").splitlines()
        if not line.startswith("#")
    )
    assert told == {name: sha256((out / name).read_bytes()).hexdigest() for name in names}
    # Given again only what lacks or differs is written.
    (out / names[0]).write_bytes(b"damaged")
    (out / names[1]).unlink()
    kept = (out / names[2]).stat().st_mtime_ns
    report = copied("--json", "letters", "2026-10", "--out", str(out)).data
    assert [one["kept"] for one in report["letters"]].count(True) == 1
    assert (out / names[2]).stat().st_mtime_ns == kept
    assert told == {name: sha256((out / name).read_bytes()).hexdigest() for name in names}
    # Another month joins the same manifest.
    assert copied("letters", "2026-05", "--out", str(out)).code == 0
    assert len((out / "SHA256SUMS").read_text("utf-8").splitlines()) == 1 + 4
    assert not list(out.glob(".*.part"))


def test_one_letter_that_cannot_be_made_stops_no_other(sqlite, tmp_path):
    unpaid(sqlite, 1)
    ready_other = [
        party(CLIENT, code="X", address=None),
        house.contract("KX", "X", "", TRANSFER),
        due("FX", "X", "KX"),
    ]
    with opened(sqlite, "2026-01-02") as app:
        app.write(ready_other)
    app = chased(sqlite, "2026-02-10")
    causes = letters.of_month(app, month_of(date(2026, 2, 1)))
    report = letters.make(app, causes, tmp_path / "out")
    assert (report.made, report.kept) == (1, 0)
    (refused,) = report.refused
    assert "KX: client X has no address" in refused.refused


def test_one_letter_is_written_to_a_file_or_a_folder(copied: Typed, tmp_path):
    said = copied("--json", "letter", "renewal", "PT-2024-001", "--out", str(tmp_path))
    assert said.code == 0, said.err
    path = Path(said.data["file"])
    assert path.name == "renewal-PT-2024-001-2026-11-02-v15.pdf"
    assert said.data["sha256"] == sha256(path.read_bytes()).hexdigest()
    named = tmp_path / "devis.pdf"
    assert copied("letter", "renewal", "PT-2024-001", "--out", str(named)).code == 0
    assert named.read_bytes() == path.read_bytes()
    for folder in ("new", "other.pdf/"):
        said = copied("--json", "letter", "renewal", "PT-2024-001", "--out", f"{tmp_path}/{folder}")
        assert Path(said.data["file"]) == tmp_path / folder / path.name
    refused = copied("letter", "reminder", "CH-2024-018", "--out", str(tmp_path))
    assert (refused.code, "nothing recorded asks for" in refused.err) == (3, True)


def test_a_letter_is_pdf_a_with_its_fonts(played: Typed):
    import io

    import pikepdf

    with pikepdf.open(io.BytesIO(printed(played.app(), "renewal", "PT-2024-001"))) as pdf:
        metadata = pdf.open_metadata()
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("2", "B")
        assert metadata["dc:title"].startswith("Devis de renouvellement")
        fonts = pdf.pages[0].Resources.Font
        for font in fonts.values():
            (inner,) = font.DescendantFonts
            descriptor = inner.FontDescriptor
            assert "/FontFile2" in descriptor or "/FontFile3" in descriptor
