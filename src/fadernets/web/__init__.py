"""What the two HTTP servers share: access control, errors and types."""
