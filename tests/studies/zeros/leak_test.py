"""The leak of hand-made networks, and of real ones against cut windows."""

import dataclasses
import functools
import itertools
import tempfile

import drawn
import jax
import jax.numpy as jnp
import numpy as np
import tiny_study
import xarray as xr
import zeros_cards
from absl.testing import absltest, parameterized
from primelens.analyses import statistics
from primelens.lens import results, tables
from primelens.models import spacing
from primelens.studies.zeros import leak, program

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
    model = tiny_study.tiny_model("prefix", slot_ids="off")
    cls.run_ = tiny_study.handmade(
      telling,
      {"gain": np.array([GAIN, 0.5], np.float32), "share": np.array([1.0, 0.5], np.float32)},
      tiny_study.ar([0.5], 3000),
      model=model,
      fresh_S=dict.fromkeys(("gain", "share"), np.zeros(2, np.float32)),
      changed={"leak.windows": 16},
    )
    cls.result = leak.measure(cls.run_)
    cls.windows, cls.starts = cls.run_.batches("test", 16, min_context=1)

  def _nll(self, gain, at):
    return tiny_study.normal_nll((1 - gain) * (self.windows[:, at] - 1.0), SCALE)

  def test_windows_do_not_overlap(self):
    self.assertGreaterEqual(np.diff(self.starts).min(), T)

  def test_the_leak_is_what_the_network_was_told(self):
    result = self.result
    np.testing.assert_array_equal(result.cut, [3, 7, 11, 15])
    for s, gain in enumerate((GAIN, 0.5)):
      for r, t in enumerate(result.cut.values):
        blank = self._nll(0.0, t + 1).mean()
        full = self._nll(gain if t < T - 1 else 0.0, t + 1).mean()
        self.assertAlmostEqual(float(result.ends_there[s, r]), blank, places=5)
        self.assertAlmostEqual(float(result.whole[s, r]), full, places=5)
    leak_SxR = (result.ends_there - result.whole).values
    low_R, high_R = (result.leak_interval.sel(end=end).values for end in results.ENDS)
    leak_R = leak_SxR.mean(0)
    np.testing.assert_allclose(result.leak, leak_R, atol=1e-9)
    self.assertEqual(result.leak[-1], 0)  # its target is in no input
    self.assertTrue((leak_SxR[:, :-1] > 0).all())
    # Two seeds: at least t = tan(0.475 pi) times half their distance.
    seeds_R = np.tan(0.475 * np.pi) * np.ptp(leak_SxR, axis=0) / 2
    self.assertTrue((result.leak.values - low_R >= seeds_R).all())
    self.assertTrue((high_R - result.leak.values >= seeds_R).all())
    self.assertEqual(high_R[-1], 0)
    rows = {row["change"]: row["nats"].estimate for row in tables.rows(result, "changes")}
    self.assertEqual(list(rows), ["leak", "last minus all"])
    self.assertAlmostEqual(rows["leak"], leak_R[:-1].mean())
    last = float(result.last_nll.mean() - result.all_nll.mean())
    self.assertAlmostEqual(rows["last minus all"], last)
    self.assertGreater(last, 0)

  def test_scores_of_all_positions_and_of_the_last(self):
    truth_NxT = self.windows[:, 1:].astype(np.float64)
    rows = {(r["evaluated"], r["where"]): r for r in tables.rows(self.result, "scores")}
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
    self.assertAlmostEqual(own["nats"].estimate, np.mean(nll), places=5)
    self.assertAlmostEqual(own["r2"], np.mean(r2), places=5)
    self.assertAlmostEqual(own["correlation"], np.mean(correlation), places=5)
    blank = rows[leak.OWN, leak.LAST]
    self.assertAlmostEqual(blank["nats"].estimate, self._nll(0.0, T).mean(), places=5)
    self.assertEqual(blank["correlation"], 0)  # a constant prediction
    fresh = rows[leak.UNTRAINED, leak.ALL]
    expected = tiny_study.normal_nll(truth_NxT - 1, SCALE).mean()
    self.assertAlmostEqual(fresh["nats"].estimate, expected, 5)

  def test_attention_to_the_slots(self):
    expected_SxLxH = np.stack([MASS, 0.5 * MASS])
    np.testing.assert_allclose(self.result.mass, expected_SxLxH, rtol=1e-5)
    np.testing.assert_array_equal(self.result.untrained_mass, 0)

  def test_the_result_can_be_stored_and_drawn(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    results.write(folder, "leak", self.result, provenance={})
    back, _ = results.read(folder, "leak")
    xr.testing.assert_identical(back, self.result)
    titles = [_title(axes) for axes in _axes(leak.figures({"run": back})["run"].figure())]
    self.assertTrue(any(title.startswith("The leak") for title in titles))


def _axes(figure):
  return [axes for part in figure.subfigs for axes in part.axes]


def _title(axes) -> str:
  return axes.get_title(loc="left")


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
  params_S = jax.jit(jax.vmap(lambda key: spacing.init(model, key)))(keys_S)
  return tiny_study.handmade(
    spacing.bind(model),
    params_S,
    tiny_study.ar([0.5], 3000),
    model=model,
    fresh_S=params_S,
    changed={"leak.windows": 8, "leak.pattern_windows": 4},
  )


@functools.cache
def leaky():
  """Returns a run of a leaky bank, and what is measured of it."""
  run = run_of(bank("leaky_as_published"))
  return run, leak.measure(run)


class NetworkTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("blind", bank("memory_blind")),
    ("none", wide("none")),
    ("prefix", wide("prefix")),
    ("postfix", wide("postfix")),
  )
  def test_no_leak_is_exactly_zero(self, model):
    run = run_of(model)
    result = leak.measure(run)
    for name in ("leak", "leak_interval"):
      np.testing.assert_array_equal(result[name], 0)
    rows = {row["change"]: row["nats"] for row in tables.rows(result, "changes")}
    self.assertEqual(rows["leak"].estimate, 0)
    if model.memory == "postfix":
      np.testing.assert_array_equal(result.cut, [T - 1])
      np.testing.assert_array_equal(result.position, [T - 1])
      self.assertEqual(result.nll.shape, (2, 2, 1))
    if model.memory == "bank":  # blind already
      np.testing.assert_array_equal(*result.nll[:2])
    # What it is compared by is what its card says.
    for name, word in leak.ALIKE.items():
      value = run.experiment
      for part in word.split("."):
        value = getattr(value, part)
      self.assertEqual(result.attrs[name], value)
    self.assertEqual(leak.MODES.get(result.mode, model.memory), program.memory_name(model))

  def test_a_leaky_bank_against_windows_that_end_there(self):
    run, result = leaky()
    windows, _ = run.batches("test", 8, min_context=1)
    score = jax.jit(lambda params, w: spacing.score(run.apply, params, w))
    for s in range(2):
      params = jax.tree.map(lambda leaf, s=s: np.asarray(leaf)[s], run.params_S)
      for r, t in enumerate(result.cut.values):
        cut = np.asarray(score(params, windows[:, : t + 2]))[:, -1].mean()
        self.assertAlmostEqual(float(result.ends_there[s, r]), float(cut), places=4)
      full_NxT = np.asarray(score(params, windows))
      np.testing.assert_allclose(result.nll[0, s], full_NxT.mean(0), rtol=1e-4, atol=1e-5)
    self.assertGreater(np.abs(result.leak[:-1]).min(), 1e-4)
    self.assertEqual(result.leak[-1], 0)
    expected = {"mode": "leaky_as_published", "residual": True}
    expected |= {"positions": "rotary", "window_length": T}
    self.assertEqual({key: result.attrs[key] for key in expected}, expected)

  def test_a_leaky_bank_kept_blind_is_the_blind_bank(self):
    run, found = leaky()
    other = dataclasses.replace(
      run,
      apply=spacing.bind(bank("memory_blind")),
      experiment=dataclasses.replace(run.experiment, model=bank("memory_blind")),
    )
    control = leak.measure(other)
    own_SxT, blind_SxT, _ = found.nll.values
    np.testing.assert_allclose(blind_SxT, control.nll[0], rtol=1e-6)
    self.assertGreater(np.abs(blind_SxT - own_SxT).max(), 1e-3)
    rows = {row["change"]: row["nats"].estimate for row in tables.rows(found, "changes")}
    cost = blind_SxT.mean() - own_SxT.mean()
    said = rows[f"blind minus as trained, {leak.ALL}"]
    self.assertAlmostEqual(said, cost, places=6)

  def test_uniform_attention_has_the_uniform_mass(self):
    model = bank("memory_blind")
    run = run_of(model)
    params_S = dict(run.params_S)
    params_S["blocks"] = jax.tree_util.tree_map_with_path(
      lambda path, leaf: 0 * np.asarray(leaf) if "query" in jax.tree_util.keystr(path) else leaf,
      params_S["blocks"],
    )
    result = leak.measure(dataclasses.replace(run, params_S=params_S))
    expected = np.mean([M / (M + t + 1) for t in range(T)])
    self.assertAlmostEqual(result.uniform_mass, expected)
    np.testing.assert_allclose(result.mass, expected, rtol=1e-5)

  def test_published_positions(self):
    model = dataclasses.replace(tiny_study.tiny_model(), window=256)
    np.testing.assert_array_equal(leak.positions(model), [63, 127, 191, 255])

  def test_other_models_are_left_out(self):
    experiment = tiny_study.get_config()
    self.assertEqual(leak.obstacle(experiment), "")
    for kind in ("binned", "guided"):  # guides are no inputs to be hidden
      experiment.model.kind = kind
      self.assertIn(f"{kind!r} is not 'spacing'", leak.obstacle(experiment))


