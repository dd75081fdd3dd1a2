"""Why a payment came back: the ISO 20022 reason codes of SEPA R-transactions, in words.

Codes are those of the external code sets (Status Reason, Return Reason, Reversal and Cancellation
Reason) that the SEPA direct debit and credit transfer rulebooks use. [R] recalled from the EPC
guidance on reason codes, not re-read: what each may be used for is data, replaceable here.

What happens before the money moves is a *reject* (a bank's) or a *refusal* (the debtor's); after
it, a *return* (the debtor's bank), a *refund* (asked by the debtor) or a *reversal* (the
creditor's own).
"""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple

from billing.dates import DAY, add_months, is_target_day

Kind = Literal["reject", "refusal", "return", "refund", "reversal"]
Next = Literal["again", "account", "mandate", "correct", "client", "nothing"]

NEXT_STEPS: dict[Next, tuple[str, str]] = {
    "again": (
        "peut être présenté à nouveau",
        "may be presented again",
    ),
    "account": (
        "demander de nouvelles coordonnées bancaires ; rien n'est plus prélevé sur ce compte",
        "ask for new bank details; nothing more is collected on this account",
    ),
    "mandate": (
        "ne plus prélever sous ce mandat ; en faire signer un autre",
        "collect no more under this mandate; have another signed",
    ),
    "correct": (
        "corriger la remise puis présenter à nouveau",
        "correct the order, then present it again",
    ),
    "client": (
        "voir avec le client avant toute nouvelle présentation",
        "settle it with the client before presenting it again",
    ),
    "nothing": ("rien à faire", "nothing to do"),
}


class Reason(NamedTuple):
    """A code: what the R-transaction may be, its sentence for finance, what to do next."""

    code: str
    kinds: tuple[Kind, ...]
    french: str
    english: str
    next: Next

    @property
    def what_next(self) -> str:
        """What to do, in French."""
        return NEXT_STEPS[self.next][0]


_R: tuple[Kind, ...] = ("reject", "return")
_REJECT: tuple[Kind, ...] = ("reject",)
_REVERSAL: tuple[Kind, ...] = ("reversal",)

