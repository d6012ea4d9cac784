"""Every figure of docs/results: one module for each thing that is measured, its entry function is `evaluate`."""
