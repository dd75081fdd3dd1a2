"""What a house signs with: contract forms, and the files that fill them in.

A form holds the clauses, as data, beside the French words they come from; a contract file names
a form and gives parties, dates, items and prices. README.md here says how both are written.
"""

from billing.forms.contract_file import (
    ContractFile,
    contract_from_text,
    contract_from_values,
    contract_schema,
    read_contract,
)
from billing.forms.form import (
    ClauseWords,
    Form,
    form_from_text,
    form_schema,
    forms,
    load_form,
)
from billing.refusal import BadFile, FieldError

__all__ = [
    "BadFile",
    "ClauseWords",
    "ContractFile",
    "FieldError",
    "Form",
    "contract_from_text",
    "contract_from_values",
    "contract_schema",
    "form_from_text",
    "form_schema",
    "forms",
    "load_form",
    "read_contract",
]
