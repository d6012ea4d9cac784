"""One segment of the grid through the model: what is asked of it, candidates, and the choice among them.

`segment_requests` holds a segment's codes and what is asked of it; `segment_decoding` decodes candidates; `candidates`
are the rules by which they differ and land on a density; `candidate_choice` rates them and takes one.
"""
