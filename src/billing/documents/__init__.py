"""What goes out of the house: bytes made from events, always the same from the same (documents)."""
