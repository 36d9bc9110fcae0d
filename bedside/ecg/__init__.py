"""What the signal says: filters, R peaks, beats, quality and rhythm, streaming."""
