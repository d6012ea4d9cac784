"""Notes, tempo and metre maps, four-beat segments; MIDI files as bytes, in and out."""
