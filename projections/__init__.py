"""THE READ SIDE: answers, rebuilt at will from the record.

`view` and `runner` keep rows and their position in the log in one transaction; a module for each
question asked of the record; `analyst`, views for SQL; `api`, the same over HTTP.

The arrow goes one way: projections reads `billing.events`, and `billing` never imports this.
"""
