"""Every figure of docs/results.md: one module for each thing that is measured, its entry function is `evaluate`."""
