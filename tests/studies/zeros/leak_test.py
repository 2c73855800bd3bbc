"""The leak of hand-made networks, and of real ones against cut windows."""

import dataclasses
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens.lens import legacy
from primelens.models import spacing
from primelens.studies.zeros import leak, plots_leak

T, M = tiny_study.T, 2
SCALE, GAIN = 0.3, 0.8
MASS = np.array([[0.1, 0.2], [0.9, 0.4]])  # of layers and heads


def telling(params, x_BxT, *, edits=None, sites=()):
  """A network whose slots tell position t the input t + 1, while it is there.

  The mean is 1 + gain (s_{t+1} - 1), or 1 where that input is hidden or lies
  behind the window. Its heads attend to the slots by the shares of MASS.
  """
  batch, length = x_BxT.shape
  scores = jnp.zeros((batch, 2, M + length, M + length))
  edit = (edits or {}).get("attention/scores", lambda x, _: x)
  seen_BxT = edit(scores, 0)[:, 0, 0, M:] > -1.0
  later = lambda x, empty: jnp.pad(x[:, 1:], ((0, 0), (0, 1)), constant_values=empty)
  known_BxT = later(seen_BxT, False)
  mean_BxT = 1 + params["gain"] * jnp.where(known_BxT, later(x_BxT, 1) - 1, 0)
  share = params["share"] * jnp.asarray(MASS, jnp.float32)[:, None, :, None]
  pattern = jnp.concatenate([share / M] * M + [(1 - share) / length] * length, axis=-1)[
    :, :, :, None
  ]
  shape = (2, batch, 2, M + length, M + length)
  record = {"attention/pattern": jnp.broadcast_to(pattern, shape)}
  return tiny_study.gaussian(mean_BxT, SCALE), record if sites else {}


class TellingTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.enterClassContext(tiny_study.quick_compile())
    model = tiny_study.tiny_model("prefix", slot_ids="off")
    cls.run_ = tiny_study.handmade(
      telling,
      {"gain": jnp.array([GAIN, 0.5]), "share": jnp.array([1.0, 0.5])},
      tiny_study.ar([0.5], 3000),
      model=model,
      fresh_S={"gain": jnp.zeros(2), "share": jnp.zeros(2)},
      changed={"leak.windows": 16},
    )
    cls.result = leak.run(cls.run_)
    cls.windows, cls.starts = cls.run_.batches("test", 16, min_context=1)

  def _nll(self, gain, at):
    return tiny_study.normal_nll((1 - gain) * (self.windows[:, at] - 1.0), SCALE)

  def test_windows_do_not_overlap(self):
    self.assertGreaterEqual(np.diff(self.starts).min(), T)

  def test_the_leak_is_what_the_network_was_told(self):
    result = self.result
    np.testing.assert_array_equal(result.position_R, [3, 7, 11, 15])
    for s, gain in enumerate((GAIN, 0.5)):
      for r, t in enumerate(result.position_R):
        blank = self._nll(0.0, t + 1).mean()
        full = self._nll(gain if t < T - 1 else 0.0, t + 1).mean()
        self.assertAlmostEqual(result.cut_SxR[s, r], blank, places=5)
        self.assertAlmostEqual(result.full_SxR[s, r], full, places=5)
    leak_R = (result.cut_SxR - result.full_SxR).mean(0)
    np.testing.assert_allclose(result.leak_R, leak_R, atol=1e-9)
    self.assertEqual(result.leak_R[-1], 0)  # its target is in no input
    leak_SxR = result.cut_SxR - result.full_SxR
    self.assertTrue((leak_SxR[:, :-1] > 0).all())
    # Two seeds: at least t = tan(0.475 pi) times half their distance.
    seeds_R = np.tan(0.475 * np.pi) * np.ptp(leak_SxR, axis=0) / 2
    self.assertTrue((result.leak_R - result.leak_low_R >= seeds_R).all())
    self.assertTrue((result.leak_high_R - result.leak_R >= seeds_R).all())
    self.assertEqual(result.leak_high_R[-1], 0)
    rows = {row["change"]: row for row in result.changes}
    self.assertEqual(list(rows), ["leak", "last minus all"])
    self.assertAlmostEqual(rows["leak"]["nats"], leak_R[:-1].mean())
    last = result.last_SxN.mean() - result.all_SxN.mean()
    self.assertAlmostEqual(rows["last minus all"]["nats"], last)
    self.assertGreater(last, 0)

  def test_scores_of_all_positions_and_of_the_last(self):
    truth_NxT = self.windows[:, 1:].astype(np.float64)
    rows = {(r["evaluated"], r["where"]): r for r in self.result.scores}
    own = rows[leak.OWN, leak.ALL]
    nll, r2, correlation = [], [], []
    for gain in (GAIN, 0.5):
      mean_NxT = 1 + gain * (truth_NxT - 1)
      mean_NxT[:, -1] = 1
      error_NxT = truth_NxT - mean_NxT
      nll.append(tiny_study.normal_nll(error_NxT, SCALE).mean())
      r2.append(1 - (error_NxT**2).mean() / truth_NxT.var())
      both = truth_NxT.ravel(), mean_NxT.ravel()
      correlation.append(np.corrcoef(*both)[0, 1])
    self.assertAlmostEqual(own["nats"], np.mean(nll), places=5)
    self.assertAlmostEqual(own["r2"], np.mean(r2), places=5)
    self.assertAlmostEqual(own["correlation"], np.mean(correlation), places=5)
    blank = rows[leak.OWN, leak.LAST]
    self.assertAlmostEqual(blank["nats"], self._nll(0.0, T).mean(), places=5)
    self.assertEqual(blank["correlation"], 0)  # a constant prediction
    fresh = rows[leak.UNTRAINED, leak.ALL]
    self.assertAlmostEqual(fresh["nats"], tiny_study.normal_nll(truth_NxT - 1, SCALE).mean(), 5)

  def test_attention_to_the_slots(self):
    expected_SxLxH = np.stack([MASS, 0.5 * MASS])
    np.testing.assert_allclose(self.result.mass_SxLxH, expected_SxLxH, rtol=1e-5)
    np.testing.assert_array_equal(self.result.untrained_mass_SxLxH, 0)

  def test_the_result_can_be_stored_and_drawn(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "leak", self.result, provenance={})
    back, _ = legacy.read(folder, "leak", leak.Result)
    jax.tree.map(np.testing.assert_array_equal, vars(back), vars(self.result))
    figure = plots_leak.figure(back)
    titles = [axes.get_title(loc="left") for axes in figure.get_axes()]
    self.assertTrue(any(title.startswith("The leak") for title in titles))


def bank(mask: str, **change):
  """Returns a tiny bank, rotary and on residuals."""
  plain = tiny_study.tiny_model()
  trunk = dataclasses.replace(
    plain.trunk, mask=mask, mask_slots=M, positions="rotary", rotary_start=M, init_std=0.4
  )
  options = dict(memory="bank", slots=M, mean="raw", residual=True)
  return dataclasses.replace(plain, trunk=trunk, **options | change)


def wide(memory: str):
  """Returns a tiny model of another memory whose every weight matters."""
  model = tiny_study.tiny_model(memory)
  return dataclasses.replace(model, trunk=dataclasses.replace(model.trunk, init_std=0.4))


def run_of(model):
  keys_S = jax.random.split(jax.random.key(1), 2)
  make = lambda keys_S: jax.vmap(lambda key: spacing.init(model, key))(keys_S)
  return tiny_study.handmade(
    spacing.bind(model),
    make(keys_S),
    tiny_study.ar([0.5], 3000),
    model=model,
    fresh_S=make(keys_S),
    changed={"leak.windows": 8, "leak.pattern_windows": 4},
  )


class NetworkTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.enterClassContext(tiny_study.quick_compile())

  @parameterized.named_parameters(
    ("blind", bank("memory_blind")),
    ("none", wide("none")),
    ("prefix", wide("prefix")),
    ("postfix", wide("postfix")),
  )
  def test_no_leak_is_exactly_zero(self, model):
    result = leak.run(run_of(model))
    for name in ("leak_R", "leak_low_R", "leak_high_R"):
      np.testing.assert_array_equal(getattr(result, name), 0)
    rows = {row["change"]: row["nats"] for row in result.changes}
    self.assertEqual(rows["leak"], 0)
    if model.memory == "postfix":
      np.testing.assert_array_equal(result.position_R, [T - 1])
      self.assertEqual(result.nll_VxSxT.shape, (2, 2, 1))
    if model.memory == "bank":  # blind already
      np.testing.assert_array_equal(*result.nll_VxSxT[:2])

  def test_a_leaky_bank_against_windows_that_end_there(self):
    run = run_of(bank("leaky_as_published"))
    result = leak.run(run)
    windows, _ = run.batches("test", 8, min_context=1)
    score = jax.jit(lambda params, w: spacing.score(run.apply, params, w))
    for s in range(2):
      params = jax.tree.map(lambda leaf, s=s: leaf[s], run.params_S)
      for r, t in enumerate(result.position_R):
        cut = score(params, windows[:, : t + 2])[:, -1].mean()
        self.assertAlmostEqual(result.cut_SxR[s, r], float(cut), places=4)
      full_NxT = score(params, windows)
      np.testing.assert_allclose(result.nll_VxSxT[0, s], full_NxT.mean(0), rtol=1e-4, atol=1e-5)
    self.assertGreater(np.abs(result.leak_R[:-1]).min(), 1e-4)
    self.assertEqual(result.leak_R[-1], 0)
    (row,) = result.setting
    expected = {"mode": "leaky_as_published", "residual": True}
    expected |= {"positions": "rotary", "window": T, "seeds": 2}
    self.assertEqual({key: row[key] for key in expected}, expected)

  def test_a_leaky_bank_kept_blind_is_the_blind_bank(self):
    run = run_of(bank("leaky_as_published"))
    other = dataclasses.replace(
      run,
      apply=spacing.bind(bank("memory_blind")),
      experiment=dataclasses.replace(run.experiment, model=bank("memory_blind")),
    )
    found, control = leak.run(run), leak.run(other)
    own_SxT, blind_SxT, _ = found.nll_VxSxT
    np.testing.assert_allclose(blind_SxT, control.nll_VxSxT[0], rtol=1e-6)
    self.assertGreater(np.abs(blind_SxT - own_SxT).max(), 1e-3)
    rows = {row["change"]: row["nats"] for row in found.changes}
    cost = blind_SxT.mean() - own_SxT.mean()
    said = rows[f"blind minus as trained, {leak.ALL}"]
    self.assertAlmostEqual(said, cost, places=6)

  def test_uniform_attention_has_the_uniform_mass(self):
    model = bank("memory_blind")
    run = run_of(model)
    params_S = dict(run.params_S)
    params_S["blocks"] = jax.tree_util.tree_map_with_path(
      lambda path, leaf: 0 * leaf if "query" in jax.tree_util.keystr(path) else leaf,
      params_S["blocks"],
    )
    result = leak.run(dataclasses.replace(run, params_S=params_S))
    expected = np.mean([M / (M + t + 1) for t in range(T)])
    self.assertAlmostEqual(result.uniform_mass, expected)
    np.testing.assert_allclose(result.mass_SxLxH, expected, rtol=1e-5)

  def test_published_positions(self):
    model = dataclasses.replace(tiny_study.tiny_model(), window=256)
    np.testing.assert_array_equal(leak.positions(model), [63, 127, 191, 255])

  def test_other_models_are_left_out(self):
    experiment = tiny_study.get_config()
    self.assertEqual(leak.obstacle(experiment), "")
    for kind in ("binned", "guided"):  # guides are no inputs to be hidden
      experiment.model.kind = kind
      self.assertIn(f"{kind!r} is not 'spacing'", leak.obstacle(experiment))


if __name__ == "__main__":
  absltest.main()
