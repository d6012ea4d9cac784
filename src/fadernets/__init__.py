"""Music FaderNets: faders and presets for symbolic music, from MIDI file to MIDI file."""

__version__ = "0.2.0"
