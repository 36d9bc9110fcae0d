"""The autoencoder's score of a beat, and what is normal for this patient."""
