"""How the autoencoder is made: data, network, training, evaluation and export."""
