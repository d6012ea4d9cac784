"""Pictures: piano rolls of edits and blends, and the figures of both papers."""
