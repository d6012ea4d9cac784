"""A piece as sound and as a score: WAV files from the bundled piano, and MusicXML."""
