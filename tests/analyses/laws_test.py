"""One table of laws that every intervention on weights obeys."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.analyses import ablation, linear, masking, trees

KEY = jax.random.key(11)
# Drawn by numpy: its numbers depend on no compiler.
DIRECTIONS_DxK = np.random.default_rng(11).normal(size=(4, 2)).astype(np.float32)


def _nested(first, second, gain):
  return {"a": {"w": first, "gain": gain}, "b": {"w": second}}, ".*/w"


def _list(first, second, gain):
  return [[first, gain], [second]], ".*/0"


def _tuple(first, second, gain):
  return ((first, gain), (second,)), "[01]/0"


TREES = {"dict": _nested, "list": _list, "tuple": _tuple}
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


def _tree(kind, dtype):
  """Two weights with 3 heads in front and width 4 behind; a gain beside."""
  rng, shapes = np.random.default_rng(5), ((3, 4), (3, 2, 4), (4,))
  leaves = [rng.normal(size=shape).astype(DTYPES[dtype]) for shape in shapes]
  return TREES[kind](*leaves)


def _heads(params, strength, *, pattern):
  keep_LxH = jnp.broadcast_to(jnp.asarray(strength), (2, 3))
  return ablation.heads(params, keep_LxH, kernels=(pattern, 0))


def _project_out(params, strength, *, pattern):
  where = trees.select(params, pattern)
  update = lambda _, leaf: linear.project_out(leaf, DIRECTIONS_DxK, strength)
  return trees.replace(params, where, update)


def _with_where(mask, **options):
  def intervention(params, strength, *, pattern):
    where = trees.select(params, pattern)
    return mask(params, strength, where=where, **options)

  return intervention


def _published(params, keep, *, pattern):
  where = trees.select(params, pattern)
  return masking.magnitude_as_published(params, 1 - keep, where=where)


INTERVENTIONS = {
  "magnitude_global": _with_where(masking.magnitude),
  "magnitude_leaf": _with_where(masking.magnitude, scope="leaf"),
  "magnitude_as_published": _published,
  "random": _with_where(masking.random, key=KEY),
  "heads": _heads,
  "project_out": _project_out,
}
# Idempotence of a mask: at any strength; of a scaling: at 0 and 1 alone.
MASKS = ("magnitude_global", "magnitude_leaf", "random")
KINDS = [(kind, "float32") for kind in TREES] + [("dict", "bfloat16")]
CASES = [
  {"testcase_name": "_".join((name, *tree)), "name": name, "tree": tree}
  for name, tree in itertools.product(INTERVENTIONS, KINDS)
]


# Jitted and kept: one compilation serves every strength and every law.
@functools.lru_cache
def _compiled(name, pattern):
  return jax.jit(functools.partial(INTERVENTIONS[name], pattern=pattern))


def _equal(a, b):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  jax.tree.map(np.testing.assert_array_equal, a, b)


def _close(a, b, dtype):
  tolerance = {"float32": 1e-6, "bfloat16": 2e-2}[dtype]
  as_float = lambda leaf: np.asarray(leaf, np.float32)
  check = lambda x, y: np.testing.assert_allclose(as_float(x), as_float(y), atol=tolerance)
  jax.tree.map(check, a, b)


class LawsTest(parameterized.TestCase):
  def _case(self, name, tree):
    params, pattern = _tree(*tree)
    where = trees.select(params, pattern)
    return params, where, _compiled(name, pattern)

  @parameterized.named_parameters(CASES)
  def test_identity_at_one(self, name, tree):
    params, _, act = self._case(name, tree)
    _equal(act(params, 1.0), params)

  @parameterized.named_parameters(CASES)
  def test_removal_at_zero(self, name, tree):
    params, where, act = self._case(name, tree)
    removed = trees.selected(act(params, 0.0), where)
    if name == "project_out":
      removed = {k: np.asarray(v) @ DIRECTIONS_DxK for k, v in removed.items()}
      _close(removed, jax.tree.map(np.zeros_like, removed), tree[1])
      return
    left = sum(int(np.count_nonzero(leaf)) for leaf in removed.values())
    # The published threshold is the largest weight, which is not below it.
    self.assertEqual(left, 1 if name == "magnitude_as_published" else 0)

  @parameterized.named_parameters(CASES)
  def test_idempotence(self, name, tree):
    params, _, act = self._case(name, tree)
    for strength in (0.0, 0.4, 1.0) if name in MASKS else (0.0, 1.0):
      once = act(params, strength)
      _close(act(once, strength), once, tree[1])

  @parameterized.named_parameters(CASES)
  def test_vmap_equals_loop(self, name, tree):
    params, _, act = self._case(name, tree)
    stacked = lambda *trees_S: jax.tree.map(lambda *leaf_S: np.stack(leaf_S), *trees_S)
    members, strengths = (params, jax.tree.map(lambda x: -2 * x, params)), (0.0, 0.3, 0.8, 1.0)
    grid = jax.vmap(jax.vmap(act, (None, 0)), (0, None))(stacked(*members), np.float32(strengths))
    # Plain numbers, as in the other laws: one program serves them all.
    rows = [stacked(*[act(member, strength) for strength in strengths]) for member in members]
    _close(grid, stacked(*rows), tree[1])

  @parameterized.named_parameters(CASES)
  def test_structure_dtype_and_the_rest_are_kept(self, name, tree):
    params, where, act = self._case(name, tree)
    before = jax.tree.map(np.array, params)
    after = act(params, 0.5)
    self.assertEqual(jax.tree.structure(after), jax.tree.structure(params))
    for old, new, flag in zip(*map(jax.tree.leaves, (params, after, where)), strict=True):
      self.assertEqual((new.shape, new.dtype), (old.shape, old.dtype))
      # It acts where it should, and nowhere else.
      self.assertEqual(np.array_equal(old, new), not flag)
    _equal(before, params)


if __name__ == "__main__":
  absltest.main()
