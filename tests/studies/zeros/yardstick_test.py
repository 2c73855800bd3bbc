import dataclasses
import functools
import tempfile
import types

import drawn
import jax
import jittered_zeros as jittered
import numpy as np
import tiny_study
import xarray as xr
from absl.testing import absltest, parameterized
from primelens.analyses import autoregression
from primelens.lens import results
from primelens.models import guided
from primelens.studies.zeros import guides, stretches, yardstick


def _nll(variance, mse=None):
  """The NLL of a Gaussian where the mean square error is `mse`."""
  share = 1.0 if mse is None else mse / variance
  return 0.5 * (np.log(2 * np.pi * variance) + share)


@functools.cache
def _result():
  return yardstick.measure(jittered.run())


def _rows(name: str) -> list[xr.Dataset]:
  """Returns a predictor at every height."""
  one = _result().sel(predictor=name)
  return [one.isel(height=p) for p in range(one.sizes["height"])]


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
      self.assertAlmostEqual(float(row.r2), p / (2 * (p + 1)), delta=0.04)
      self.assertAlmostEqual(float(row.rmse), left**0.5, delta=0.006)
      self.assertAlmostEqual(float(row.nll), _nll(left), delta=0.05)
      self.assertAlmostEqual(float(row.bias), 0, delta=0.01)

  def test_the_formula_knows_where_a_zero_is(self):
    # The jitter of the last one is seen: e^2 is left, and what the waves of 2
    # and 3, which these points know nothing of, add.
    wave_Q = np.array([0.5 / 2**0.5, (1 - np.log(3) / np.log(4)) / 3**0.5])
    left = jittered.NOISE**2 + np.sum((wave_Q / np.pi) ** 2) / 2
    for row in _rows("explicit formula, primes to 4"):
      self.assertAlmostEqual(float(row.rmse), left**0.5, delta=0.006)
      self.assertAlmostEqual(float(row.nll), _nll(left), delta=0.05)

  def test_network_and_excess(self):
    mse, variance = 1.5 * jittered.NOISE**2, 2 * jittered.NOISE**2
    network = _nll(jittered.SCALE**2, mse)
    for row in _rows("model (handmade)"):
      self.assertAlmostEqual(float(row.r2), 0.25, delta=0.06)
      self.assertAlmostEqual(float(row.nll), network, delta=0.01)
      self.assertTrue(np.isnan(float(row.excess)))
    series = jittered.run().series
    stop = series.bounds("test")[1]
    r_N = series.value_N[stop - jittered.SPACINGS - 1 : stop].astype(float) - 1
    error_N = r_N[1:] + 0.5 * r_N[:-1]  # of the last row
    square = np.mean(error_N**2)
    self.assertAlmostEqual(float(row.r2), 1 - square / np.var(r_N[1:]), places=5)
    self.assertAlmostEqual(float(row.bias), error_N.mean(), places=6)
    self.assertAlmostEqual(float(row.rmse), square**0.5, places=6)
    self.assertAlmostEqual(float(row.nll), _nll(jittered.SCALE**2, square), places=5)
    for row in _rows("constant"):
      self.assertAlmostEqual(float(row.r2), 0, delta=0.005)
      excess = network - _nll(variance)
      self.assertAlmostEqual(float(row.excess), excess, delta=0.05)
      self.assertAlmostEqual(float(row.excess_r2), 0.25, delta=0.06)
    for row in _rows("untrained network"):
      fresh = _nll(jittered.SCALE**2, variance)
      self.assertAlmostEqual(float(row.excess), network - fresh, delta=0.01)

  def test_intervals_hold_their_values(self):
    found = _result()
    for name in ("nll", "r2", "bias", "rmse"):
      low, high = (found[f"{name}_interval"].sel(end=end) for end in results.ENDS)
      self.assertTrue(((low <= found[name]) & (found[name] <= high)).all(), name)
    # At jittered.NOISE^2 ln and squares scatter by 1/sqrt(2 N) or so.
    others = found.isel(predictor=found.kind.values != "network").excess_interval
    width = others.sel(end="high") - others.sel(end="low")
    self.assertGreater(float(width.min()), 1e-4)
    self.assertLess(float(width.max()), 0.4)
    self.assertEqual(found.network_nll.dims, ("seed", "height"))
    self.assertEqual(found.network_nll.shape, (2, 4))
    np.testing.assert_allclose(
      found.network_nll.mean("seed"), found.nll.sel(predictor="model (handmade)")
    )
    self.assertEqual((found.scored, found.block), (jittered.SPACINGS, 20))

  def test_what_was_seen_is_marked(self):
    found = _result()
    self.assertEqual(set(found.split.values.tolist()), {"train", "test"})
    for p, split in enumerate(found.split.values.tolist()):
      one = found.isel(height=p)
      seen = set(one.kind.values[one.seen.values].tolist())
      known = {"network", "untrained", "constant", "filter"}
      self.assertEqual(seen, known if split == "train" else set())
      # The network is on one side of every excess.
      self.assertEqual(set(one.excess_seen.values.tolist()), {split == "train"})

  def test_no_predictor_sees_what_it_predicts(self):
    run = jittered.run()
    settings, fits = run.settings.yardstick, stretches.fit(run)
    stretch = stretches.by_height(run)[-1]
    ordinate_N, value_N = stretch.ordinate_N.copy(), stretch.value_N.copy()
    ordinate_N[-100:] += 0.01  # and the spacings between them, and the last
    value_N[-100:] *= 1.1
    value_N[-101] += 0.05
    other = dataclasses.replace(stretch, ordinate_N=ordinate_N, value_N=value_N)
    before, after = (
      stretches.everyone_else(one, fits, settings) + stretches.networks(run, one)
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
    params = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.1, np.float32), shapes)
    params |= {k: jax.tree.map(np.zeros_like, params[k]) for k in ("head", "guides")}
    run = jittered.run()
    experiment = dataclasses.replace(run.experiment, model=model)
    params_S = jax.tree.map(lambda leaf: leaf[None], params)
    run = dataclasses.replace(
      run, experiment=experiment, apply=guided.bind(model), params_S=params_S, fresh_S=params_S
    )
    fits = stretches.fit(run)
    train_N = run.series.value_N[slice(*run.series.bounds("train"))].astype(np.float64) - 1
    phi_Q, _ = autoregression.fitted(train_N, 2).order(2)
    for stretch in stretches.by_height(run)[::3]:  # the lowest and the highest
      network, _ = stretches.networks(run, stretch)
      others = stretches.everyone_else(stretch, fits, run.settings.yardstick)
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
  def test_the_result_can_be_stored(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "yardstick", _result(), provenance={})
    back, _ = results.read(folder, "yardstick")
    xr.testing.assert_identical(back, _result())

  def panels(self, figure):
    drawn.assert_inside(self, figure)
    every = [axes for part in figure.subfigs for axes in part.axes]
    return [axes for axes in every if axes.get_title(loc="left")]

  def test_figures(self):
    found = _result()
    pages = yardstick.figures({"e0": found})
    self.assertEqual(set(pages), {"e0"})
    panels = self.panels(pages["e0"].figure())
    self.assertLen(panels, 12)  # three measures beside each of four families
    shown = {name for axes in panels[::3] for name in axes.get_legend_handles_labels()[1]}
    self.assertEqual(shown, set(found.predictor.values.tolist()))
    for axes in panels[::3]:
      colours = [line.get_color() for line in axes.get_legend_handles_labels()[0]]
      self.assertLen(set(colours), len(colours))
    strokes = [line.get_ydata() for line in panels[1].lines if line.get_markersize() == 9]
    np.testing.assert_allclose(np.stack(strokes), found.network_nll)
    for axes in panels:
      self.assertIn("height", axes.get_xlabel())
      self.assertEqual(axes.get_xscale(), "log")
    pages = yardstick.figures({"e0": found, "again": found})
    self.assertEqual(set(pages), {"e0", "again", "all runs"})
    panels = self.panels(pages["all runs"].figure())
    self.assertLen(panels, 2)
    names = panels[0].get_legend_handles_labels()[1]
    self.assertIn("again", names)

  def test_one_stretch_is_drawn_too(self):
    least = _result().isel(height=[-1], seed=[0])
    self.panels(yardstick.figures({"e0": least})["e0"].figure())

  def test_a_network_beyond_the_panel_is_an_arrow_with_its_number(self):
    found = _result().copy(deep=True)
    found.nll.loc[{"predictor": "model (handmade)"}] = 7.25
    panels = self.panels(yardstick.figures({"e0": found})["e0"].figure())
    said = {text.get_text() for text in panels[1].texts}
    self.assertEqual(said, {"7.2"})
    self.assertLess(panels[1].get_ylim()[1], 2)

  def test_tables_mark_what_was_seen(self):
    nll, r2, excess, every = yardstick.tables({"e0": _result()})
    self.assertEqual(
      [table.name for table in (nll, r2, excess, every)], ["nll", "r2", "excess", "all"]
    )
    for table in (nll, r2, excess):
      self.assertLen(table.columns(), 1 + 4)
      self.assertLen(table.rows, _result().sizes["predictor"])
      self.assertIn("900 spacings per height", table.caption)
    self.assertIn("explicit formula, primes to 4", {row["predictor"] for row in nll.rows})
    self.assertLen(every.rows, 4 * _result().sizes["predictor"])
    heads = nll.columns()[1:]
    self.assertIn("(train, zero ", heads[0])
    for name, p in (("constant", 3), ("AR(6) fitted on train", 0)):
      row = _rows(name)[p]
      (cells,) = (cells for cells in nll.rows if cells["predictor"] == name)
      low = float(row.nll_interval.sel(end="low"))
      self.assertStartsWith(cells[heads[p]], f"{float(row.nll):+.3f} [{low:+.3f}")
      self.assertEqual(cells[heads[p]].endswith(" ○"), bool(row.seen))
    (own,) = (cells for cells in excess.rows if cells["predictor"] == "model (handmade)")
    self.assertStartsWith(own[heads[0]], "–")

  def test_a_part_of_train_that_is_not_drawn_from_is_named(self):
    found = _result().assign(drawn=_result().drawn & False)
    nll, *_ = yardstick.tables({"e0": found})
    self.assertIn("(train, not drawn from, zero ", nll.columns()[1])

  @parameterized.parameters(
    ({"spacings": 3}, "spacings=3 must be at least 20"),
    ({"orders": ()}, "orders=.* has 0 items"),
    ({"past": 512}, "past=512 must be at least 513"),
    ({"explicit": (3,)}, "has 3, which must be at least 4"),
    ({"computed": (20_000,)}, "20,000 before them"),
  )
  def test_settings(self, changed, message):
    with self.assertRaisesRegex(ValueError, message):
      yardstick.Settings(**changed)

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
