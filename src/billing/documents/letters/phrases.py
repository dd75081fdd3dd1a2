"""The sentences of letters, in French and in English (libellés).

Spaces before : ; ? ! % € and inside « » are made unbreakable when the letter is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from billing.documents.facturx.words import Both

PHRASES: Final[Mapping[str, Both]] = MappingProxyType(
    {
        key: Both(*said)
        for key, said in {
            # Every letter
            "dated": ("Le {day}", "{day}"),
            "dear": ("Madame, Monsieur,", "Dear Sir or Madam,"),
            "regards": (
                "Nous vous prions d’agréer, Madame, Monsieur, l’expression de nos salutations "
                "distinguées.",
                "Yours faithfully,",
            ),
            "for_party": ("Pour {name}", "For {name}"),
            "registered_letter": (
                "Lettre recommandée avec avis de réception",
                "Registered letter with acknowledgement of receipt",
            ),
            "letter": ("Par courrier", "By post"),
            "email": ("Par courriel", "By e-mail"),
            "email_to": ("Par courriel à {address}", "By e-mail to {address}"),
            "to_client": ("À l’attention de", "To"),
            "contracts": ("Contrats", "Contracts"),
            "signed_on": ("Signé le", "Signed on"),
            "reason": ("Motif", "Reason"),
            "our_reference": ("Notre référence", "Our reference"),
            "as_agreed": ("Le contrat prévoit :", "The contract says (in French):"),
            "clause_of": ("Contrat, {source}", "Contract, {source}"),
            "clause_nowhere": ("Contrat", "Contract"),
            "days_one": ("1 jour", "1 day"),
            "days_many": ("{n} jours", "{n} days"),
            "none": ("néant", "none"),
            "yes": ("oui", "yes"),
            "no": ("non", "no"),
            # Documents owed
            "document": ("Document", "Document"),
            "issued": ("Émis le", "Issued on"),
            "due": ("Échéance", "Due date"),
            "lateness": ("Retard", "Late by"),
            "gross": ("Montant TTC", "Amount incl. VAT"),
            "left": ("Reste dû", "Amount due"),
            "total_left": ("Total restant dû", "Total due"),
            "doc_invoice": ("Facture {number}", "Invoice {number}"),
            "doc_deposit": ("Facture d’acompte {number}", "Deposit invoice {number}"),
            "doc_debit_note": ("Note de débit {number}", "Debit note {number}"),
            "doc_credit_note": ("Avoir {number}", "Credit note {number}"),
            "pay_to": ("Pour votre règlement", "How to pay"),
            "documents_above": (
                "les numéros des documents ci-dessus",
                "the numbers of the documents above",
            ),
            # Renewal
            "quote_title": ("Devis de renouvellement", "Renewal quote"),
            "offer_title": ("Proposition de renouvellement", "Renewal offer"),
            "renewal_quote": (
                "La période en cours de votre contrat {contract} s’achève le {last}. Voici notre "
                "devis pour la période suivante, {term}.",
                "The present term of your contract {contract} ends on {last}. This is our quote "
                "for the next one, {term}.",
            ),
            "renewal_offer": (
                "Votre contrat {contract} s’achève le {last}. Nous vous proposons de le renouveler "
                "pour la période suivante : {term}.",
                "Your contract {contract} ends on {last}. We offer to renew it for this term: "
                "{term}.",
            ),
            "item": ("Désignation", "Description"),
            "quantity": ("Quantité", "Quantity"),
            "price_now": ("Prix actuel HT", "Present price excl. VAT"),
            "price_new": ("Nouveau prix HT", "New price excl. VAT"),
            "per_1": ("{price} par mois", "{price} a month"),
            "per_3": ("{price} par trimestre", "{price} a quarter"),
            "per_6": ("{price} par semestre", "{price} a half-year"),
            "per_12": ("{price} par an", "{price} a year"),
            "per_n": ("{price} pour {n} mois", "{price} for {n} months"),
            "less": ("remise de {percent}", "discount of {percent}"),
            "term_total": (
                "Total HT du renouvellement ({months})",
                "Total of the renewal excl. VAT ({months})",
            ),
            "vat_added": (
                "Prix hors taxes : la TVA s’ajoute au taux en vigueur.",
                "Prices exclude VAT, which is added at the rate in force.",
            ),
            "refuse_sent": (
                "Sans désaccord de votre part, envoyé {how}au plus tard le {day}, le contrat sera "
                "reconduit à ces conditions.",
                "Unless you object, by a notice sent {how}by {day} at the latest, the contract is "
                "renewed on these terms.",
            ),
            "refuse_received": (
                "Sans désaccord de votre part, reçu {how}au plus tard le {day}, le contrat sera "
                "reconduit à ces conditions.",
                "Unless you object, by a notice received {how}by {day} at the latest, the contract "
                "is renewed on these terms.",
            ),
            "by_registered_letter": ("par lettre recommandée ", "by registered letter "),
            "by_letter": ("par courrier ", "by post "),
            "by_email": ("par courriel ", "by e-mail "),
            "by_any": ("", ""),
            "accept_until": (
                "Cette proposition peut être acceptée jusqu’au {day} inclus. Sans votre accord à "
                "cette date, le contrat prend fin.",
                "This offer may be accepted up to {day}, that day included. Without your agreement "
                "by then, the contract ends.",
            ),
            "agreed": ("Bon pour accord", "Agreed"),
            "agreed_client": (
                "Pour {name}\nBon pour accord, date et signature",
                "For {name}\nAgreed, date and signature",
            ),
            # Reminder
            "reminder_title": ("Relance", "Payment reminder"),
            "first_reminder": (
                "Sauf erreur de notre part, les sommes ci-dessous, dont l’échéance est passée, ne "
                "nous ont pas encore été réglées.",
                "According to our records, the amounts below, which are past their due dates, have "
                "not been paid yet.",
            ),
            "next_reminder": (
                "Malgré notre précédente relance, les sommes ci-dessous, dont l’échéance est "
                "passée, ne nous ont toujours pas été réglées.",
                "Although we have reminded you of them before, the amounts below, which are past "
                "their due dates, have still not been paid.",
            ),
            "please_pay": (
                "Nous vous remercions de nous régler {amount} dès réception de ce courrier.",
                "Please pay us {amount} upon receipt of this letter.",
            ),
            "crossed": (
                "Si votre règlement nous est parvenu entre-temps, veuillez ne pas tenir compte de "
                "ce courrier.",
                "If you have paid in the meantime, please disregard this letter.",
            ),
            # Formal notice
            "notice_title": ("Mise en demeure", "Formal notice"),
            "notice_pay_title": ("Mise en demeure de payer", "Formal notice to pay"),
            "overrun_title": ("Dépassement du volume souscrit", "Overrun of the agreed volume"),
            "unpaid_sums": (
                "Les sommes détaillées ci-dessous, exigibles au titre du contrat {contract}, "
                "restent impayées à ce jour.",
                "The amounts below, payable under contract {contract}, are unpaid to this day.",
            ),
            "breach_of": (
                "Nous constatons un manquement au contrat {contract} : {about}.",
                "We observe a breach of contract {contract}: {about}.",
            ),
            "overrun_of": (
                "Le volume souscrit au contrat {contract} est dépassé : {about}.",
                "The volume agreed in contract {contract} is exceeded: {about}.",
            ),
            "interest_to": ("Intérêts au {day}", "Interest to {day}"),
            "fixed_fee": ("Indemnité", "Fixed fee"),
            "invoices_sum": ("Factures impayées", "Unpaid invoices"),
            "interest_sum": ("Intérêts de retard au {day}", "Late interest to {day}"),
            "fee_sum": (
                "Indemnités forfaitaires de recouvrement",
                "Fixed compensation for recovery costs",
            ),
            "already": (
                "À déduire : déjà facturés par note de débit",
                "Less: on debit notes already",
            ),
            "notes_sum": ("Notes de débit impayées : {numbers}", "Unpaid debit notes: {numbers}"),
            "claimed_sum": ("Total à régler", "Total to be paid"),
            "summon_pay": (
                "Nous vous mettons en demeure de nous régler la somme de {amount}.",
                "We hereby give you formal notice to pay us {amount}.",
            ),
            "summon_cure": (
                "Nous vous mettons en demeure d’y remédier.",
                "We hereby give you formal notice to remedy it.",
            ),
            "ask_cure": (
                "Nous vous demandons de régulariser cette situation.",
                "Please put this right.",
            ),
            "failing_day": (
                "À défaut avant le {day}, nous serons en droit, à compter de cette date, de "
                "procéder aux mesures suivantes :",
                "Failing that before {day}, we are entitled, from that day on, to the following:",
            ),
            "failing_receipt": (
                "À défaut dans les {days} suivant la réception de ce courrier, nous serons en "
                "droit de procéder aux mesures suivantes :",
                "Failing that within {days} of your receiving this letter, we are entitled to the "
                "following:",
            ),
            "may_suspend": ("la suspension des prestations", "suspend the services"),
            "may_terminate": ("la résiliation du contrat", "terminate the contract"),
            "may_recover": ("la reprise du matériel fourni", "take back the equipment supplied"),
            "may_block": ("le blocage de l’augmentation de volume", "block any growth of volume"),
            "may_subscribe": (
                "la souscription d’un volume supplémentaire",
                "subscribe an additional volume",
            ),
            "next_step": (
                "Le volume supplémentaire est de {step} unités, à {price} HT par unité et par "
                "mois.",
                "The additional volume is {step} units, at {price} excl. VAT a unit and a month.",
            ),
            "interest_how": (
                "Intérêts calculés du lendemain de l’échéance au {day} inclus, au taux annuel "
                "suivant : {rate}. Ils continuent de courir jusqu’au paiement.",
                "Interest is worked out from the day after the due date through {day}, at this "
                "yearly rate: {rate}. It runs on until payment.",
            ),
            "interest_notice": (
                "Intérêts dus à compter de la mise en demeure, au {rate}.",
                "Interest is due from the formal notice, at {rate}.",
            ),
            "interest_unknown": (
                "Les intérêts de retard, dont un taux n’est pas encore connu, s’y ajoutent.",
                "Late interest, a rate of which is not known yet, is added.",
            ),
            # Suspension
            "suspend_title": ("Suspension des prestations", "Suspension of services"),
            "block_title": ("Blocage de l’augmentation de volume", "Growth of volume blocked"),
            "recover_title": ("Reprise du matériel fourni", "Recovery of equipment"),
            "measure_title": ("Mesure prise en application du contrat", "Measure taken"),
            "after_notice": (
                "Notre courrier du {sent} est resté sans effet. Depuis le {allowed}, le contrat "
                "{contract} nous autorise la mesure suivante.",
                "Our letter of {sent} was left without effect. Since {allowed}, contract "
                "{contract} entitles us to the following measure.",
            ),
            "suspend_done": (
                "Les prestations sont suspendues à compter du {day}.",
                "Services are suspended from {day}.",
            ),
            "block_done": (
                "Toute augmentation du volume est bloquée à compter du {day}.",
                "Any growth of volume is blocked from {day}.",
            ),
            "recover_done": (
                "Nous reprenons le matériel fourni à compter du {day}.",
                "We take back the equipment supplied from {day}.",
            ),
            "terminate_done": (
                "Le contrat peut être résilié à compter du {day}.",
                "The contract may be terminated from {day}.",
            ),
            "subscribe_done": (
                "Un volume supplémentaire est souscrit à compter du {day}.",
                "An additional volume is subscribed from {day}.",
            ),
            "letter_about": ("Objet de notre courrier", "Subject of our letter"),
            "fees_run_on": (
                "Les redevances restent dues pendant la suspension, qui ne donne lieu à aucun "
                "remboursement.",
                "Fees stay due during the suspension, which gives rise to no refund.",
            ),
            "pay_to_resume": (
                "Le règlement de ces sommes permettra de rétablir les prestations.",
                "Payment of these amounts will allow services to be resumed.",
            ),
            # Direct debits
            "prenotification_title": (
                "Notification préalable de prélèvement",
                "Pre-notification of direct debit",
            ),
            "schedule_title": ("Échéancier de prélèvements", "Schedule of direct debits"),
            "will_debit_one": (
                "{amount} seront prélevés le {day} sur votre compte {iban}.",
                "{amount} will be collected on {day} from your account {iban}.",
            ),
            "will_debit_many": (
                "Les montants suivants seront prélevés sur votre compte {iban}.",
                "The following amounts will be collected from your account {iban}.",
            ),
            "debit_day": ("Prélèvement le", "Collected on"),
            "debit_amount": ("Montant", "Amount"),
            "debit_for": ("Pour", "For"),
            "debits_total": ("Total", "Total"),
            "scheduled_for": ("Échéance du contrat {contract}", "Instalment of {contract}"),
            "creditor": ("Créancier", "Creditor"),
            "debited_account": ("Compte débité", "Account debited"),
            "scheme": ("Type de prélèvement", "Scheme"),
            "CORE": ("SEPA (CORE)", "SEPA (CORE)"),
            "B2B": ("SEPA interentreprises (B2B)", "SEPA business-to-business (B2B)"),
            "schedule_counts": (
                "Cet échéancier vaut notification préalable de chacun de ces prélèvements. Il est "
                "établi aux prix en vigueur au {day} : une facture d’un autre montant annoncera "
                "elle-même le sien.",
                "This schedule is the pre-notification of each of these direct debits. It is drawn "
                "up at the prices in force on {day}: an invoice of another amount announces its "
                "own debit.",
            ),
            # Index substitution
            "substitution_title": ("Remplacement d’indice", "Substitution of an index"),
            "substituted_one": (
                "Un indice auquel se réfère le contrat {contract} est remplacé comme suit.",
                "An index that contract {contract} refers to is replaced as follows.",
            ),
            "substituted_many": (
                "Des indices auxquels se réfère le contrat {contract} sont remplacés comme suit.",
                "Indices that contract {contract} refers to are replaced as follows.",
            ),
            "index_before": ("Indice du contrat", "Index of the contract"),
            "index_after": ("Remplacé par", "Replaced by"),
            "decision": ("Décision", "Decision"),
            "decided": ("{day}, {by}", "{day}, {by}"),
            "evidence": ("Pièce : {evidence}", "Evidence: {evidence}"),
            "base_value": (
                "Valeur de base : {value} ({period}, publiée le {day})",
                "Base value: {value} ({period}, published on {day})",
            ),
            "linking": (
                "Raccordement : {new} × {coefficient} prolonge {old}",
                "Linking: {new} × {coefficient} continues {old}",
            ),
            "revision_formula": ("Formule de révision", "Revision formula"),
            "formula_stays": (
                "La formule de révision reste celle du contrat, ses indices lus comme indiqué "
                "ci-dessus.",
                "The revision formula stays that of the contract, its indices read as above.",
            ),
            "rate_follows": (
                "Le taux des intérêts de retard se lit désormais comme indiqué ci-dessus.",
                "The rate of late interest is from now on read as above.",
            ),
            # Settlement
            "settlement_title": ("Décompte de résiliation", "Termination settlement"),
            "ends": (
                "Le contrat {contract} prend fin. Son dernier jour est le {last}.",
                "Contract {contract} ends. Its last day is {last}.",
            ),
            "cause": ("Motif de la résiliation", "Ground of termination"),
            "asked_by": ("À la demande de", "Asked for by"),
            "proof": ("Pièce", "Evidence"),
            "cause_convenience": ("résiliation anticipée", "early termination"),
            "cause_breach_by_client": ("manquement du client", "breach by the client"),
            "cause_breach_by_supplier": ("manquement du fournisseur", "breach by the supplier"),
            "cause_unpaid": ("défaut de paiement", "failure to pay"),
            "cause_moved_abroad": ("déménagement à l’étranger", "move abroad"),
            "cause_force_majeure": ("force majeure", "force majeure"),
            "cause_linked": ("fin du contrat auquel il est lié", "end of the contract it follows"),
            "cause_linked_to": (
                "fin du contrat {parent}, auquel il est lié",
                "end of contract {parent}, which it follows",
            ),
            "cause_mutual": ("accord des parties", "agreement of the parties"),
            "cause_conditions_refused": (
                "refus de nouvelles conditions",
                "new conditions refused",
            ),
            "cause_warranty_lost": ("perte de la garantie constructeur", "warranty lost"),
            "cause_purchased": ("achat du matériel loué", "purchase of what was rented"),
            "indemnity_part": (
                "Indemnité de résiliation anticipée",
                "Early termination indemnity",
            ),
            "left_annuities": ("Annuités restant à courir", "Annuities left to run"),
            "left_instalments": ("Échéances restant à courir", "Instalments left to run"),
            "left_pro_rata": ("Durée restant à courir", "Time left to run"),
            "left_period": ("Période", "Period"),
            "left_count": ("Nombre", "Number"),
            "left_each": ("Montant HT", "Amount excl. VAT"),
            "left_sum": ("Total HT", "Total excl. VAT"),
            "indemnity_sum": (
                "Indemnité HT : {share} × {left}",
                "Indemnity excl. VAT: {share} × {left}",
            ),
            "indemnity_nothing": (
                "Rien ne restait à courir : aucune indemnité n’est due.",
                "Nothing was left to run: no indemnity is due.",
            ),
            "indemnity_settled": (
                "Évaluée à {assessed} HT, l’indemnité est ramenée à {amount} HT : {reason}.",
                "Assessed at {assessed} excl. VAT, the indemnity is brought to {amount} excl. VAT: "
                "{reason}.",
            ),
            "indemnity_taxed": (
                "L’indemnité est soumise à la TVA.",
                "The indemnity is subject to VAT.",
            ),
            "indemnity_untaxed": (
                "L’indemnité est hors du champ de la TVA : {reason}.",
                "The indemnity is outside the scope of VAT: {reason}.",
            ),
            "indemnity_untaxed_bare": (
                "L’indemnité est hors du champ de la TVA.",
                "The indemnity is outside the scope of VAT.",
            ),
            "invoiced_part": ("Sommes facturées et non réglées", "Amounts invoiced and unpaid"),
            "to_come_part": (
                "Restant à facturer et à créditer",
                "Still to be invoiced and credited",
            ),
            "net": ("HT", "Excl. VAT"),
            "tax": ("TVA", "VAT"),
            "gross_short": ("TTC", "Incl. VAT"),
            "deducted_deposit": ("Acomptes déduits", "Deposits deducted"),
            "credit_on": ("{label} (avoir sur {number})", "{label} (credit note on {number})"),
            "balance_part": ("Solde au {day}", "Balance on {day}"),
            "balance_invoiced": ("Factures et notes de débit", "Invoices and debit notes"),
            "balance_to_invoice": ("À facturer, TTC", "To be invoiced, incl. VAT"),
            "balance_to_credit": ("À créditer, TTC", "To be credited, incl. VAT"),
            "balance_due": ("Solde à régler, TTC", "Balance to be paid, incl. VAT"),
            "balance_back": ("Solde en votre faveur, TTC", "Balance in your favour, incl. VAT"),
            "nothing_owed": (
                "Rien n’est dû de part ni d’autre.",
                "Nothing is owed on either side.",
            ),
            "balance_limits": (
                "Décompte établi d’après les règlements imputés à ce jour ; les intérêts de retard "
                "non encore facturés n’y figurent pas.",
                "Drawn up on the payments allocated to this day; late interest not charged yet is "
                "not included.",
            ),
            "not_worked_out": (
                "Des sommes restant à facturer ne sont pas encore chiffrées et n’y figurent pas.",
                "Some amounts still to be invoiced are not worked out yet and are not included.",
            ),
            "equipment_part": ("Matériel à restituer", "Equipment to be given back"),
            "equipment_by": (
                "{what} : au plus tard le {day}, à défaut facturé {price} HT",
                "{what}: by {day} at the latest, else billed {price} excl. VAT",
            ),
            "serial": ("{label} (n° de série {serial})", "{label} (serial number {serial})"),
            "duties_part": ("Vos données et nos obligations", "Your data and our duties"),
            "duty_by": ("{label} : au plus tard le {day}", "{label}: by {day} at the latest"),
            # Amendment
            "amendment_title": ("Avenant au contrat", "Amendment to the contract"),
            "conditions_title": ("Nouvelles conditions", "New conditions"),
            "amended_by_agreement": (
                "Les parties conviennent de modifier comme suit le contrat {contract}, à effet du "
                "{day}.",
                "The parties agree to amend contract {contract} as follows, from {day}.",
            ),
            "amended_by_publication": (
                "Les conditions du contrat {contract} changent comme suit à compter du {day}, pour "
                "l’avenir seulement.",
                "The conditions of contract {contract} change as follows from {day}, for the "
                "future only.",
            ),
            "clauses_part": ("Clauses modifiées", "Clauses amended"),
            "prices_part": ("Prix modifiés", "Prices amended"),
            "clause": ("Clause", "Clause"),
            "provision": ("Disposition", "Provision"),
            "before_head": ("Avant", "Before"),
            "after_head": ("Après", "After"),
            "bases_read": ("Valeur de base de {name}", "Base value of {name}"),
            "rest_stays": (
                "Toutes les autres clauses du contrat restent inchangées.",
                "All other clauses of the contract are unchanged.",
            ),
            "sign_here": ("Pour {name}\nDate et signature", "For {name}\nDate and signature"),
        }.items()
    }
)
