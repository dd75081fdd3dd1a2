"""One contract: what its events leave it as, and what may be decided of it next.

`state` folds; `sign`, `cover`, `renew`, `revise`, `bill`, `end` and `change` decide. A decision
yields events or refuses by name; it reads no clock and writes nothing.
"""
