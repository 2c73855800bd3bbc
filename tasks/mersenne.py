"""PyTorch's CPU random numbers without PyTorch: 32-bit Mersenne Twister.

The raw words are those of NumPy's legacy generator with the same integer
seed; permutations and normals are made of them as PyTorch makes them.
"""

import numpy as np

_BLOCK = 16  # normals come in blocks: 8 radii, 8 angles


def words(seed: int, count: int) -> np.ndarray:
  """Returns the first `count` 32-bit words of the generator, uint32."""
  generator = np.random.RandomState(seed)
  return generator.randint(0, 2**32, size=count, dtype=np.uint32)


def permutation(seed: int, count: int) -> np.ndarray:
  """Returns the permutation of 0..count-1 that `torch.randperm` draws.

  Fisher-Yates from the front: element i changes places with element
  i + (word mod (count - i)). Source: docs/sources/addition.md, section 1.
  """
  order_N = np.arange(count)
  for i, word in enumerate(words(seed, max(count - 1, 0)).tolist()):
    j = i + word % (count - i)
    order_N[i], order_N[j] = order_N[j], order_N[i]
  return order_N


def normals(seed: int, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
  """Returns standard normal float32 tensors, filled from one stream in order.

  A block of 16 words gives u = (word mod 2^24) / 2^24, the first eight u1 and
  the last eight u2; sqrt(-2 ln(1 - u1)) times cos and sin of 2 pi u2 are its
  first and last eight numbers. Raises `ValueError` for a tensor whose size is
  not a multiple of 16, which PyTorch fills otherwise. Source:
  docs/sources/addition.md, section 2.
  """
  sizes = [int(np.prod(shape)) for shape in shapes]
  for shape, size in zip(shapes, sizes, strict=True):
    if size % _BLOCK:
      raise ValueError(f"{shape} has {size} numbers, not a multiple of 16.")
  uniform = (words(seed, sum(sizes)) % 2**24) / np.float32(2**24)
  u1, u2 = uniform.reshape(-1, 2, _BLOCK // 2).astype(np.float32).swapaxes(0, 1)
  radius = np.sqrt(-2 * np.log(1 - u1))
  angle = np.float32(2 * np.pi) * u2
  stream = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
  parts = np.split(stream.reshape(-1), np.cumsum(sizes)[:-1])
  return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
