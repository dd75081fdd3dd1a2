"""The tables of the read side."""

import sqlalchemy as sa
from alembic import op

from billing.store.schema import StreamId

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column(
            "id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="What finds it, the part of the key that may be told",
        ),
        sa.Column(
            "name",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who comes with it: commands are recorded under that name",
        ),
        sa.Column(
            "digest", sa.Text(), nullable=False, comment="SHA-256 of the whole key, hexadecimal"
        ),
        sa.Column(
            "roles",
            sa.Text(),
            nullable=False,
            comment="What it may do: reader, operator, approver, auditor, admin",
        ),
        sa.Column("scopes", sa.Text(), nullable=False, comment="What it may see besides: personal"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was made"
        ),
        sa.Column("created_by", sa.Text(), nullable=False, comment="Who made it"),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="From when on it is worth nothing",
        ),
        sa.Column(
            "revoked_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was taken back",
        ),
        sa.Column("revoked_by", sa.Text(), nullable=False, comment="Who took it back"),
        sa.Column(
            "last_used_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was last used, to the minute",
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Keys of the API; the keys themselves are kept nowhere",
        info={"desk": True},
    )
    op.create_table(
        "calendar",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "rank", sa.Integer(), nullable=False, comment="Its place among the days of its stream"
        ),
        sa.Column(
            "on_day",
            sa.Date(),
            nullable=False,
            comment="The day that comes, or that passed with something left to do",
        ),
        sa.Column(
            "lapses_on",
            sa.Date(),
            nullable=False,
            comment="From that day on it is not shown; 9999-12-31 while nobody has acted",
        ),
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Whose contract, mandate or account it is",
        ),
        sa.Column(
            "client",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The client; '' for a line of the bank",
        ),
        sa.Column(
            "contract",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The contract's number; '' for a mandate or a line of the bank",
        ),
        sa.Column(
            "what",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="quote, offer, notice, revision, end, renewal, task, warranty, fee end, discount, return, clock, invoice, mandate, bank line",
        ),
        sa.Column("told", sa.Text(), nullable=False, comment="What comes, in a sentence"),
        sa.Column(
            "net_cents",
            sa.BigInteger(),
            nullable=True,
            comment="What will be billed, where that is known, in cents",
        ),
        sa.PrimaryKeyConstraint("stream", "rank"),
        comment="Days to come, and days that passed with something left to do (agenda)",
    )
    op.create_index("calendar_contract", "calendar", ["contract"], unique=False)
    op.create_index("calendar_on_day", "calendar", ["on_day", "contract", "what"], unique=False)
    op.create_table(
        "collection",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The creditor",
        ),
        sa.Column(
            "end_to_end",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Its name within the creditor (EndToEndId)",
        ),
        sa.Column(
            "invoice",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The document it collects",
        ),
        sa.Column(
            "mandate",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The mandate it is made under (RUM)",
        ),
        sa.Column(
            "debtor",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who is debited",
        ),
        sa.Column(
            "status",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="under_way, settled or returned",
        ),
        sa.Column(
            "amount_cents", sa.BigInteger(), nullable=False, comment="What is debited, in cents"
        ),
        sa.Column("collected_on", sa.Date(), nullable=False, comment="The day asked for"),
        sa.Column(
            "ordered_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it was handed over",
        ),
        sa.Column(
            "announced_on",
            sa.Date(),
            nullable=True,
            comment="The day the debtor was told (pré-notification)",
        ),
        sa.Column(
            "scheme",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="CORE or B2B",
        ),
        sa.Column(
            "sequence",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="FRST, RCUR, FNAL or OOFF",
        ),
        sa.Column(
            "file",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The file it is part of (MsgId)",
        ),
        sa.Column(
            "batch",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The batch within the file (PmtInfId)",
        ),
        sa.Column("settled_on", sa.Date(), nullable=True, comment="The day the bank credited it"),
        sa.Column("returned_on", sa.Date(), nullable=True, comment="The day it came back"),
        sa.Column(
            "return_kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="reject, refusal, return, refund or reversal; '' while it has not",
        ),
        sa.Column(
            "return_code",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The bank's reason (ISO 20022)",
        ),
        sa.Column(
            "return_reason", sa.Text(), nullable=False, comment="The same as a French sentence"
        ),
        sa.Column(
            "return_fee_cents",
            sa.BigInteger(),
            nullable=False,
            comment="What the bank charges for it, in cents",
        ),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="The row as the API answers it (JSON)"
        ),
        sa.PrimaryKeyConstraint("supplier", "end_to_end"),
        comment="Direct debits handed to the bank (prélèvements), and what became of each",
    )
    op.create_index(
        "collection_day", "collection", ["collected_on", "supplier", "end_to_end"], unique=False
    )
    op.create_index("collection_debtor", "collection", ["debtor", "collected_on"], unique=False)
    op.create_index("collection_file", "collection", ["file"], unique=False)
    op.create_index("collection_invoice", "collection", ["supplier", "invoice"], unique=False)
    op.create_index("collection_mandate", "collection", ["mandate", "collected_on"], unique=False)
    op.create_index("collection_stream", "collection", ["stream"], unique=False)
    op.create_table(
        "contract",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "number",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Its number",
        ),
        sa.Column(
            "version", sa.Integer(), nullable=False, comment="Of its stream: how many events it has"
        ),
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who supplies (a party's code)",
        ),
        sa.Column(
            "client",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who buys (a party's code)",
        ),
        sa.Column(
            "form",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The contract form it was signed on",
        ),
        sa.Column(
            "category",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="What the client is: professional, public, non_professional, consumer",
        ),
        sa.Column(
            "parent",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The contract whose duration it follows; '' for none",
        ),
        sa.Column(
            "purchase_order",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The client's purchase order",
        ),
        sa.Column(
            "site",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Where it is carried out",
        ),
        sa.Column(
            "mandate",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The mandate its invoices are collected under; '' for none",
        ),
        sa.Column("signed_on", sa.Date(), nullable=False, comment="The day it was signed"),
        sa.Column(
            "accepted_on", sa.Date(), nullable=True, comment="The day the installation was accepted"
        ),
        sa.Column(
            "billable",
            sa.Boolean(),
            nullable=False,
            comment="Fees run: it is not cancelled, and accepted where it has to be",
        ),
        sa.Column(
            "starts_on", sa.Date(), nullable=False, comment="The day it starts (prise d'effet)"
        ),
        sa.Column("renewals", sa.Integer(), nullable=False, comment="How often it was renewed"),
        sa.Column(
            "ends_on",
            sa.Date(),
            nullable=True,
            comment="The day after its last, once that is known",
        ),
        sa.Column(
            "why_ended",
            sa.Text(),
            nullable=False,
            comment="Why it has an end; '' while it has none",
        ),
        sa.Column(
            "currency",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Of its prices",
        ),
        sa.Column(
            "coefficient",
            sa.Text(),
            nullable=False,
            comment="Of the revisions since the signature, exact: a number or a fraction",
        ),
        sa.Column(
            "every_months",
            sa.Integer(),
            nullable=True,
            comment="Months of a billing period; none: the whole term",
        ),
        sa.Column(
            "in_advance",
            sa.Boolean(),
            nullable=False,
            comment="Billed before the period (terme à échoir), not after it (terme échu)",
        ),
        sa.Column(
            "billed_until", sa.Date(), nullable=False, comment="The day after the last one billed"
        ),
        sa.Column(
            "next_due_on",
            sa.Date(),
            nullable=True,
            comment="The next day the month's pass has something to do",
        ),
        sa.Column(
            "next_revision_on", sa.Date(), nullable=True, comment="The next revision of its prices"
        ),
        sa.Column(
            "notice_by",
            sa.Date(),
            nullable=True,
            comment="The last day for a notice against tacit renewal",
        ),
        sa.Column(
            "prompt",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="What is to be sent before the term ends: quote, offer or ''",
        ),
        sa.Column("prompt_on", sa.Date(), nullable=True, comment="When that is to be sent"),
        sa.Column(
            "suspended_on", sa.Date(), nullable=True, comment="Since when its service is suspended"
        ),
        sa.Column(
            "suspended_by",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="By which formal notice",
        ),
        sa.Column(
            "blocked", sa.Boolean(), nullable=False, comment="Its growth is blocked (overrun)"
        ),
        sa.Column(
            "cancelled_on", sa.Date(), nullable=True, comment="The day the order was cancelled"
        ),
        sa.Column(
            "terminated_on",
            sa.Date(),
            nullable=True,
            comment="The day it was terminated for, before its term",
        ),
        sa.Column(
            "cause",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Why it was terminated",
        ),
        sa.Column(
            "term_start",
            sa.Date(),
            nullable=True,
            comment="The first day of the present term, if it has one",
        ),
        sa.Column(
            "term_end",
            sa.Date(),
            nullable=True,
            comment="The day after the last of the present term",
        ),
        sa.Column(
            "yearly_from",
            sa.Date(),
            nullable=False,
            comment="From when on its items cost what is agreed last",
        ),
        sa.Column(
            "yearly_cents",
            sa.BigInteger(),
            nullable=True,
            comment="Yearly fee from that day on (`yearly_fee`: before), in cents",
        ),
        sa.Column(
            "next_instalment_on",
            sa.Date(),
            nullable=True,
            comment="When the next period is billed; none when all is",
        ),
        sa.Column(
            "aside_on",
            sa.Date(),
            nullable=True,
            comment="The day of what could not be done (mise de côté)",
        ),
        sa.Column(
            "aside_clause",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The clause that could not be followed; '' for none",
        ),
        sa.Column("aside_reason", sa.Text(), nullable=False, comment="Why"),
        sa.Column(
            "aside_held",
            sa.Boolean(),
            nullable=False,
            comment="Its billing waits too, not only the clause",
        ),
        sa.Column(
            "why_running",
            sa.Text(),
            nullable=False,
            comment="What is to be known of it while it runs",
        ),
        sa.Column(
            "priced_from",
            sa.Date(),
            nullable=True,
            comment="From when on its items have the prices that `body` tells",
        ),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="The row as the API answers it (JSON)"
        ),
        sa.PrimaryKeyConstraint("number"),
        comment="Contracts as they are now (contrats)",
        postgresql_with={"toast_tuple_target": 8160},
    )
    op.create_index("contract_client", "contract", ["client", "number"], unique=False)
    op.create_index("contract_parent", "contract", ["parent", "number"], unique=False)
    op.create_index("contract_stream", "contract", ["stream"], unique=False)
    op.create_table(
        "delivery",
        sa.Column(
            "webhook",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The webhook",
        ),
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="The event",
        ),
        sa.Column("topic", sa.Text(), nullable=False, comment="What kind of event it is"),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="waiting (for another attempt), dead (given up), again (asked for once more)",
        ),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="How often it was tried"),
        sa.Column(
            "next_at", sa.DateTime(timezone=True), nullable=True, comment="When it is tried again"
        ),
        sa.Column("error", sa.Text(), nullable=False, comment="What went wrong the last time"),
        sa.Column(
            "first_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it was first tried",
        ),
        sa.Column(
            "last_at", sa.DateTime(timezone=True), nullable=False, comment="When it was last tried"
        ),
        sa.PrimaryKeyConstraint("webhook", "position"),
        comment="Events a webhook did not take: to be tried again, or given up (dead letters)",
        info={"desk": True},
    )
    op.create_table(
        "history",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="Of the event in the log",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="Of the event in its stream"),
        sa.Column(
            "topic",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="What kind of event: contract.signed, invoice.issued …",
        ),
        sa.Column(
            "on_day", sa.Date(), nullable=False, comment="The day it is about: when it takes effect"
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it was recorded",
        ),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="By whom, or by which run"),
        sa.Column("told", sa.Text(), nullable=False, comment="What happened, in a sentence"),
        sa.PrimaryKeyConstraint("position"),
        comment="Every event, in words (chronologie)",
    )
    op.create_index("history_stream", "history", ["stream", "version"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column(
            "caller",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who asked",
        ),
        sa.Column(
            "key",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The Idempotency-Key of the request",
        ),
        sa.Column(
            "digest",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the method, the path and the body",
        ),
        sa.Column("action", sa.Text(), nullable=False, comment="The word of the command"),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="under_way, recorded (its events are in the log), answered",
        ),
        sa.Column(
            "attempt",
            sa.Text(),
            nullable=False,
            comment="Which attempt it is: one that was taken over may write no more",
        ),
        sa.Column(
            "positions",
            sa.Text(),
            nullable=False,
            comment="The positions of the events recorded (JSON: pairs of first and last)",
        ),
        sa.Column(
            "status",
            sa.Integer(),
            nullable=False,
            comment="The status answered, 0 while there is none",
        ),
        sa.Column("body", sa.Text(), nullable=False, comment="The answer (JSON)"),
        sa.Column(
            "begun_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it was first asked",
        ),
        sa.Column(
            "touched_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it last showed that it lives",
        ),
        sa.PrimaryKeyConstraint("caller", "key"),
        comment="Commands asked over HTTP, and what was answered: a repeated request is not done twice",
        info={"desk": True},
    )
    op.create_index("idempotency_begun", "idempotency", ["begun_at"], unique=False)
    op.create_table(
        "invoice",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The company that issued it",
        ),
        sa.Column(
            "number",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Its number, unbroken within the company",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="invoice, deposit, credit_note or debit_note",
        ),
        sa.Column(
            "client",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who it is for",
        ),
        sa.Column(
            "contract",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The contract it is billed under",
        ),
        sa.Column("issued_on", sa.Date(), nullable=False, comment="The day it bears"),
        sa.Column(
            "due_on",
            sa.Date(),
            nullable=True,
            comment="The last day to pay it, none of a credit note",
        ),
        sa.Column(
            "received_on",
            sa.Date(),
            nullable=True,
            comment="The day the client received it, where it was told",
        ),
        sa.Column(
            "period_start", sa.Date(), nullable=True, comment="The first day of the period it bills"
        ),
        sa.Column(
            "period_end",
            sa.Date(),
            nullable=True,
            comment="The day after the last one of that period",
        ),
        sa.Column(
            "net_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Before tax; negative of a credit note, in cents",
        ),
        sa.Column(
            "tax_cents",
            sa.BigInteger(),
            nullable=False,
            comment="VAT; negative of a credit note, in cents",
        ),
        sa.Column(
            "gross_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Tax included; negative of a credit note, in cents",
        ),
        sa.Column(
            "credited_cents",
            sa.BigInteger(),
            nullable=False,
            comment="What credit notes gave back of it, tax included, in cents",
        ),
        sa.Column(
            "means",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="How it is paid: transfer, direct_debit …; '' of a credit note",
        ),
        sa.Column(
            "collected_on",
            sa.Date(),
            nullable=True,
            comment="The day of its direct debit, as it announces it",
        ),
        sa.Column(
            "mandate",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The mandate it is debited under",
        ),
        sa.Column(
            "run",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The run that issued it",
        ),
        sa.Column(
            "credits",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The document a credit note gives back",
        ),
        sa.Column(
            "purchase_order", sa.Text(), nullable=False, comment="The client's purchase order"
        ),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), nullable=False, comment="When it was issued"
        ),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="By whom, or by which run"),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="The row as the API answers it (JSON)"
        ),
        sa.PrimaryKeyConstraint("supplier", "number"),
        comment="Documents issued: invoices, deposits, credit and debit notes (factures, avoirs)",
        postgresql_with={"toast_tuple_target": 8160},
    )
    op.create_index("invoice_client", "invoice", ["client", "issued_on"], unique=False)
    op.create_index("invoice_contract", "invoice", ["contract", "issued_on"], unique=False)
    op.create_index(
        "invoice_issued_on", "invoice", ["issued_on", "supplier", "number"], unique=False
    )
    op.create_index("invoice_run", "invoice", ["run"], unique=False)
    op.create_index("invoice_stream", "invoice", ["stream"], unique=False)
    op.create_table(
        "invoice_line",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The company that issued the document",
        ),
        sa.Column(
            "number",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The document's number",
        ),
        sa.Column(
            "rank", sa.Integer(), nullable=False, comment="Its place on the document, from 1"
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="What it bills: an item's kind, a charge's, late_interest, recovery_fee …",
        ),
        sa.Column(
            "code",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The item's or charge's code; the late invoice, on a debit note",
        ),
        sa.Column("label", sa.Text(), nullable=False, comment="As printed"),
        sa.Column("period_start", sa.Date(), nullable=True, comment="The first day it bills"),
        sa.Column("period_end", sa.Date(), nullable=True, comment="The day after the last one"),
        sa.Column(
            "quantity",
            sa.Text().with_variant(sa.Numeric(), "postgresql"),
            nullable=False,
            comment="How many",
        ),
        sa.Column(
            "unit_price",
            sa.Text().with_variant(sa.Numeric(), "postgresql"),
            nullable=True,
            comment="In euros, before tax",
        ),
        sa.Column(
            "share",
            sa.Text(),
            nullable=False,
            comment="Of the period's fee, as a fraction such as 15/30; '' for the whole",
        ),
        sa.Column(
            "net_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Before tax; negative on a credit note, in cents",
        ),
        sa.Column(
            "vat_rate",
            sa.Text().with_variant(sa.Numeric(), "postgresql"),
            nullable=False,
            comment="In percent",
        ),
        sa.Column(
            "vat_category",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="S, E, AE, O … (EN 16931)",
        ),
        sa.Column(
            "because",
            sa.Text(),
            nullable=False,
            comment="The versions of the contract's events it comes from, with commas",
        ),
        sa.PrimaryKeyConstraint("supplier", "number", "rank"),
        comment="The lines of the documents",
    )
    op.create_index("invoice_line_stream", "invoice_line", ["stream"], unique=False)
    op.create_table(
        "ledger_line",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "rank", sa.Integer(), nullable=False, comment="Its place among the lines of its stream"
        ),
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Whose books",
        ),
        sa.Column(
            "month", sa.Date(), nullable=False, comment="The first day of the month it is booked in"
        ),
        sa.Column("booked_on", sa.Date(), nullable=False, comment="The day it is booked"),
        sa.Column(
            "valid_on", sa.Date(), nullable=False, comment="The day it was told, and validated"
        ),
        sa.Column(
            "journal",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The code of its journal",
        ),
        sa.Column(
            "what",
            sa.Text(),
            nullable=False,
            comment="What its entry is of: issued, paid, collected, lost, PCA …",
        ),
        sa.Column(
            "piece",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The number of the document, the payment or the collection",
        ),
        sa.Column("piece_on", sa.Date(), nullable=False, comment="The day of the piece"),
        sa.Column(
            "account",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The number of the account",
        ),
        sa.Column(
            "client",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment='Whose account, "" on those not kept by client',
        ),
        sa.Column("label", sa.Text(), nullable=False, comment="What it says"),
        sa.Column("debit_cents", sa.BigInteger(), nullable=False, comment="Debit, in cents"),
        sa.Column("credit_cents", sa.BigInteger(), nullable=False, comment="Credit, in cents"),
        sa.Column(
            "letter",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment='What it was settled with, "" while it is open',
        ),
        sa.Column("lettered_on", sa.Date(), nullable=True, comment="The day that was known"),
        comment="Lines of the entries of the books",
    )
    op.create_index("ledger_line_account", "ledger_line", ["account", "booked_on"], unique=False)
    op.create_index("ledger_line_client", "ledger_line", ["client", "booked_on"], unique=False)
    op.create_index(
        "ledger_line_day", "ledger_line", ["supplier", "booked_on", "piece"], unique=False
    )
    op.create_index("ledger_line_key", "ledger_line", ["stream", "rank"], unique=True)
    op.create_index("ledger_line_piece", "ledger_line", ["piece"], unique=False)
    op.create_table(
        "ledger_total",
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Whose books",
        ),
        sa.Column("month", sa.Date(), nullable=False, comment="The first day of the month"),
        sa.Column(
            "account",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The number of the account",
        ),
        sa.Column("lines", sa.Integer(), nullable=False, comment="How many lines are added up"),
        sa.Column("debit_cents", sa.BigInteger(), nullable=False, comment="Debit, in cents"),
        sa.Column("credit_cents", sa.BigInteger(), nullable=False, comment="Credit, in cents"),
        sa.PrimaryKeyConstraint("supplier", "month", "account"),
        comment="What each account of a company moved in a month (balance)",
    )
    op.create_table(
        "mandate",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "reference",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Its unique reference (RUM)",
        ),
        sa.Column(
            "creditor",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who collects",
        ),
        sa.Column(
            "creditor_identifier",
            sa.Text(),
            nullable=False,
            comment="Its creditor identifier (ICS)",
        ),
        sa.Column(
            "debtor",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who is debited",
        ),
        sa.Column(
            "scheme",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="CORE or B2B",
        ),
        sa.Column(
            "recurrent", sa.Boolean(), nullable=False, comment="For several debits, not for one"
        ),
        sa.Column(
            "status",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="active, revoked, lapsed or final: as it is recorded",
        ),
        sa.Column("signed_on", sa.Date(), nullable=False, comment="The day the debtor signed it"),
        sa.Column(
            "last_used_on",
            sa.Date(),
            nullable=True,
            comment="The day of the last collection under it",
        ),
        sa.Column(
            "lapses_on",
            sa.Date(),
            nullable=False,
            comment="The first day it is good no more, unless it is used before",
        ),
        sa.Column("revoked_on", sa.Date(), nullable=True, comment="The day the debtor withdrew it"),
        sa.Column(
            "presented",
            sa.Integer(),
            nullable=False,
            comment="Collections handed to the bank under it",
        ),
        sa.Column("returned", sa.Integer(), nullable=False, comment="How many of them came back"),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="The row as the API answers it (JSON)"
        ),
        sa.Column(
            "private",
            sa.Text(),
            nullable=False,
            comment="Its personal data (JSON), for those who need it",
        ),
        sa.PrimaryKeyConstraint("reference"),
        comment="Mandates for direct debits (mandats SEPA)",
    )
    op.create_index("mandate_debtor", "mandate", ["debtor"], unique=False)
    op.create_index("mandate_lapses_on", "mandate", ["lapses_on"], unique=False)
    op.create_index("mandate_stream", "mandate", ["stream"], unique=False)
    op.create_table(
        "party",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "code",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="How contracts name it",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="Of its stream"),
        sa.Column(
            "company",
            sa.Boolean(),
            nullable=False,
            comment="Not a person, nor an association that may be one: its data are public",
        ),
        sa.Column(
            "category",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="professional, public, non_professional or consumer",
        ),
        sa.Column(
            "name", sa.Text(), nullable=False, comment="Its legal name; '' unless it is a company"
        ),
        sa.Column(
            "siren",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Its SIREN; '' unless it is a company",
        ),
        sa.Column(
            "vat_number",
            sa.Text(),
            nullable=False,
            comment="Its VAT number; '' unless it is a company",
        ),
        sa.Column(
            "country", sa.Text(), nullable=False, comment="ISO 3166; '' where no address is known"
        ),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="The row as the API answers it (JSON)"
        ),
        sa.Column(
            "private",
            sa.Text(),
            nullable=False,
            comment="Its personal data (JSON), for those who need it",
        ),
        sa.PrimaryKeyConstraint("code"),
        comment="Who supplies and who buys (tiers)",
    )
    op.create_index("party_siren", "party", ["siren"], unique=False)
    op.create_index("party_stream", "party", ["stream"], unique=False)
    op.create_table(
        "payment",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who received it",
        ),
        sa.Column(
            "reference",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Its name within the company",
        ),
        sa.Column(
            "client",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who paid, '' while that is not known",
        ),
        sa.Column(
            "value_on", sa.Date(), nullable=False, comment="The day its funds were available"
        ),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False, comment="What came, in cents"),
        sa.Column(
            "left_cents",
            sa.BigInteger(),
            nullable=False,
            comment="What is neither allocated nor gone back: the client's credit, in cents",
        ),
        sa.Column(
            "means",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="transfer, cheque, card, cash or direct_debit",
        ),
        sa.Column("rejected_on", sa.Date(), nullable=True, comment="The day it failed after all"),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="The row as the API answers it (JSON)"
        ),
        sa.Column(
            "private",
            sa.Text(),
            nullable=False,
            comment="Its personal data (JSON), for those who need it",
        ),
        sa.PrimaryKeyConstraint("supplier", "reference"),
        comment="Payments received and what is left of each (règlements)",
    )
    op.create_index("payment_client", "payment", ["client", "value_on"], unique=False)
    op.create_index(
        "payment_left",
        "payment",
        ["value_on", "supplier", "reference"],
        unique=False,
        sqlite_where=sa.text("left_cents != 0"),
        postgresql_where=sa.text("left_cents != 0"),
    )
    op.create_index("payment_stream", "payment", ["stream"], unique=False)
    op.create_index(
        "payment_value_on", "payment", ["value_on", "supplier", "reference"], unique=False
    )
    op.create_table(
        "payment_movement",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who received the payment",
        ),
        sa.Column(
            "reference",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The payment's reference",
        ),
        sa.Column("rank", sa.Integer(), nullable=False, comment="From 1"),
        sa.Column("moved_on", sa.Date(), nullable=False, comment="The day it counts from"),
        sa.Column(
            "amount_cents",
            sa.BigInteger(),
            nullable=False,
            comment="What more is left by it; negative: less is, in cents",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="received, allocated, refunded or rejected",
        ),
        sa.Column(
            "document",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The document it was allocated to, or taken back from",
        ),
        sa.PrimaryKeyConstraint("supplier", "reference", "rank"),
        comment="What came of each payment, and where it went",
    )
    op.create_index("payment_movement_on", "payment_movement", ["moved_on"], unique=False)
    op.create_index("payment_movement_stream", "payment_movement", ["stream"], unique=False)
    op.create_table(
        "price",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "contract",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The contract's number",
        ),
        sa.Column(
            "item",
            sa.Integer(),
            nullable=False,
            comment="The item's place among those the contract has had, from 1",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            nullable=False,
            comment="Of the contract's event that set the price",
        ),
        sa.Column(
            "code",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The item's code, which several may bear",
        ),
        sa.Column("label", sa.Text(), nullable=False, comment="What it is"),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="service, equipment, videoconference, option, access, volume or one_off",
        ),
        sa.Column("from_on", sa.Date(), nullable=False, comment="The first day of the price"),
        sa.Column(
            "until_on",
            sa.Date(),
            nullable=True,
            comment="The day after its last; none while it is the last one",
        ),
        sa.Column(
            "quantity",
            sa.Text().with_variant(sa.Numeric(), "postgresql"),
            nullable=False,
            comment="How many",
        ),
        sa.Column(
            "unit_price",
            sa.Text().with_variant(sa.Numeric(), "postgresql"),
            nullable=False,
            comment="In euros, before tax",
        ),
        sa.Column(
            "per_months",
            sa.Integer(),
            nullable=False,
            comment="For how many months: 1 a month, 12 a year, 0 once",
        ),
        sa.Column(
            "discount",
            sa.Text().with_variant(sa.Numeric(), "postgresql"),
            nullable=False,
            comment="In percent",
        ),
        sa.Column(
            "discount_until",
            sa.Date(),
            nullable=True,
            comment="The last day of the discount; none for ever",
        ),
        sa.Column(
            "why",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="signed, added, subscribed, revised, corrected, renewed or amended",
        ),
        sa.Column(
            "coefficient",
            sa.Text(),
            nullable=False,
            comment="Of the revision, exact: a number or a fraction; '' for another cause",
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it was recorded",
        ),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="By whom, or by which run"),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="The row as the API answers it (JSON)"
        ),
        sa.PrimaryKeyConstraint("stream", "item", "version"),
        comment="Every price an item has had (prix)",
    )
    op.create_index("price_contract", "price", ["contract", "from_on"], unique=False)
    op.create_table(
        "price_revision",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="Of the contract's event"),
        sa.Column(
            "contract",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The contract's number",
        ),
        sa.Column("effective_on", sa.Date(), nullable=False, comment="The day of the revision"),
        sa.Column(
            "corrects",
            sa.Date(),
            nullable=True,
            comment="The day of the revision it corrects (indice définitif)",
        ),
        sa.Column(
            "coefficient",
            sa.Text(),
            nullable=False,
            comment="Applied, exact: a number or a fraction",
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it was recorded",
        ),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="By whom, or by which run"),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="The row as the API answers it (JSON)"
        ),
        sa.PrimaryKeyConstraint("stream", "version"),
        comment="Revisions of prices, with the indices read (révisions de prix)",
    )
    op.create_index(
        "price_revision_contract", "price_revision", ["contract", "effective_on"], unique=False
    )
    op.create_index("price_revision_day", "price_revision", ["effective_on"], unique=False)
    op.create_table(
        "projection",
        sa.Column(
            "name",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The projection",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            nullable=False,
            comment="Of the code its rows were made by, negative if it could not: see runner.py",
        ),
        sa.Column(
            "failed_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="The position of the event it stopped at; 0 while it goes on",
        ),
        sa.Column("error", sa.Text(), nullable=False, comment="Why it stopped"),
        sa.PrimaryKeyConstraint("name"),
        comment="How each projection stands; how far it has followed the log is in `tracking`",
        info={"desk": True},
    )
    op.create_table(
        "receivable",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="To whom it is owed",
        ),
        sa.Column(
            "number",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The document's number",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="invoice, deposit or debit_note",
        ),
        sa.Column(
            "client",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who owes it",
        ),
        sa.Column(
            "contract",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The contract it is billed under",
        ),
        sa.Column("issued_on", sa.Date(), nullable=False, comment="The day the document bears"),
        sa.Column(
            "due_on",
            sa.Date(),
            nullable=False,
            comment="The last day to pay it, as the document says",
        ),
        sa.Column(
            "payable_on",
            sa.Date(),
            nullable=False,
            comment="The last day to pay it, or the agreed day of its debit: it ages from then",
        ),
        sa.Column(
            "gross_cents", sa.BigInteger(), nullable=False, comment="What it claims, in cents"
        ),
        sa.Column(
            "credited_cents",
            sa.BigInteger(),
            nullable=False,
            comment="What credit notes gave back of it, in cents",
        ),
        sa.Column(
            "paid_cents",
            sa.BigInteger(),
            nullable=False,
            comment="What was paid of it, less what was taken back, in cents",
        ),
        sa.Column(
            "written_off_cents",
            sa.BigInteger(),
            nullable=False,
            comment="What was given up for lost, in cents",
        ),
        sa.Column(
            "owed_cents",
            sa.BigInteger(),
            nullable=False,
            comment="What is left; negative when too much was paid or credited, in cents",
        ),
        sa.Column(
            "retention_cents",
            sa.BigInteger(),
            nullable=False,
            comment="The guarantee the client keeps, or kept (retenue de garantie), in cents",
        ),
        sa.Column(
            "withheld_on", sa.Date(), nullable=True, comment="The day the retention was told"
        ),
        sa.Column("released_on", sa.Date(), nullable=True, comment="The day it was released"),
        sa.Column(
            "disputed_on", sa.Date(), nullable=True, comment="Since when the client contests it"
        ),
        sa.Column(
            "late_from",
            sa.Date(),
            nullable=True,
            comment="The first day that is late, while something is owed",
        ),
        sa.Column(
            "reminded",
            sa.Integer(),
            nullable=False,
            comment="The last level of reminder that was sent, 0 for none",
        ),
        sa.Column(
            "interest_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Late interest charged so far, in cents",
        ),
        sa.Column("interest_until", sa.Date(), nullable=True, comment="Up to which day, inclusive"),
        sa.Column(
            "fee_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Recovery fee charged (indemnité forfaitaire), in cents",
        ),
        sa.Column("paid_on", sa.Date(), nullable=True, comment="The last day something was paid"),
        sa.Column(
            "moved_on",
            sa.Date(),
            nullable=True,
            comment="The last day anything changed what is owed",
        ),
        sa.Column(
            "means",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="How it is to be paid",
        ),
        sa.Column(
            "mandate",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The mandate it is debited under",
        ),
        sa.Column(
            "collected_on",
            sa.Date(),
            nullable=True,
            comment="The day of its direct debit, as it was announced",
        ),
        sa.Column(
            "debit",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The direct debit handed to the bank that has no answer yet",
        ),
        sa.Column("debited_on", sa.Date(), nullable=True, comment="The day of that debit"),
        sa.Column(
            "returns", sa.Integer(), nullable=False, comment="How many of its debits came back"
        ),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="The row as the API answers it (JSON)"
        ),
        sa.PrimaryKeyConstraint("supplier", "number"),
        comment="What is owed on each document (créances)",
    )
    op.create_index("receivable_client", "receivable", ["client", "due_on"], unique=False)
    op.create_index("receivable_contract", "receivable", ["contract"], unique=False)
    op.create_index(
        "receivable_due_on", "receivable", ["due_on", "supplier", "number"], unique=False
    )
    op.create_index(
        "receivable_open",
        "receivable",
        ["due_on", "supplier", "number"],
        unique=False,
        sqlite_where=sa.text("owed_cents != 0"),
        postgresql_where=sa.text("owed_cents != 0"),
    )
    op.create_index("receivable_stream", "receivable", ["stream"], unique=False)
    op.create_table(
        "receivable_movement",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="To whom the document is owed",
        ),
        sa.Column(
            "number",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The document's number",
        ),
        sa.Column(
            "rank", sa.Integer(), nullable=False, comment="In the order it was recorded, from 1"
        ),
        sa.Column(
            "moved_on", sa.Date(), nullable=False, comment="The day it counts from: a value day"
        ),
        sa.Column(
            "amount_cents",
            sa.BigInteger(),
            nullable=False,
            comment="What less is owed by it; negative: more is, in cents",
        ),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="payment, reversal, credit or write_off",
        ),
        sa.Column(
            "source",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The payment, the direct debit or the credit note it comes from",
        ),
        sa.Column(
            "source_kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="payment, collection, credit_note or set_off: what the source is",
        ),
        sa.PrimaryKeyConstraint("supplier", "number", "rank"),
        comment="What changed the amount owed on a document (imputations, avoirs, pertes)",
    )
    op.create_index("receivable_movement_on", "receivable_movement", ["moved_on"], unique=False)
    op.create_index("receivable_movement_stream", "receivable_movement", ["stream"], unique=False)
    op.create_table(
        "recurring_move",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "rank", sa.Integer(), nullable=False, comment="Its place among the contract's moves"
        ),
        sa.Column("effective_on", sa.Date(), nullable=False, comment="From that day on"),
        sa.Column("month", sa.Date(), nullable=False, comment="The first day of that month"),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="assigned, new, added, indexed, renewed, amended, discount_ended, removed, ended",
        ),
        sa.Column(
            "contract",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The contract's number",
        ),
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who serves it from then on",
        ),
        sa.Column(
            "client",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who pays it from then on",
        ),
        sa.Column(
            "form",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The contract form it was signed on",
        ),
        sa.Column(
            "version",
            sa.Integer(),
            nullable=False,
            comment="Of the contract's event that moved it; 0 when its term is over",
        ),
        sa.Column(
            "monthly_cents",
            sa.BigInteger(),
            nullable=False,
            comment="How much more a month, in cents",
        ),
        sa.Column(
            "yearly_cents",
            sa.BigInteger(),
            nullable=False,
            comment="How much more a year, in cents",
        ),
        sa.Column(
            "monthly_after_cents",
            sa.BigInteger(),
            nullable=False,
            comment="What the contract then brings a month, in cents",
        ),
        sa.Column(
            "yearly_after_cents",
            sa.BigInteger(),
            nullable=False,
            comment="What the contract then brings a year, in cents",
        ),
        comment="What moved the yearly fees of a contract, and by how much",
    )
    op.create_index("recurring_move_contract", "recurring_move", ["contract", "rank"], unique=False)
    op.create_index("recurring_move_key", "recurring_move", ["stream", "rank"], unique=True)
    op.create_index(
        "recurring_move_on", "recurring_move", ["effective_on", "supplier"], unique=False
    )
    op.create_table(
        "recurring_total",
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who serves the contracts",
        ),
        sa.Column("month", sa.Date(), nullable=False, comment="The first day of the month"),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="What moved them",
        ),
        sa.Column("lines", sa.Integer(), nullable=False, comment="How many moves"),
        sa.Column(
            "monthly_cents",
            sa.BigInteger(),
            nullable=False,
            comment="How much more a month, in cents",
        ),
        sa.Column(
            "yearly_cents",
            sa.BigInteger(),
            nullable=False,
            comment="How much more a year, in cents",
        ),
        sa.PrimaryKeyConstraint("supplier", "month", "kind"),
        comment="What moved the recurring revenue of a company, by month",
    )
    op.create_table(
        "revenue_month",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column("month", sa.Date(), nullable=False, comment="The first day of the month"),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="What was sold: fee, catch_up, usage, work, one_off, indemnity …",
        ),
        sa.Column(
            "document",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The number of the invoice or credit note",
        ),
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who issued it",
        ),
        sa.Column(
            "client",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Whom it is for",
        ),
        sa.Column(
            "contract",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The contract it follows from",
        ),
        sa.Column(
            "billed_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Invoiced that month, before tax, in cents",
        ),
        sa.Column(
            "earned_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Earned in that month, whenever it is invoiced, in cents",
        ),
        sa.Column(
            "deferred_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Moved to what is billed before it is earned; back when negative, in cents",
        ),
        sa.Column(
            "accrued_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Moved to what is earned before it is billed; back when negative, in cents",
        ),
        comment="What each document billed and earned, by month and kind",
    )
    op.create_index("revenue_month_by", "revenue_month", ["month", "supplier"], unique=False)
    op.create_index("revenue_month_contract", "revenue_month", ["contract", "month"], unique=False)
    op.create_index("revenue_month_key", "revenue_month", ["stream", "month", "kind"], unique=True)
    op.create_table(
        "revenue_total",
        sa.Column(
            "supplier",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Who sells",
        ),
        sa.Column("month", sa.Date(), nullable=False, comment="The first day of the month"),
        sa.Column(
            "kind",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="What was sold",
        ),
        sa.Column("lines", sa.Integer(), nullable=False, comment="How many rows are added up"),
        sa.Column(
            "billed_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Invoiced that month, before tax, in cents",
        ),
        sa.Column(
            "earned_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Earned in that month, in cents",
        ),
        sa.Column(
            "deferred_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Moved to what is billed before it is earned, in cents",
        ),
        sa.Column(
            "accrued_cents",
            sa.BigInteger(),
            nullable=False,
            comment="Moved to what is earned before it is billed, in cents",
        ),
        sa.PrimaryKeyConstraint("supplier", "month", "kind"),
        comment="What a company billed and earned, by month and kind",
    )
    op.create_table(
        "run",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column(
            "name",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="Its name: the month, or the day it bills up to",
        ),
        sa.Column(
            "earliest",
            sa.Date(),
            nullable=False,
            comment="Nothing it issues is dated before that day",
        ),
        sa.Column(
            "until", sa.Date(), nullable=False, comment="It bills what is due before that day"
        ),
        sa.Column(
            "log_position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="The last event it saw",
        ),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, comment="When it began"),
        sa.Column("opened_by", sa.Text(), nullable=False, comment="Who began it"),
        sa.Column(
            "closed_at", sa.DateTime(timezone=True), nullable=True, comment="When it was whole"
        ),
        sa.Column("invoices", sa.Integer(), nullable=True, comment="Invoices it issued"),
        sa.Column("credit_notes", sa.Integer(), nullable=True, comment="Credit notes it issued"),
        sa.Column("set_aside", sa.Integer(), nullable=True, comment="Contracts set aside"),
        sa.Column("net_cents", sa.BigInteger(), nullable=True, comment="Before tax, in cents"),
        sa.Column("tax_cents", sa.BigInteger(), nullable=True, comment="VAT, in cents"),
        sa.Column("gross_cents", sa.BigInteger(), nullable=True, comment="Tax included, in cents"),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="The row as the API answers it (JSON)"
        ),
        sa.PrimaryKeyConstraint("name"),
        comment="Billing runs",
    )
    op.create_index("run_stream", "run", ["stream"], unique=False)
    op.create_table(
        "set_aside",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="Of the contract's event"),
        sa.Column(
            "contract",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The contract's number",
        ),
        sa.Column("due_on", sa.Date(), nullable=False, comment="The day something was due"),
        sa.Column(
            "clause", sa.Text(), nullable=False, comment="The clause that could not be followed"
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why"),
        sa.Column(
            "held",
            sa.Boolean(),
            nullable=False,
            comment="The billing waits too, not only the clause",
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it was set aside",
        ),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="By which run"),
        sa.Column(
            "body", sa.Text(), nullable=False, comment="The row as the API answers it (JSON)"
        ),
        sa.PrimaryKeyConstraint("version", "contract"),
        comment="What could not be done when it was due (mises de côté)",
    )
    op.create_index("set_aside_by", "set_aside", ["recorded_by"], unique=False)
    op.create_index("set_aside_stream", "set_aside", ["stream"], unique=False)
    op.create_table(
        "webhook",
        sa.Column(
            "id",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="The webhook",
        ),
        sa.Column("url", sa.Text(), nullable=False, comment="Where events are posted"),
        sa.Column(
            "secret", sa.Text(), nullable=False, comment="What they are signed with (whsec_…)"
        ),
        sa.Column(
            "topics",
            sa.Text(),
            nullable=False,
            comment="Those it is told of, and groups such as invoice.* (JSON); [] for all",
        ),
        sa.Column(
            "personal", sa.Boolean(), nullable=False, comment="Whether it is told personal data too"
        ),
        sa.Column("state", sa.Text(), nullable=False, comment="active or paused"),
        sa.Column("why", sa.Text(), nullable=False, comment="Why it is paused"),
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="The last event delivered, given up or passed over",
        ),
        sa.Column(
            "dead_in_a_row",
            sa.Integer(),
            nullable=False,
            comment="Events given up since the last one delivered",
        ),
        sa.Column(
            "claimed_by", sa.Text(), nullable=False, comment="The process that delivers to it now"
        ),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True, comment="Until when"),
        sa.Column(
            "delivered_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When an event was last delivered",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it was registered",
        ),
        sa.Column("created_by", sa.Text(), nullable=False, comment="Who registered it"),
        sa.PrimaryKeyConstraint("id"),
        comment="Where other services are told of events",
        info={"desk": True},
    )
    op.create_table(
        "yearly_fee",
        sa.Column(
            "stream", StreamId(), nullable=False, comment="The aggregate the row is made from"
        ),
        sa.Column("from_on", sa.Date(), nullable=False, comment="From that day on"),
        sa.Column("yearly_cents", sa.BigInteger(), nullable=False, comment="Yearly fee, in cents"),
        comment="Yearly fees before the one agreed last (contract.yearly_from), each until the next",
    )
    op.create_index("yearly_fee_stream", "yearly_fee", ["stream", "from_on"], unique=True)
