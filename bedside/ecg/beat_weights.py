import numpy as np

HIDDEN = np.eye(22)
HIDDEN_BIAS = np.zeros(22)
CLASS_WEIGHTS = np.zeros((3, 22))
CLASS_BIAS = np.zeros(3)
CLASS_WEIGHTS[2, 0] = 1
CLASS_WEIGHTS[2, 10] = 1
CLASS_BIAS[2] = -1
CLASS_WEIGHTS[1, 13] = -1
CLASS_BIAS[1] = -0.7
CLASS_WEIGHTS[1, 0] = -0.5
