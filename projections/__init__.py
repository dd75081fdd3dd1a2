"""THE READ SIDE: answers, rebuilt at will from the record.

Nothing here yet. What comes: view and runner, which keep rows and their position in the log in
one transaction; then a module for each question asked of the record (contracts, prices, invoices,
receivables, direct debits, revenue, ledger, runs, history), the API and the pages.

The arrow goes one way: projections reads `billing.events`, and `billing` never imports this.
"""
