"""What gateway services share: callbacks kept and translated, facts told once, calls with an outcome, the test's loop.

A gateway service is its vendor's client, its pure translation, and these.
"""
