"""The TransformerLens side of bench/addition.py; in the peers environment.

    python bench/addition_peer.py P EPOCHS

The same pairs, network, start and optimizer, in the loop of the Grokking Demo
notebook, on one thread or all, whichever is faster. Prints {"versions": ...,
"nll_nats": ...} when warm; for each line "N" on stdin trains N epochs and
prints {"seconds": s}. nll_nats are the train and test losses of the initial
weights, and those after EPOCHS updates.
"""

import json
import sys
import time
import warnings
from importlib import metadata

import torch

with warnings.catch_warnings():
  warnings.simplefilter("ignore")
  import transformer_lens

SIZES = {  # digits: classes, modulus of the sums, train fraction
  10: (20, 20, 0.72),
  113: (113, 113, 0.3),
}
SPLIT_SEED, INIT_SEED = 598, 999


def network(digits: int, classes: int, device: str):
  """Returns the published network with its start, biases frozen at 0."""
  config = transformer_lens.HookedTransformerConfig(
    n_layers=1,
    n_heads=4,
    d_model=128,
    d_head=32,
    d_mlp=512,
    act_fn="relu",
    normalization_type=None,
    d_vocab=digits + 1,
    d_vocab_out=classes,
    n_ctx=3,
    init_weights=True,
    device=device,
    seed=INIT_SEED,
  )
  found = transformer_lens.HookedTransformer(config)
  for name, parameter in found.named_parameters():
    if "b_" in name:
      parameter.requires_grad = False
  return found


def loss_of(logits, labels):
  """Mean cross-entropy at the last position, in float64."""
  log_probs = logits[:, -1].to(torch.float64).log_softmax(dim=-1)
  return -log_probs.gather(dim=-1, index=labels[:, None])[:, 0].mean()


class Training:
  """All pairs, split; an epoch is a step on train and the loss of test."""

  def __init__(self, digits: int):
    classes, modulus, fraction = SIZES[digits]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    a = torch.arange(digits, device=device).repeat_interleave(digits)
    b = torch.arange(digits, device=device).repeat(digits)
    tokens = torch.stack([a, b, torch.full_like(a, digits)], dim=1)
    labels = (a + b) % modulus
    torch.manual_seed(SPLIT_SEED)
    rows = torch.randperm(digits**2).to(device)
    rows = rows.split([n := int(digits**2 * fraction), len(rows) - n])
    self.train, self.test = ((tokens[row], labels[row]) for row in rows)
    self.network = network(digits, classes, device)
    self.optimizer = torch.optim.AdamW(
      self.network.parameters(), lr=1e-3, weight_decay=1.0, betas=(0.9, 0.98)
    )

  def test_loss(self) -> float:
    tokens, labels = self.test
    with torch.inference_mode():
      return loss_of(self.network(tokens), labels).item()

  def epoch(self) -> tuple[float, float]:
    """Returns the train loss before the update, the test loss after it."""
    tokens, labels = self.train
    loss = loss_of(self.network(tokens), labels)
    loss.backward()
    self.optimizer.step()
    self.optimizer.zero_grad()
    return loss.item(), self.test_loss()

  def timed(self, epochs: int) -> float:
    began = time.perf_counter()
    for _ in range(epochs):
      self.epoch()  # reads both losses, so waits for a GPU
    return time.perf_counter() - began


def choose_threads(training: Training) -> None:
  """Sets one thread or all, whichever is faster: small products gain little
  from a second thread, and lose where the machine has other work."""
  seconds = {}
  for count in (1, torch.get_num_threads()):
    torch.set_num_threads(count)
    training.timed(1)
    seconds[count] = min(training.timed(1) for _ in range(3))
  torch.set_num_threads(min(seconds, key=seconds.get))


def main():
  digits, epochs = map(int, sys.argv[1:])
  training = Training(digits)
  before = training.test_loss()
  train, after = zip(*(training.epoch() for _ in range(epochs + 1)), strict=True)
  test = (before, *after)
  choose_threads(training)
  versions = {
    "torch": torch.__version__,
    "transformer-lens": metadata.version("transformer-lens"),
    "threads": torch.get_num_threads(),
  }
  nll_nats = [[train[at], test[at]] for at in (0, epochs)]
  print(json.dumps({"versions": versions, "nll_nats": nll_nats}), flush=True)
  for line in sys.stdin:
    print(json.dumps({"seconds": training.timed(int(line))}), flush=True)


if __name__ == "__main__":
  main()
