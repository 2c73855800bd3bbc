import dataclasses
import functools
import pathlib
import tempfile
import types

import drawn
import jax
import jax.numpy as jnp
import jittered_zeros as jittered
import numpy as np
import tiny_study
from absl.testing import absltest, parameterized
from primelens.analyses import autoregression
from primelens.lens import legacy
from primelens.models import guided
from primelens.studies.zeros import guides, report_yardstick, settings_waves, yardstick
from primelens.studies.zeros import yardstick_anchors as anchors
from primelens.studies.zeros import yardstick_stretches as stretches


def _nll(variance, mse=None):
  """The NLL of a Gaussian where the mean square error is `mse`."""
  share = 1.0 if mse is None else mse / variance
  return 0.5 * (np.log(2 * np.pi * variance) + share)


@functools.cache
def _result():
  return yardstick.run(jittered.run())


def _rows(name: str) -> list[dict]:
  found = [row for row in _result().table if row["name"] == name]
  assert found, {row["name"] for row in _result().table}
  return found


class PredictorsTest(parameterized.TestCase):
  # s = 1 + e_{n+1} - e_n: the best AR(p) leaves (p + 2) / (p + 1) e^2 of 2 e^2.
  @parameterized.parameters(
    ("AR(2) fitted on train", 2),
    ("AR(6) fitted on train", 6),
    ("AR(2) fitted on the last 800", 2),
    ("AR(10) fitted on the last 800", 10),
  )
  def test_filters_of_a_moving_average(self, name, p):
    left = (p + 2) / (p + 1) * jittered.NOISE**2
    for row in _rows(name):
      self.assertAlmostEqual(row["r2"], p / (2 * (p + 1)), delta=0.04)
      self.assertAlmostEqual(row["rmse"], left**0.5, delta=0.006)
      self.assertAlmostEqual(row["nll_nats"], _nll(left), delta=0.05)
      self.assertAlmostEqual(row["bias"], 0, delta=0.01)

  def test_the_formula_knows_where_a_zero_is(self):
    # The jitter of the last one is seen: e^2 is left, and what the waves of 2
    # and 3, which these points know nothing of, add.
    wave_Q = np.array([0.5 / 2**0.5, (1 - np.log(3) / np.log(4)) / 3**0.5])
    left = jittered.NOISE**2 + np.sum((wave_Q / np.pi) ** 2) / 2
    for row in _rows("explicit formula, primes to 4"):
      self.assertAlmostEqual(row["rmse"], left**0.5, delta=0.006)
      self.assertAlmostEqual(row["nll_nats"], _nll(left), delta=0.05)

  def test_network_and_excess(self):
    mse, variance = 1.5 * jittered.NOISE**2, 2 * jittered.NOISE**2
    network = _nll(jittered.SCALE**2, mse)
    for row in _rows("model (handmade)"):
      self.assertAlmostEqual(row["r2"], 0.25, delta=0.06)
      self.assertAlmostEqual(row["nll_nats"], network, delta=0.01)
      self.assertTrue(np.isnan(row["excess_nats"]))
    series = jittered.run().series
    stop = series.bounds("test")[1]
    r_N = series.value_N[stop - jittered.SPACINGS - 1 : stop].astype(float) - 1
    error_N = r_N[1:] + 0.5 * r_N[:-1]  # of the last row
    square = np.mean(error_N**2)
    self.assertAlmostEqual(row["r2"], 1 - square / np.var(r_N[1:]), places=5)
    self.assertAlmostEqual(row["bias"], error_N.mean(), places=6)
    self.assertAlmostEqual(row["rmse"], square**0.5, places=6)
    self.assertAlmostEqual(row["nll_nats"], _nll(jittered.SCALE**2, square), places=5)
    for row in _rows("constant"):
      self.assertAlmostEqual(row["r2"], 0, delta=0.005)
      excess = network - _nll(variance)
      self.assertAlmostEqual(row["excess_nats"], excess, delta=0.05)
      self.assertAlmostEqual(row["excess_r2"], 0.25, delta=0.06)
    for row in _rows("untrained network"):
      fresh = _nll(jittered.SCALE**2, variance)
      self.assertAlmostEqual(row["excess_nats"], network - fresh, delta=0.01)

  def test_intervals_hold_their_values(self):
    for row in _result().table:
      self.assertBetween(row["nll_nats"], row["low"], row["high"])
      for key in ("r2", "bias", "rmse"):
        self.assertBetween(row[key], row[f"{key}_low"], row[f"{key}_high"])
      if row["kind"] != "network":
        # At jittered.NOISE^2 ln and squares scatter by 1/sqrt(2 N) or so.
        width = row["excess_high"] - row["excess_low"]
        self.assertBetween(width, 1e-4, 0.4)
    self.assertEqual(_result().nll_SxP.shape, (2, 4))
    self.assertEqual((_result().scored, _result().block), (jittered.SPACINGS, 20))

  def test_what_was_seen_is_marked(self):
    by_split = {}
    for row in _result().table:
      by_split.setdefault(row["split"], {})[row["kind"]] = row["seen"]
    self.assertEqual(set(by_split), {"train", "test"})
    self.assertFalse(any(by_split["test"].values()))
    seen = {kind for kind, is_seen in by_split["train"].items() if is_seen}
    self.assertEqual(seen, {"network", "untrained", "constant", "filter"})
    for row in _result().table:  # the network is on one side of every excess
      self.assertEqual(row["excess_seen"], row["split"] == "train")

  def test_no_predictor_sees_what_it_predicts(self):
    run = jittered.run()
    settings, fits = run.settings.yardstick, anchors.fit(run)
    stretch = stretches.of(run)[-1]
    ordinate_N, value_N = stretch.ordinate_N.copy(), stretch.value_N.copy()
    ordinate_N[-100:] += 0.01  # and the spacings between them, and the last
    value_N[-100:] *= 1.1
    value_N[-101] += 0.05
    other = dataclasses.replace(stretch, ordinate_N=ordinate_N, value_N=value_N)
    before, after = (
      anchors.everyone_else(one, fits, settings) + anchors.networks(run, one)
      for one in (stretch, other)
    )
    for one, two in zip(before, after, strict=True):
      with self.subTest(one.name):
        same = slice(None, -101)
        for a, b in ((one.mean_SxN, two.mean_SxN), (one.nll_SxN, two.nll_SxN)):
          np.testing.assert_allclose(a[:, same], b[:, same], rtol=1e-6)
        self.assertNotAlmostEqual(one.nll_SxN[0, -1], two.nll_SxN[0, -1])