# --- claims, tables and figures, on twelve results by hand ----------------------------------------

LEAKY, BLIND, NONE = leak.MODES
N = 40
FREE = {LEAKY: (-0.6, 0.2), BLIND: (0.2, 0.2), NONE: (0.4, 0.4)}
SAME = dict.fromkeys(leak.MODES, (0.4, 0.4))
REPRODUCED, ARTEFACT = "reproduced", "reproduced, but an artefact"
NOT, OPEN, NOT_RUN = "not reproduced", "needs more compute", "not run"


def row(value, width=0.01, **names):
  """A change with an interval of `width` to either side."""
  return names | {"nats": value, "nats_low": value - width, "nats_high": value + width}


def by_hand(
  mode=LEAKY,
  residual=False,
  positions="learned",
  *,
  every=-0.6,
  last=0.4,
  told=1.0,
  cost=2.0,
  mass=0.5,
  seeds=5,
  width=256,
):
  """A result: NLL over all positions and at the last, and the leak."""
  noise_SxN = 1e-3 * np.random.default_rng(0).normal(size=(seeds, N))
  changes = [row(told, change="leak"), row(last - every, change="last minus all")]
  if mode != NONE:
    for where in (leak.ALL, leak.LAST):
      changes.append(row(cost, change=f"blind minus as trained, {where}"))
  scores = [
    row(nll, evaluated=leak.OWN, where=where, r2=0.8, correlation=0.9)
    for where, nll in ((leak.ALL, every), (leak.LAST, last))
  ]
  heads = (seeds, 6, 8) if mode != NONE else (seeds, 0, 0)
  seen = [leak.OWN, leak.BLIND, leak.UNTRAINED] if mode != NONE else [leak.OWN, leak.UNTRAINED]
  nll = every - np.linspace(0, 1, len(seen) * seeds * 8).reshape(len(seen), seeds, 8)
  leak_2 = np.array([told, 0.0])
  interval = statistics.Interval(leak_2, leak_2 - [0.01, 0], leak_2 + [0.01, 0])
  variables = {
    "whole": results.variable("seed cut", np.full((seeds, 2), every), "whole", "nats"),
    "ends_there": results.variable("seed cut", np.full((seeds, 2), every + told), "cut", "nats"),
    **results.with_interval("leak", "cut", interval, "leak", "nats"),
    "nll": results.variable("evaluated seed position", nll, "NLL", "nats"),
    "all_nll": results.variable("seed window", every + noise_SxN, "NLL, all", "nats"),
    "last_nll": results.variable("seed window", last + 2 * noise_SxN, "NLL, last", "nats"),
    "mass": results.variable("seed layer head", np.full(heads, mass), "share"),
    "untrained_mass": results.variable("untrained layer head", np.full(heads, 0.1), "share"),
    **results.rows("scores", scores, leak.SCORES),
    **results.rows("changes", changes, leak.CHANGES),
  }
  coords = {
    "seed": np.arange(seeds),
    "untrained": np.arange(seeds),
    "cut": results.variable("cut", [3, 7], "position t of the window"),
    "position": results.variable("position", np.arange(8), "position t of the window"),
    "evaluated": seen,
  }
  setting = {"window_length": 256, "layers": 6, "width": width, "steps": 20_000}
  setting |= {"mode": mode, "residual": residual, "positions": positions}
  return results.dataset(variables, coords, block=4, uniform_mass=0.3, **setting)


