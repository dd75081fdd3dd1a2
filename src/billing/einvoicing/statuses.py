"""The life of an invoice between platforms: its statuses and their reasons (XP Z12-012)."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Status(Struct, frozen=True):
    """A status: how it is called, and what is left to do for who issued the document."""

    name: str
    to_do: str = ""


COLLECTED: Final = "212"
REFUSED: Final = frozenset(("210", "213", "221", "501"))
"""The document goes no further; it keeps its number."""

_KEEPS = "it keeps its number: credit it, and issue another"

STATUSES: Final[dict[str, Status]] = {
    "200": Status("Déposée"),
    "201": Status("Émise par la plateforme"),
    "202": Status("Reçue par la plateforme"),
    "203": Status("Mise à disposition"),
    "204": Status("Prise en charge"),
    "205": Status("Approuvée"),
    "206": Status("Approuvée partiellement", "see what is not approved, credit it or settle it"),
    "207": Status("En litige", "record it with `billing dispute`, and settle it"),
    "208": Status("Suspendue", "send what is missing"),
    "209": Status("Complétée"),
    "210": Status("Refusée", _KEEPS),
    "211": Status("Paiement transmis"),
    "212": Status("Encaissée"),
    "213": Status("Rejetée", _KEEPS),
    "214": Status("Visée"),
    "220": Status("Annulée"),
    "221": Status("Erreur de routage", "see the address in the directory"),
    "224": Status("Demande de paiement direct"),
    "225": Status("Affacturée"),
    "226": Status("Affacturée confidentiel"),
    "227": Status("Changement de compte à payer"),
    "228": Status("Non affacturée"),
    "501": Status("Irrecevable", "see the file that was sent"),
}

REASONS: Final[dict[str, str]] = {
    "ADR_ERR": "adresse de facturation erronée",
    "ART_ERR": "article erroné",
    "AUTRE": "autre motif",
    "CALCUL_ERR": "erreur de calcul",
    "CMD_ERR": "commande erronée ou absente",
    "CODE_ROUTAGE_ERR": "code de routage erroné ou absent",
    "CONTACT_ACHTR": "prendre contact avec l'acheteur",
    "CONTRAT_TERM": "contrat terminé",
    "COORD_BANC_ERR": "coordonnées bancaires erronées",
    "DEST_ERR": "destinataire erroné",
    "DEST_INC": "destinataire inconnu",
    "DOUBLE_FACT": "déjà facturé",
    "DOUBLON": "facture reçue deux fois",
    "EMMET_INC": "émetteur inconnu",
    "IRR_ANTIVIRUS": "fichier infecté",
    "IRR_EXT_DOC": "type de pièce jointe non admis",
    "IRR_NOM_F": "nom de fichier non admis",
    "IRR_NOM_PJ": "nom de pièce jointe non admis",
    "IRR_SYNTAX": "syntaxe du fichier",
    "IRR_TAILLE_F": "fichier trop grand",
    "IRR_TAILLE_PJ": "pièce jointe trop grande",
    "IRR_TYPE_F": "type de fichier non admis",
    "IRR_VIDE_F": "fichier vide",
    "IRR_VID_PJ": "pièce jointe vide",
    "JUSTIF_ABS": "justificatif absent",
    "LIVR_INCOMP": "livraison incomplète",
    "MODPAI_ERR": "moyen de paiement erroné",
    "MONTANTTOTAL_ERR": "montant total erroné",
    "NON_CONFORME": "mention légale manquante",
    "NON_TRANSMISE": "non transmise au destinataire",
    "PU_ERR": "prix unitaire erroné",
    "QTE_ERR": "quantité erronée",
    "QUALITE_ERR": "qualité de la prestation contestée",
    "REF_CT_ABSENT": "référence de contrat absente",
    "REF_ERR": "référence erronée",
    "REJ_ADR": "rejet : adresse électronique",
    "REJ_ASS_PJ": "rejet : pièce jointe mal rattachée",
    "REJ_COH": "rejet : données incohérentes",
    "REJ_CONT_B2G": "rejet : contrôle du secteur public",
    "REJ_REF_PJ": "rejet : référence de pièce jointe",
    "REJ_SEMAN": "rejet : règle de gestion",
    "REJ_UNI": "rejet : numéro déjà reçu",
    "REM_ERR": "remise erronée",
    "RETRAIT_MAN_SERV": "retirée par le service",
    "ROUTAGE_ERR": "erreur de routage",
    "SIRET_ERR": "SIRET erroné ou absent",
    "ST_CT_NON_DECLAR": "sous-traitant non déclaré",
    "SUPPR_COMP_AVOIR": "supprimée, compensée par avoir",
    "TRANSAC_INC": "transaction inconnue",
    "TRANSF_PMNT_REGIE": "payée par une régie",
    "TX_TVA_ERR": "taux de TVA erroné",
}


def status_name(code: str) -> str:
    """How a status is called; one we do not know is named as such."""
    known = STATUSES.get(code)
    return known.name if known else f"statut inconnu {code}"


def reason_text(code: str) -> str:
    """Why, in words; a code we do not know is named as such."""
    return REASONS.get(code, f"motif inconnu {code}" if code else "")
