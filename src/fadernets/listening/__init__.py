"""The listening test: studies made, served, stored and reported (Section 5.2, ISMIR 2020)."""