def card_of(found, **changes):
  """Returns the card of the run of a result by hand."""
  words = {card: found.attrs[name] for name, card in leak.ALIKE.items()}
  memory = leak.MODES[found.mode]
  words |= {"memory": memory, "told": found.mode == LEAKY, "seeds": found.sizes["seed"]}
  return zeros_cards.card(**words | changes)


def twelve(*, losses=None, changes=None, told=1.0, **options):
  """The twelve runs; `losses` maps modes to NLL over all and at the last."""
  losses = losses or {LEAKY: (-0.6, 0.4), BLIND: (0.4, 0.4), NONE: (0.4, 0.4)}
  runs = {}
  for mode, residual, positions in itertools.product(
    leak.MODES, (False, True), ("learned", "rotary")
  ):
    every, last = losses[mode]
    told_here = told if mode == LEAKY else 0.0
    found = by_hand(mode, residual, positions, every=every, last=last, told=told_here, **options)
    runs[f"{mode}-{residual}-{positions}"] = (card_of(found, **(changes or {})), {"leak": found})
  return runs


def verdict(claim, runs) -> dict:
  return zeros_cards.row(leak, claim, **runs)


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    # The leak decides at any size, the lack of one at published size alone.
    ("leak.headline", {}, ARTEFACT, ARTEFACT),
    ("leak.headline", {"told": 0.0}, REPRODUCED, OPEN),
    ("leak.headline", {"losses": SAME}, NOT, OPEN),
    # Slots that help must help where they are blind.
    ("leak.memory", {}, ARTEFACT, ARTEFACT),
    ("leak.memory", {"losses": FREE}, REPRODUCED, OPEN),
    ("leak.memory", {"losses": SAME}, NOT, OPEN),
    # Layer 1 reads the slots, and blind slots cost.
    ("leak.layer1", {}, ARTEFACT, OPEN),
    ("leak.layer1", {"cost": 0.0}, REPRODUCED, OPEN),
    ("leak.layer1", {"mass": 0.05}, NOT, OPEN),
    # Neither factor changes anything here.
    ("leak.factors", {}, NOT, OPEN),
  )
  def test_status(self, claim, options, big, small):
    for size, status in ((zeros_cards.BIG, big), (60_000, small)):
      row = verdict(claim, twelve(changes={"size": size}, **options))
      self.assertEqual(row["status"], status, row["because"])

  @parameterized.parameters(
    (0.0, -0.1, REPRODUCED),  # better where nothing leaks
    (-0.1, 0.0, ARTEFACT),  # better over leaky positions alone
    (0.1, 0.1, NOT),
  )
  def test_factors(self, every, last, status):
    runs = twelve()
    for name, (_, table) in runs.items():
      if "True" in name:
        found = table["leak"]
        found["all_nll"] = found.all_nll + (every if name.startswith(LEAKY) else 0)
        found["last_nll"] = found.last_nll + last
    row = verdict("leak.factors", runs)
    self.assertEqual(row["status"], status)
    key = f"residual, {LEAKY}, all"
    self.assertAlmostEqual(row["numbers"][key], every, places=9)
    key = f"positions, {LEAKY}, all"
    self.assertAlmostEqual(row["numbers"][key], 0, places=9)

  def test_differences_are_paired_over_windows(self):
    # The noise is common to both and drops out.
    row = verdict("leak.memory", twelve())
    self.assertIn(
      "spacings, learned positions: leaky slots -1.000 [-1.000, -1.000]", row["because"]
    )
    key = f"spacings, learned positions: {LEAKY}, all"
    self.assertAlmostEqual(row["numbers"][key], -1.0, places=9)

  def test_every_claim_needs_its_runs(self):
    for runs in ({}, {"e0": (zeros_cards.card(), {})}, twelve(seeds=2)):
      for claim in leak.CLAIMS:
        self.assertEqual(verdict(claim.id, runs)["status"], NOT_RUN, claim.id)
    alone = {name: run for name, run in twelve().items() if name.startswith(LEAKY)}
    for claim in ("leak.headline", "leak.memory", "leak.factors"):
      row = verdict(claim, alone)
      self.assertEqual(row["status"], NOT_RUN)
      self.assertEqual(row["command"], "analyze.py --workdir=RUN --only=leak")

  def test_other_data_decide_nothing(self):
    runs = twelve(changes={"data": "99,999 spacings of zeros, contiguous"})
    for claim in leak.CLAIMS:
      self.assertEqual(verdict(claim.id, runs)["status"], NOT_RUN, claim.id)

  def test_a_run_of_another_width_is_not_compared(self):
    runs = twelve()
    for name, (card, _) in runs.items():
      if name.startswith(NONE):
        card["model.trunk.width"] = 48
    self.assertEqual(verdict("leak.memory", runs)["status"], NOT_RUN)

  def test_what_was_reported(self):
    self.assertEqual(
      leak.CLAIMS[0].statement,
      "With a memory bank the NLL falls from -0.069 to -0.689 (Q3) and -0.712 (Flash).",
    )


