"""The studio without its page: what it can do, and the HTTP server of its API."""
