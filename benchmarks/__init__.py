"""Figures of what Remit does, each with its baseline from the same run."""
