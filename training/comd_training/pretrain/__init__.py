"""Stage 1 (section 3.2): which captions the projector learns from, and the learning itself."""
