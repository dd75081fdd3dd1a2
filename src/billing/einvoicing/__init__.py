"""Electronic invoicing and reporting since 2026-09-01: bytes and rules, nothing recorded here."""
