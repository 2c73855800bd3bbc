"""Prompts rewritten with other operands, all else in them as it is."""

import numpy as np
from primelens.tasks import characters
from primelens.tasks import text as text_lib


def tokens(prompts: text_lib.Text, row_N, x_N, y_N, length=0) -> np.ndarray:
  """Returns the tokens of some rows with other operands, NxT.

  What follows the operands, a shown sum too, stays. T is by default that of
  the longest row.
  """
  old = characters.decode(prompts.token_NxT[row_N])
  written = _operands(prompts.config, prompts.x_N[row_N], prompts.y_N[row_N])
  new = _operands(prompts.config, x_N, y_N)
  lines = [fresh + line[len(start) :] for fresh, line, start in zip(new, old, written, strict=True)]
  return characters.encode(lines, length)


def _operands(config: text_lib.Config, x_N, y_N) -> list[str]:
  if config.layout == "published":
    return [f"{x} + {y}" for x, y in zip(x_N, y_N, strict=True)]
  width = len(str(config.operands - 1))
  return [f"{x:0{width}d}+{y:0{width}d}" for x, y in zip(x_N, y_N, strict=True)]


def answers(prompts: text_lib.Text, row_N, x_N, y_N) -> np.ndarray:
  """Returns the answers of some rows with other operands, N."""
  sum_N, config = np.asarray(x_N) + np.asarray(y_N), prompts.config
  if config.question == "modk":
    return sum_N % config.modulus
  if config.question == "valid":
    lines = characters.decode(prompts.token_NxT[row_N])
    shown_N = np.array([int(line.partition("=")[2]) for line in lines])
    return (sum_N == shown_N).astype(int)
  return sum_N


def in_range(config: text_lib.Config, *operand_N) -> np.ndarray:
  """Returns where all operands are ones that a prompt may have, N bool."""
  return np.all([(x >= 0) & (x < config.operands) for x in operand_N], axis=0)


def digits(operand_N) -> np.ndarray:
  """Returns how many digits numbers have, N; those below 0 have none."""
  operand_N = np.asarray(operand_N)
  count_N = np.ones(operand_N.shape, int)
  for power in (10, 100, 1000):
    count_N += operand_N >= power
  return np.where(operand_N >= 0, count_N, 0)


def alike(config: text_lib.Config, old_N, new_N) -> np.ndarray:
  """Returns where a new operand is in range and has the digits of the old."""
  same_N = digits(old_N) == digits(new_N)
  if config.layout == "aligned":
    same_N = np.ones(len(same_N), bool)
  return in_range(config, np.asarray(new_N)) & same_N