class GuidedTest(absltest.TestCase):
  def test_closed_gates_leave_the_last_guide_at_every_height(self):
    names = ("height", "waves:4", "ar:2")
    model = guided.Config(window=tiny_study.T, guides=names, trunk=tiny_study.tiny_model().trunk)
    shapes = jax.eval_shape(
      lambda: guided.init(model, jax.random.key(0))
    )  # to draw them takes long to compile
    params = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1), shapes)
    params |= {k: jax.tree.map(jnp.zeros_like, params[k]) for k in ("head", "guides")}
    run = jittered.run()
    experiment = dataclasses.replace(run.experiment, model=model)
    params_S = jax.tree.map(lambda leaf: leaf[None], params)
    run = dataclasses.replace(
      run, experiment=experiment, apply=guided.bind(model), params_S=params_S, fresh_S=params_S
    )
    fits = anchors.fit(run)
    train_N = run.series.value_N[slice(*run.series.bounds("train"))].astype(np.float64) - 1
    phi_Q, _ = autoregression.fitted(train_N, 2).order(2)
    for stretch in stretches.of(run)[::3]:  # the lowest and the highest
      with tiny_study.quick_compile():
        network, _ = anchors.networks(run, stretch)
      others = anchors.everyone_else(stretch, fits, run.settings.yardstick)
      of = {guess.name: guess.mean_SxN for guess in others}
      column_NxJ1 = guides.columns_on(run, stretch)
      behind_NxJ1 = column_NxJ1[stretch.index_N - 1]
      # The guide is fitted by Yule-Walker, whatever the anchors are.
      residual_N = stretch.value_N.astype(np.float64) - 1
      guess_N = 1 + autoregression.predict(residual_N, phi_Q, stretch.index_N)
      for guide_N, mean_N in (
        (behind_NxJ1[:, 2], of["explicit formula, primes to 4"][0]),
        (behind_NxJ1[:, 3], guess_N),
      ):
        np.testing.assert_allclose(1 + guide_N, mean_N, atol=2e-6)
      np.testing.assert_allclose(network.mean_SxN, guess_N[None], atol=1e-4)
      self.assertTrue(np.isfinite(network.nll_SxN).all())


class ShownTest(parameterized.TestCase):
  def test_stored_drawn_and_shown(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    legacy.write(folder, "yardstick", _result(), provenance={})
    back, _ = legacy.read(folder, "yardstick", yardstick.Result)
    figure = legacy.drawing("zeros", "yardstick")(back)
    drawn.assert_inside(self, figure)
    panels = [axes for axes in figure.axes if axes.get_title(loc="left")]
    self.assertLen(panels, 3)
    for axes in panels:
      self.assertIn("height", axes.get_xlabel())
    stored = types.SimpleNamespace(result=back, stale=False, figure_path=pathlib.Path("none.png"))
    page = report_yardstick.yardstick({"e0": {"yardstick": stored}})
    self.assertEqual(page.count("<table"), 6)
    self.assertEqual(page.count("<table"), page.count("</table"))
    self.assertIn("explicit formula, primes to 4", page)
    for row in (_rows("constant")[-1], _rows("AR(6) fitted on train")[0]):
      shown = f"{row['nll_nats']:+.3f} <small>[{row['low']:+.3f}"
      at = page.index(shown)
      self.assertEqual(" ○</td>" in page[at : at + 60], row["seen"])

  def test_one_stretch_is_drawn_too(self):
    row = _result().table[-1]["stretch"]
    keep = lambda rows: tuple(r for r in rows if r["stretch"] == row)
    least = dataclasses.replace(
      _result(),
      table=keep(_result().table),
      stretches=keep(_result().stretches),
      nll_SxP=_result().nll_SxP[:1, -1:],
      height_P=_result().height_P[-1:],
    )
    drawn.assert_inside(self, legacy.drawing("zeros", "yardstick")(least))

  @parameterized.parameters(
    ({"spacings": 3}, "spacings=3 must be at least 20"),
    ({"orders": ()}, "orders=.* has 0 items"),
    ({"past": 512}, "past=512 must be at least 513"),
    ({"explicit": (3,)}, "has 3, which must be at least 4"),
    ({"computed": (20_000,)}, "20,000 before them"),
  )
  def test_settings(self, changed, message):
    with self.assertRaisesRegex(ValueError, message):
      settings_waves.Yardstick(**changed)

  def test_obstacles(self):
    of = lambda kind, model: yardstick.obstacle(
      types.SimpleNamespace(
        task=types.SimpleNamespace(kind=kind, ensemble="cue"),
        model=types.SimpleNamespace(kind=model),
      )
    )
    self.assertEqual(of("zeros", "spacing"), "")
    self.assertIn("cue", of("surrogate", "spacing"))
    self.assertIn("256 bins", of("zeros", "binned"))
    self.assertEqual(of("zeros", "guided"), "")


if __name__ == "__main__":
  absltest.main()
