"""Kill, stop, freeze and poison Remit's processes under load, and check that nothing is lost or done twice.

`python -m tests.faults` runs the experiments; `invariants.py` is the one checker after each of them.
"""
