"""What the published study reported of its binned networks."""

NETWORKS = (
  ("SpacingGPT, 2 million zeros (README)", 83.3),
  ("SpacingGPT, 2 million zeros (paper draft)", 106.7),
  ("SpacingGPT trained on shuffled rows", 105.8),
  ("SpacingGPT trained on reversed rows", 83.2),
  ("SpacingGPT, context of 1,024", 87.4),
  ("RMT, four segments of 256", 78.3),
  ("MemoryBank, 2 million zeros", 80.11),
  ("SpacingGPT, 100 million zeros", 66.6),
  ("MemoryBank, 100 million zeros", 55.43),
)
PERPLEXITY = dict(NETWORKS)
FLOORS = (105.2, 106.5)  # README, project note
# One plateau each, of 50 trajectories of 512 tokens.
PLATEAUS = {"amnesiac": 0.5163, "elephant_as_published": 0.8415, "placebo_as_published": 0.4242}
RECURRENT = {"without memory, context of 1,024": 0.85, "RMT": 1.72}
PLACEBO_NORM, MEMORY_NORM = 45.25, 4.65  # 4 sqrt(128); the elephant's log
