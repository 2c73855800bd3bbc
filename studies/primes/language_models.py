"""The eleven language models of the source, and its three numbers of each.

Of a 256 x 256 corner of one matrix each (spec 4.3 and 5): noise of that shape
has an effective rank of 206, a max/mean of 2.3, and a KS that tells its
standard deviation alone.
"""

from typing import NamedTuple


class Published(NamedTuple):
  """A model's Hugging Face id, and its numbers in the source."""

  model: str
  effective_rank: float
  max_to_mean: float
  ks: float


MODELS = (
  Published("Qwen/Qwen2.5-0.5B", 69.25, 42.46, 0.8945),
  Published("Qwen/Qwen2.5-1.5B", 171.44, 8.83, 0.9062),
  Published("Qwen/Qwen2.5-3B", 199.02, 3.68, 0.9531),
  Published("openai-community/gpt2", 156.76, 4.35, 0.7656),
  Published("openai-community/gpt2-medium", 96.60, 12.02, 0.7578),
  Published("openai-community/gpt2-large", 188.80, 3.04, 0.8828),
  Published("TinyLlama/TinyLlama-1.1B-Chat-v1.0", 38.41, 43.25, 0.9648),
  Published("allenai/OLMo-1B-hf", 175.73, 5.56, 0.9805),
  Published("EleutherAI/pythia-410m", 189.60, 4.77, 0.9570),
  Published("EleutherAI/pythia-1b", 187.68, 11.69, 0.9844),
  Published("bigscience/bloom-560m", 192.49, 3.01, 0.9688),
)


def published(name: str) -> Published | None:
  """Returns the numbers of a model `owner/name[@revision]`, None for others."""
  model = name.partition("@")[0]
  return next((its for its in MODELS if its.model == model), None)