REASONS: dict[str, Reason] = {
    reason.code: reason
    for reason in (
        # The account
        Reason(
            "AC01", _R, "coordonnées bancaires inexactes (IBAN)", "wrong account (IBAN)", "account"
        ),
        Reason("AC03", _R, "compte du créancier invalide", "invalid creditor account", "correct"),
        Reason("AC04", _R, "compte clôturé", "account closed", "account"),
        Reason("AC06", _R, "compte bloqué", "account blocked", "account"),
        Reason(
            "AC13",
            _R,
            "compte d'un consommateur, exclu du prélèvement interentreprises (B2B)",
            "a consumer's account, outside the B2B scheme",
            "mandate",
        ),
        Reason(
            "AG01",
            _R,
            "prélèvement interdit sur ce type de compte",
            "no direct debit is allowed on this kind of account",
            "account",
        ),
        Reason(
            "AG02",
            _R,
            "code opération ou type de séquence incorrect",
            "wrong operation code or sequence type",
            "correct",
        ),
        Reason("RC01", _R, "BIC inexact", "wrong BIC", "account"),
        Reason("RC07", _REJECT, "BIC du créancier inexact", "wrong BIC of the creditor", "correct"),
        Reason(
            "CNOR",
            _R,
            "banque du créancier non joignable",
            "the creditor's bank is not registered under this BIC",
            "correct",
        ),
        Reason(
            "DNOR",
            _R,
            "banque du débiteur non joignable en prélèvement",
            "the debtor's bank is not registered under this BIC",
            "account",
        ),
        # The amount and the money
        Reason("AM01", _REJECT, "montant nul", "the amount is zero", "correct"),
        Reason(
            "AM02",
            _R,
            "montant supérieur au plafond accepté",
            "the amount is above what is allowed",
            "client",
        ),
        Reason("AM03", _REJECT, "devise non admise", "the currency is not allowed", "correct"),
        Reason("AM04", _R, "provision insuffisante", "insufficient funds", "again"),
        Reason(
            "AM05",
            (*_R, "refund", "reversal"),
            "opération présentée en double",
            "duplicate",
            "nothing",
        ),
        Reason("AM09", (*_R, "reversal"), "montant erroné", "wrong amount", "correct"),
        Reason("AM10", _REJECT, "total de contrôle erroné", "wrong control sum", "correct"),
        Reason(
            "ED05",
            _R,
            "échec du règlement interbancaire",
            "settlement between banks failed",
            "again",
        ),
        # The mandate and the debtor
        Reason(
            "MD01",
            (*_R, "refund"),
            "absence de mandat valide (opération non autorisée)",
            "no valid mandate (unauthorised)",
            "mandate",
        ),
        Reason(
            "MD02",
            _R,
            "données du mandat absentes ou inexactes",
            "data of the mandate missing or wrong",
            "correct",
        ),
        Reason("MD05", _REJECT, "prélèvement non échu", "the collection is not due", "correct"),
        Reason(
            "MD06",
            ("refund",),
            "remboursement demandé par le débiteur (opération contestée)",
            "refund asked by the debtor (disputed)",
            "client",
        ),
        Reason("MD07", _R, "débiteur décédé", "the debtor has died", "mandate"),
        Reason(
            "MD16",
            ("refund", "return"),
            "remboursement hors délai ou hors règles",
            "refund outside the rules",
            "client",
        ),
        Reason(
            "MD17",
            ("refund", "return"),
            "frais contestés par la banque du débiteur",
            "charges disputed by the debtor's bank",
            "client",
        ),
        Reason(
            "MS02",
            ("refusal", "return", "reversal"),
            "refus du débiteur, sans motif précisé",
            "the debtor refused, no reason given",
            "client",
        ),
        Reason(
            "MS03",
            (*_R, "reversal"),
            "motif non communiqué par la banque",
            "reason not told by the bank",
            "again",
        ),
        Reason(
            "SL01",
            _R,
            "service particulier de la banque du débiteur (opposition, liste ou plafond)",
            "the debtor's bank applies a limit or a list of its client",
            "client",
        ),
        Reason(
            "BE01",
            _R,
            "le nom du débiteur ne correspond pas au compte",
            "the debtor's name is not that of the account",
            "account",
        ),
        Reason(
            "BE04",
            _REJECT,
            "adresse du créancier absente",
            "the creditor's address is missing",
            "correct",
        ),
        Reason(
            "BE05",
            _R,
            "identifiant créancier SEPA (ICS) inconnu ou inexact",
            "creditor identifier unknown or wrong",
            "correct",
        ),
        Reason(
            "BE06",
            _R,
            "débiteur inconnu de sa banque",
            "the debtor is unknown to the bank",
            "account",
        ),
        Reason(
            "UPAY",
            ("refusal", "return", "refund"),
            "paiement non dû selon le débiteur",
            "not due, says the debtor",
            "client",
        ),
        # The file
        Reason("DT01", _REJECT, "date invalide", "invalid date", "correct"),
        Reason(
            "FF01",
            _REJECT,
            "format de fichier non conforme",
            "the file's format is wrong",
            "correct",
        ),
        Reason(
            "FF05",
            _REJECT,
            "type de prélèvement (CORE, B2B) incorrect",
            "wrong kind of direct debit (CORE, B2B)",
            "correct",
        ),
        Reason(
            "FF10", _R, "incident technique de la banque", "a fault of the bank's system", "again"
        ),
        Reason(
            "DU01",
            _REJECT,
            "fichier déjà reçu par la banque",
            "the bank has this message already",
            "nothing",
        ),
        Reason(
            "DU02",
            _REJECT,
            "remise déjà reçue par la banque",
            "the bank has this batch already",
            "nothing",
        ),
        Reason(
            "DU03",
            _REJECT,
            "opération déjà reçue par la banque",
            "the bank has this collection already",
            "nothing",
        ),
        Reason(
            "DUPL", (*_REVERSAL, "return"), "opération en double", "duplicate payment", "nothing"
        ),
        Reason("NARR", _R, "motif donné en clair par la banque", "reason told in words", "client"),
        Reason(
            "TM01",
            _REJECT,
            "remise reçue après l'heure limite",
            "received after the cut-off",
            "again",
        ),
        Reason(
            "RF01",
            _REJECT,
            "référence d'opération non unique",
            "the reference is not unique",
            "correct",
        ),
        # What the law asks
        Reason(
            "RR01",
            _R,
            "compte ou identifiant du débiteur manquant (réglementation)",
            "the debtor's account or identification is missing (regulation)",
            "correct",
        ),
        Reason(
            "RR02",
            _R,
            "nom ou adresse du débiteur manquant (réglementation)",
            "the debtor's name or address is missing (regulation)",
            "correct",
        ),
        Reason(
            "RR03",
            _R,
            "nom ou adresse du créancier manquant (réglementation)",
            "the creditor's name or address is missing (regulation)",
            "correct",
        ),
        Reason("RR04", _R, "motif réglementaire", "regulatory reason", "client"),
        # What was called back
        Reason(
            "FOCR",
            ("return",),
            "retour à la suite d'une demande d'annulation",
            "returned after a recall",
            "nothing",
        ),
        Reason(
            "CUST",
            ("refund", "reversal"),
            "annulation demandée par le client",
            "cancelled at the client's request",
            "client",
        ),
        Reason(
            "TECH",
            (*_REVERSAL, "return"),
            "incident technique, opérations erronées",
            "technical problem, erroneous payments",
            "again",
        ),
        Reason(
            "FRAD",
            ("return", "refund", "reversal"),
            "fraude déclarée",
            "declared as fraud",
            "mandate",
        ),
        Reason(
            "CUTA",
            ("return",),
            "annulation demandée pour un motif non précisé",
            "recall asked, no reason given",
            "client",
        ),
        Reason(
            "AGNT", ("return", "reversal"), "banque destinataire erronée", "wrong bank", "correct"
        ),
        # Recalls that were not followed
        Reason(
            "NOAS",
            ("return",),
            "pas de réponse du bénéficiaire à la demande de retour",
            "the beneficiary did not answer the recall",
            "nothing",
        ),
        Reason(
            "NOOR",
            ("return",),
            "opération d'origine jamais reçue",
            "the original payment was never received",
            "nothing",
        ),
        Reason(
            "LEGL",
            ("return",),
            "retour refusé pour un motif légal",
            "not returned for a legal reason",
            "nothing",
        ),
        Reason("ARDT", ("return",), "opération déjà retournée", "already returned", "nothing"),
    )
}


