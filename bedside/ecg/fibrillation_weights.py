import numpy as np

HIDDEN = np.zeros((8, 12)); HIDDEN_BIAS = np.zeros(8); OUTPUT = np.zeros(8); OUTPUT_BIAS = -1.0
