"""Ways to write music as arrays of numbers: the sixteenth grid, performance tokens, melody states; a row each."""
