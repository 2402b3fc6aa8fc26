"""Fault trials: the product's own processes, killed, frozen, cut off and lied to, and an outside with a journal.

`python -m tests.faults` (make faults) runs the short set, LONG=1 the long one.
"""
