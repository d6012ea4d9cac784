"""What the HTTP servers share: access control, errors and types, and what requests for faders and pieces may be."""