class ShownTest(parameterized.TestCase):
  def test_twelve_rows_with_losses_and_leak(self):
    found = {name: table["leak"] for name, (_, table) in twelve().items()}
    modes, cuts, scores = leak.tables(found)
    self.assertLen(modes.rows, 12)
    cells = [cell for line in modes.cells() for cell in line]
    self.assertEqual(cells.count("yes"), 4)  # told their targets
    self.assertIn("+1.000 [+0.990, +1.010]", cells)
    self.assertIn("-0.600 [-0.610, -0.590]", cells)
    self.assertEqual(cells.count("–"), 16)  # of the runs without slots
    self.assertEqual(cells.count("-1.000 [-1.000, -1.000]"), 4)  # minus no memory
    self.assertIn("40 windows", cuts.caption)
    self.assertEqual(cuts.cells()[0][1:], ["3", "-0.6000", "0.4000", "+1.0000 [+0.9900, +1.0100]"])
    self.assertLen(scores.rows, 24)
    for table in (modes, cuts, scores):
      self.assertNotIn("%", table.html().replace("95 %", ""))

  def test_a_run_of_another_width_is_not_beside_it(self):
    found = {"leaky": by_hand(), "none": by_hand(NONE, width=48)}
    modes, *_ = leak.tables(found)
    self.assertIsNone(modes.rows[0]["minus no memory, all"])

  @parameterized.parameters(LEAKY, BLIND, NONE)
  def test_a_page_of_a_run(self, mode):
    found = by_hand(mode, seeds=3)
    figure = leak.figures({"run": found})["run"].figure()
    drawn.assert_inside(self, figure)
    curves, told, *mass = _axes(figure)
    self.assertIn("nats", curves.get_ylabel())
    self.assertIn("nats", told.get_xlabel())
    self.assertEqual([label.get_text() for label in told.get_yticklabels()], ["3", "7"])
    self.assertTrue(all(map(_title, (curves, told, *mass))))
    self.assertLen(mass, int(found.mass.size > 0))

  def test_one_position_of_one_seed(self):  # as a POSTFIX network has
    found = by_hand(NONE, seeds=1, told=0.0).isel(cut=[-1], position=[-1])
    drawn.assert_inside(self, leak.figures({"run": found})["run"].figure())

  def test_runs_are_compared(self):
    found = {name: table["leak"] for name, (_, table) in twelve().items()}
    pages = leak.figures(found)
    self.assertEqual(set(pages), {"all runs", *found})
    drawn.assert_inside(self, pages["all runs"].figure())


if __name__ == "__main__":
  absltest.main()
