"""What the portal does, called by its screens and commands."""
