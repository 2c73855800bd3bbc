"""What the published study measured of its memory slots, as reported.

Diagnostics of E4, seed 7, once and again with the same weights, and of E5,
seed 7 (zeta spec, section 5.7, and the files it quotes).
"""

NETWORKS = ("E4, seed 7", "the same weights again", "E5, seed 7")
BASE_NLL = (0.1721, 0.2026, 0.2085)  # 500 random windows each
WINDOW_SD = 1.2  # of the NLL by window, nats

# By the names of `slots_table.readings`.
READINGS = {
  "largest single removal, as published": (0.005754, 0.002132, 0.004063),
  "sum of single removals, as published": (0.01235, -0.0227, -0.0287),
  "mean cosine of slots": (0.1675, 0.1675, 0.2534),
  "mean |correlation| of gradients": (0.296, 0.352, 0.197),
  "readout: entropy / ln M, as published": (0.99996, 0.99996, 0.99985),
  "entropy of effects": (1.972, 2.031, 2.037),
  "slope of ln error on ln h, as published": (0.0760, 0.0678, 0.0950),
  "sd / mean of 4 blocks, as published": (0.644, 0.888, 0.279),
  "sd of the slots' centres": (4.26, 3.37, 3.79),
  "ids in another order / |NLL|, as published": (0.0103, 0.0262, -0.0080),
  "r90 of batches x slots / M, as published": (19 / 8, 21 / 8, 20 / 8),
  "effective rank as published": (13.3, 13.0, 16.8),
}
CENTRES_RULE = 10  # positions; the code asked for a tenth of the window, 25.6

# Mean and standard deviation of the NLL of 100 random windows of each quarter.
QUARTERS = (
  ((0.2013, 1.1795), (0.0190, 0.7853), (0.4284, 1.3687), (0.4507, 1.0945)),
  ((-0.0156, 0.8464), (0.0592, 0.8048), (0.2666, 1.0685), (0.3249, 1.2778)),
  ((0.3315, 1.3824), (0.1543, 0.9874), (0.3548, 1.2575), (0.3474, 1.2502)),
)
QUARTER_WINDOWS = 100

# Increase of the NLL of E3, trained with fixed ids, under permuted ones,
# relative to its own NLL, by seed.
E3_PERMUTED = {7: 0.934, 42: 0.131, 1337: 1.173}
NAMES = ("SIGN", "NORM", "TORUS", "SYMBOL", "FLOOR", "TOEPLITZ", "PRIME-CAP")
