"""The PyTorch side of bench/training.py; runs in the peers environment.

Same network, loss and optimizer, with PyTorch's fused causal attention and its
fused AdamW. Prints {"versions": ...} when warm; for each line "N" on stdin
trains N steps and prints {"seconds": s}.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
  """Pre-norm GPT block without biases, exact GELU, fused attention."""

  def __init__(self, size):
    super().__init__()
    width = size["width"]
    self.heads = size["heads"]
    self.norm_attention = nn.LayerNorm(width, bias=False)
    self.qkv = nn.Linear(width, 3 * width, bias=False)
    self.out = nn.Linear(width, width, bias=False)
    self.norm_mlp = nn.LayerNorm(width, bias=False)
    self.up = nn.Linear(width, 4 * width, bias=False)
    self.down = nn.Linear(4 * width, width, bias=False)

  def forward(self, x):
    qkv = self.qkv(self.norm_attention(x)).chunk(3, dim=-1)
    q, k, v = (z.unflatten(-1, (self.heads, -1)).transpose(1, 2) for z in qkv)
    head = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    x = x + self.out(head.transpose(1, 2).flatten(2))
    return x + self.down(F.gelu(self.up(self.norm_mlp(x))))


class Network(nn.Module):
  """Spacings to the 3K raw numbers of a Gaussian mixture."""

  def __init__(self, size):
    super().__init__()
    width = size["width"]
    self.input = nn.Linear(1, width)
    self.positions = nn.Parameter(0.02 * torch.randn(size["window"], width))
    self.blocks = nn.Sequential(*(Block(size) for _ in range(size["layers"])))
    self.final_norm = nn.LayerNorm(width, bias=False)
    self.head = nn.Linear(width, 3 * size["components"])

  def forward(self, x):
    state = self.blocks(self.input(x[..., None]) + self.positions)
    return self.head(self.final_norm(state))


def loss_of(raw, y, entropy_weight=0.005):
  """Mixture NLL minus the entropy of the weights, softplus head."""
  logit, mean, scale = raw.chunk(3, dim=-1)
  scale = F.softplus(scale) + 1e-4
  weight = F.log_softmax(logit, dim=-1)
  normal = -0.919 - scale.log() - 0.5 * ((y - F.softplus(mean)) / scale) ** 2
  entropy = -(weight.exp() * weight).sum(-1).mean()
  nll = -torch.logsumexp(weight + normal, dim=-1).mean()
  return nll - entropy_weight * entropy


def stepper(size):
  """Returns a function that trains one step on freshly drawn windows."""
  torch.manual_seed(0)
  device = "cuda" if torch.cuda.is_available() else "cpu"
  values = torch.distributions.Gamma(6.0, 6.0).sample((100_000,)).to(device)
  network = Network(size).to(device)
  optimizer = torch.optim.AdamW(network.parameters(), 3e-4, fused=True)
  offsets = torch.arange(size["window"] + 1, device=device)
  last = len(values) - size["window"]

  def step():
    starts = torch.randint(last, (size["batch"], 1), device=device)
    window = values[starts + offsets]
    loss = loss_of(network(window[:, :-1]), window[:, 1:, None])
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return loss

  return step


def main():
  step = stepper(json.loads(sys.argv[1]))
  for _ in range(5):
    step().item()
  versions = {"torch": torch.__version__, "threads": torch.get_num_threads()}
  print(json.dumps({"versions": versions}), flush=True)
  for line in sys.stdin:
    began = time.perf_counter()
    for _ in range(int(line)):
      loss = step()
    loss.item()  # waits for a GPU
    print(json.dumps({"seconds": time.perf_counter() - began}), flush=True)


if __name__ == "__main__":
  main()
