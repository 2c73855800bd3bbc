"""What the published study reported of rollouts and calibration.

On 100 rows of 256 of a tail of 200 million zeros (rollouts of the second
family) or on the tail of 2 million (E0, E4); zeta spec, 3.2, 5.1, 5.7 to 5.11.
"""

# Err@100 from 128 spacings, drawn rows (results/linear_operator_rollout.json).
CONSTANT, LINEAR, FLASH = 0.35355, 0.31009, 0.24110
STEP = {"AR(3)": 0.334, "Flash": 0.335, "constant 0": 0.335}
GAIN_QUOTED = LINEAR / FLASH - 1  # 28.6 %: of Flash's error, not of linear's
# By horizon 10, 25, 50, 100; first 100 rows, context 128.
BY_HORIZON = {
  "baseline, no memory": (0.18, 0.20, 0.23, 0.22),
  "memory bank Q3": (0.29, 0.53, 1.23, 2.41),
  "Flash, residuals": (None, None, None, 0.26),
}
SHORT_CONTEXT = {"baseline, no memory": 1.53, "memory bank Q3": 9.65}
# Of E4, seed 7, at exactly step 1, 10, 50, 200, and the slope of ln on ln.
E4_STEPS, E4_SLOPE, SLOPE_LIMIT = (0.260, 0.333, 0.346, 0.398), 0.0760, 0.5
# One-step densities: CRPS, PIT mean, PIT standard deviation.
DENSITIES = {
  "E0": (0.0835, 0.467, 0.273),
  "baseline, second family": (0.129, 0.481, 0.279),
  "memory bank Q3": (0.0940, 0.479, 0.258),
}
E0_BIAS = 0.0172
# results/calibrator_E4.json: 128 spacings fed to a network of 256.
CONFORMAL = {
  "adjustment": 1.00100,
  "raw_coverage": 0.0844,
  "raw_width": 0.5075,
  "coverage": 0.8951,
  "width": 2.5076,
}
BEST_PERMUTED = 0.1942  # E4, seed 7: lowest evaluation, ids at random
