"""What billing can tell. Reads only; one file per subject."""
