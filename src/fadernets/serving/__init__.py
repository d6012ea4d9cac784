"""`fadernets serve`: edits for many clients, by stateless requests that any of several processes computes."""
