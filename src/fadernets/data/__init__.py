"""From corpora to data sets on disk, and from data sets to batches on the training device."""
