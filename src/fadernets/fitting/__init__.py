"""From a run to a model folder: graphs, curves, onset odds and patterns, critic; and labelled segments for presets."""
