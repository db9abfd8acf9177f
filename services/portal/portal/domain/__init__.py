"""Pure: words for what happened."""
