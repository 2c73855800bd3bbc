"""Sites, edits, positions and causality of the transformer."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from primelens.models import attention, transformer
from tiny_models import TRANSFORMER as CONFIG
from tiny_models import B, D, T, inputs, params, random_params, run

H, F, L = 3, 20, 3
SHAPES = {
  "embed": (B, T, D),
  "residual/pre": (L, B, T, D),
  "attention/query": (L, B, T, H, D // H),
  "attention/key": (L, B, T, H, D // H),
  "attention/value": (L, B, T, H, D // H),
  "attention/scores": (L, B, H, T, T),
  "attention/pattern": (L, B, H, T, T),
  "attention/head": (L, B, T, H, D // H),
  "attention/out": (L, B, T, D),
  "residual/mid": (L, B, T, D),
  "mlp/pre": (L, B, T, F),
  "mlp/post": (L, B, T, F),
  "mlp/out": (L, B, T, D),
  "residual/post": (L, B, T, D),
  "final": (B, T, D),
}


class SitesTest(parameterized.TestCase):
  def test_every_site_has_its_shape_and_leaves_the_output_alone(self):
    plain, none = run(CONFIG, params(), inputs())
    out, seen = run(CONFIG, params(), inputs(), sites=transformer.SITES)
    self.assertEqual({k: v.shape for k, v in seen.items()}, SHAPES)
    self.assertEqual(none, {})
    np.testing.assert_allclose(out, plain, atol=1e-5)

  def test_sites_hold_what_they_are_named_for(self):
    out, s = run(CONFIG, params(), inputs(), sites=transformer.SITES)
    close = functools.partial(np.testing.assert_allclose, atol=1e-5)
    close(s["embed"], inputs())
    close(s["final"], out)
    table = params()["positions"]["embedding"][:T]
    close(s["residual/pre"][0], inputs() + table[None])
    close(s["residual/pre"][1:], s["residual/post"][:-1])
    close(s["residual/mid"], s["residual/pre"] + s["attention/out"])
    close(s["residual/post"], s["residual/mid"] + s["mlp/out"])
    close(s["attention/pattern"].sum(-1), np.ones((L, B, H, T)))
    self.assertEqual(np.abs(np.triu(s["attention/pattern"], 1)).max(), 0)
    heads = np.einsum("lbhqk,lbkhd->lbqhd", s["attention/pattern"], s["attention/value"])
    close(s["attention/head"], heads)
    kernel = params()["blocks"]["attention"]["out"]["kernel"]
    close(s["attention/out"], np.einsum("lbqhd,lhde->lbqe", heads, kernel))

  @parameterized.parameters("sites", "edits")
  def test_unknown_site_lists_the_valid_ones(self, argument):
    value = {"sites": ("mlp/midd",), "edits": {"mlp/midd": lambda x, _: x}}
    with self.assertRaisesRegex(ValueError, "mlp/midd.*mlp/pre, mlp/post"):
      transformer.apply(CONFIG, params(), inputs(), **{argument: value[argument]})

  def test_too_many_positions(self):
    with self.assertRaisesRegex(ValueError, "10 positions.*=9"):
      transformer.apply(CONFIG, params(), np.zeros((1, 10, D)))

  @parameterized.parameters(
    ({"mask": "casual"}, "'casual' is not one of causal, full"),
    ({"heads": 5}, "width=12 is not a multiple of heads=5"),
    ({"dtype": "float16"}, "float16.*float32, bfloat16"),
  )
  def test_wrong_config_names_the_choices(self, change, message):
    with self.assertRaisesRegex(ValueError, message):
      dataclasses.replace(CONFIG, **change)


class EditsTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("explicit", transformer.SITES),
    ("fused", [s for s in SHAPES if s[-6:] not in ("scores", "attern")]),
  )
  def test_each_edit_changes_the_output_and_identity_does_not(self, names):
    def edited(on_E):
      def edit(number):
        return lambda x, _: jnp.where(on_E[number], jnp.sin(3 * x), x)

      edits = {name: edit(number) for number, name in enumerate(names)}
      return transformer.apply(CONFIG, params(), inputs(), edits=edits, sites=tuple(names))

    count = len(names)
    on_NxE = np.eye(count + 1, count) > 0
    out_N, seen_N = jax.device_get(jax.jit(jax.vmap(edited))(on_NxE))
    plain, _ = run(CONFIG, params(), inputs())
    np.testing.assert_allclose(out_N[-1], plain, atol=1e-5)
    for number, name in enumerate(names):
      moved = np.abs(out_N[number] - plain).max()
      self.assertGreater(moved, 1e-2, name)
      recorded = np.abs(seen_N[name][number]).max()
      self.assertLessEqual(recorded, 1, name)  # recorded once edited

  def test_edit_sees_the_layer_and_indexes_arrays_with_it(self):
    bump_L = jnp.array([0.0, 5.0, 0.0])
    edits = {"mlp/out": lambda x, layer: 0 * x + bump_L[layer]}
    _, seen = run(CONFIG, params(), inputs(), edits=edits, sites=("mlp/out",))
    np.testing.assert_array_equal(seen["mlp/out"][:, 0, 0, 0], bump_L)

  def test_unlayered_sites_are_told_no_layer(self):
    told = {}
    note = lambda site: lambda x, layer: told.update({site: layer}) or x
    names = ("embed", "residual/pre", "final")
    edits = {name: note(name) for name in names}
    jax.eval_shape(lambda: transformer.apply(CONFIG, params(), inputs(), edits=edits))
    self.assertIsNone(told["embed"])
    self.assertIsNone(told["final"])
    self.assertIsNotNone(told["residual/pre"])

  def test_heads_removed_by_edit_equal_heads_removed_by_weights(self):
    keep_NxLxH = np.random.default_rng(2).random((4, L, H)) < 0.5
    kernel = params()["blocks"]["attention"]["out"]["kernel"]

    def by_edit(keep_LxH):
      head = lambda x, layer: x * keep_LxH[layer][None, None, :, None]
      return transformer.apply(CONFIG, params(), inputs(), edits={"attention/head": head})[0]

    def by_weights(keep_LxH):
      cut = jax.tree.map(lambda x: x, params())
      cut["blocks"]["attention"]["out"] = {"kernel": kernel * keep_LxH[:, :, None, None]}
      return transformer.apply(CONFIG, cut, inputs())[0]

    edited, cut = (np.asarray(jax.jit(jax.vmap(by))(keep_NxLxH)) for by in (by_edit, by_weights))
    np.testing.assert_allclose(edited, cut, atol=1e-5)
    self.assertGreater(np.abs(edited[0] - edited[1]).max(), 1e-2)


class PositionsTest(absltest.TestCase):
  def test_rotary_scores_depend_on_the_distance_alone(self):
    config = dataclasses.replace(CONFIG, positions="rotary", mask="full")
    same_everywhere = np.broadcast_to(inputs()[:, :1], (B, T, D))
    seen = []
    for start in (0, 3):
      config = dataclasses.replace(config, rotary_start=start)
      _, record = run(config, params(), same_everywhere, sites=("attention/scores",))
      seen.append(np.asarray(record["attention/scores"][0, 0, 0]))
    for lag in range(-T + 1, T):
      np.testing.assert_allclose(np.diagonal(seen[0], lag), seen[0].diagonal(lag)[0], rtol=1e-4)
    self.assertGreater(np.ptp(seen[0][0]), 1e-2 * np.abs(seen[0]).max())
    np.testing.assert_allclose(seen[1][3:, 3:], seen[0][:-3, :-3], rtol=1e-4)
    np.testing.assert_allclose(seen[1][:3, :3], seen[0][0, 0], rtol=1e-4)

  def test_no_positions_means_no_order_under_the_full_mask(self):
    config = dataclasses.replace(CONFIG, positions="none", mask="full")
    bare = {k: v for k, v in params().items() if k != "positions"}
    out, _ = run(config, bare, inputs())
    back, _ = run(config, bare, inputs()[:, ::-1])
    np.testing.assert_allclose(back[:, ::-1], out, atol=1e-5)


class ReadTest(parameterized.TestCase):
  """The state at one position alone is that of the whole pass there."""

  @parameterized.named_parameters(
    ("last_of_causal", {}, -1),
    ("inner_of_causal", {"norm": "pre"}, 3),
    ("own_of_causal", {"layers": 1}, np.array([4, 2])),
    ("full_and_padded", {"mask": "full", "norm": "post", "zero_padding": True}, np.array([6, 3])),
    ("memory", {"mask": "memory_blind", "mask_slots": 2}, np.array([1, 5])),
    ("rotary", {"positions": "rotary"}, -1),
  )
  def test_is_that_of_the_whole_pass(self, changes, read):
    config = dataclasses.replace(CONFIG, **changes)
    its = random_params(transformer, config, mean=0.0, std=0.3, gain=1.0)
    at_B = np.broadcast_to(read, B)
    padding = {"keep_BxT": np.arange(T) <= at_B[:, None]} if config.zero_padding else {}
    whole_BxTxD, _ = run(config, its, inputs(), **padding)
    alone_Bx1xD, _ = run(config, its, inputs(), read=read, **padding)
    np.testing.assert_allclose(alone_Bx1xD[:, 0], whole_BxTxD[np.arange(B), at_B], atol=1e-5)

  def test_so_are_gradients(self):
    def square(params, read):
      state_BxTxD = transformer.apply(CONFIG, params, inputs(), read=read)[0]
      return (state_BxTxD[:, -1] ** 2).sum()

    of = jax.jit(jax.grad(square), static_argnums=1)
    alone, whole = (jax.tree.leaves(of(params(), read)) for read in (-1, None))
    for its, expected in zip(alone, whole, strict=True):
      np.testing.assert_allclose(its, expected, atol=1e-4)

  def test_sites_and_edits_see_every_position(self):
    double = lambda x, layer: 2 * x
    seeing = {"edits": {"final": double}, "sites": ("final",)}
    whole_BxTxD, _ = run(CONFIG, params(), inputs(), **seeing)
    out_Bx1xD, seen = run(CONFIG, params(), inputs(), **seeing, read=-1)
    np.testing.assert_allclose(seen["final"], whole_BxTxD, atol=1e-5)
    np.testing.assert_allclose(out_Bx1xD[:, 0], whole_BxTxD[:, -1], atol=1e-5)

  def test_the_last_block_makes_no_others(self):
    config = dataclasses.replace(CONFIG, layers=1)
    its = random_params(transformer, config)

    def operations(read):
      of = functools.partial(transformer.apply, config, read=read)
      return jax.jit(of).lower(its, inputs()).cost_analysis()["flops"]

    # Of every position keys and values, of one the queries, the heads and the MLP.
    every, one = 4 * D**2, 4 * D**2 + 4 * D * F
    self.assertLess(operations(-1) / operations(None), 1.5 * (every + one / T) / (every + one))


class CausalityTest(parameterized.TestCase):
  def moved(self, path=(), **change):
    """Returns how far each output (column) moves with each input (row)."""
    config = dataclasses.replace(CONFIG, **change)
    step_BxD = np.random.default_rng(2).normal(size=(B, D)).astype(np.float32)
    forward = lambda x: transformer.apply(config, params(), x, sites=path)[0]
    at_UxT = np.eye(T + 1, T, dtype=np.float32)  # the last as they are
    moved_UxBxTxD = inputs()[None] + at_UxT[:, None, :, None] * step_BxD[None, :, None]
    out_UxBxTxD = np.asarray(jax.jit(jax.vmap(forward))(moved_UxBxTxD))
    # Places of one batch: equal up to rounding only.
    moved_TxT = np.abs(out_UxBxTxD[:T] - out_UxBxTxD[T:]).max(axis=(1, 3))
    return np.where(moved_TxT < 1e-5, 0, moved_TxT)

  @parameterized.product(mask=("causal", "memory_blind"), path=((), ("attention/pattern",)))
  def test_the_future_does_not_reach_the_past(self, mask, path):
    slots = 2 if mask == "memory_blind" else 0
    moved_TxT = self.moved(path, mask=mask, mask_slots=slots)
    reached_TxT = np.triu(np.ones((T, T), bool))
    if slots:
      reached_TxT[1, 0] = True  # memory reads all of memory, and no data
    np.testing.assert_array_equal(moved_TxT > 0, reached_TxT)

  @parameterized.parameters(((),), (("attention/pattern",),))
  def test_leaky_as_published_leaks(self, path):
    leaky = {"mask": "leaky_as_published", "mask_slots": 2}
    moved_TxT = self.moved(path, **leaky)
    self.assertGreater(moved_TxT.min(), 0)  # every input moves every output

  def test_one_leaky_layer_leaks_into_memory_alone(self):
    config = dataclasses.replace(CONFIG, mask="leaky_as_published", mask_slots=2)
    other = inputs().copy()
    other[:, -1] += np.arange(D)
    first = [
      run(config, params(), x, sites=("residual/post",))[1]["residual/post"][0]
      for x in (inputs(), other)
    ]
    moved_T = np.abs(first[0] - first[1]).max(axis=(0, 2))
    self.assertGreater(moved_T[:2].min(), 1e-4)
    np.testing.assert_array_equal(moved_T[2:-1], 0)

  def test_full_mask_reads_everything(self):
    self.assertGreater(self.moved(mask="full").min(), 0)

  def test_padding_reaches_nobody(self):
    config = dataclasses.replace(CONFIG, mask="full")
    keep = np.array([[1] * 5 + [0] * 2] * B)
    other = inputs().copy()
    other[:, 5:] += np.arange(D)
    out, moved = (run(config, params(), x, keep_BxT=keep)[0] for x in (inputs(), other))
    np.testing.assert_array_equal(out[:, :5], moved[:, :5])


class CountTest(absltest.TestCase):
  def test_parameters_of_one_block_by_hand(self):
    p = jax.eval_shape(lambda key: transformer.init(CONFIG, key), jax.random.key(0))
    block = 2 * D + 4 * D * D + 2 * D * F
    self.assertEqual(transformer.parameter_count(p), 9 * D + L * block + D)

  def test_mask_table_is_the_attention_modules(self):
    table = attention.table("memory_blind", 5, 2)
    self.assertEqual(table.sum(), 4 + 3 + 4 + 5)


if __name__ == "__main__":
  absltest.main()