def of(code: str) -> Reason:
    """What a code says; one that is not listed is told as it is, and is for a person to settle."""
    known = REASONS.get(code)
    if known is not None:
        return known
    told = code or "?"
    return Reason(
        told,
        ("reject", "refusal", "return", "refund", "reversal"),
        f"motif {told}, non répertorié" if code else "motif non communiqué",
        f"reason {told}, not listed" if code else "no reason told",
        "client",
    )


def sentence(code: str, information: str = "") -> str:
    """The French sentence for finance, with the bank's own words if it has any."""
    reason = of(code)
    told = f"{reason.code} : {reason.french}" if code else reason.french
    return f"{told} ({information})" if information else told


def again(code: str) -> bool:
    """Whether the same collection may simply be presented again."""
    return of(code).next == "again"


def stops(code: str) -> str:
    """Why nothing more may be collected under the mandate as it is, or "" when it may."""
    reason = of(code)
    if reason.next not in ("account", "mandate"):
        return ""
    return f"{reason.english} ({reason.code}): {NEXT_STEPS[reason.next][1]}"


REFUND_WEEKS = 8
UNAUTHORISED_MONTHS = 13
RETURN_DAYS = {"CORE": 5, "B2B": 3}
"""TARGET days after the collection within which the debtor's bank returns it by itself."""


def kind_of(
    code: str, moved: bool, scheme: str, collected_on: date, on: date, reversal: bool = False
) -> Kind:
    """What an R-transaction is, from its code and its day; `moved`: there is money to give back."""
    if not moved:
        return "refusal" if "refusal" in of(code).kinds else "reject"
    if reversal:
        return "reversal"
    kinds = of(code).kinds
    if "refund" not in kinds:
        return "return"
    if "return" not in kinds:
        return "refund"
    last = collected_on
    for _ in range(RETURN_DAYS.get(scheme, 5)):
        last += DAY
        while not is_target_day(last):
            last += DAY
    return "return" if on <= last else "refund"


def warning(code: str, kind: Kind, scheme: str, collected_on: date, on: date) -> str:
    """What is unusual of a refund that the scheme does not grant, or "".

    CORE: within 8 weeks without a reason; afterwards, within 13 months, only as unauthorised
    (MD01). B2B: none (rulebooks; CMF L133-24, L133-25-1 [R]).
    """
    if kind != "refund":
        return ""
    if scheme == "B2B":
        if code == "MD01":
            return ""
        return "a B2B collection is not refunded: contest it with the bank"
    if on > add_months(collected_on, UNAUTHORISED_MONTHS):
        return (
            f"refunded on {on}, more than {UNAUTHORISED_MONTHS} months after {collected_on}: "
            "contest it with the bank"
        )
    if code != "MD01" and on > collected_on + REFUND_WEEKS * 7 * DAY:
        return (
            f"refunded on {on}, more than {REFUND_WEEKS} weeks after {collected_on}, and not as "
            "unauthorised (MD01): contest it with the bank"
        )
    return ""


AGAIN = frozenset(code for code in REASONS if again(code))
"""The codes after which the same collection may simply be presented again."""

STOPS = {code: reason.english for code, reason in REASONS.items() if stops(code)}
"""The codes after which an account or a mandate is debited no more, with their sentences."""
