"""The screens of Remit, for staff and clients."""
