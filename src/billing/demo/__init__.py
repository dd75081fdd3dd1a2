"""The demo: contracts, their lives, a bank, as files; `story` plays them, `bank` answers."""
