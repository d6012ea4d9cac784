"""A piece as sound and as a score: WAV files, and MusicXML."""
