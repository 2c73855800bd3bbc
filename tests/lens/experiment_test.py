import dataclasses
import json

import one
import tiny_study
from absl.testing import absltest, parameterized
from primelens.lens import cli, experiment
from primelens.models import optimizer

CONFIGS = tuple(cli.shipped_configs())


class RoundTripTest(parameterized.TestCase):
  @parameterized.parameters(*CONFIGS)
  def test_shipped_configs(self, name):
    config = one.config(name)
    stored = json.loads(json.dumps(experiment.to_dict(config)))
    self.assertEqual(experiment.from_dict(stored), config)

  def test_tuples_of_tuples_come_back(self):
    config = tiny_study.get_config("postfix")
    config.model.orthogonality_ramp = ((500, 1e-3), (5000, 1e-2))
    config.analyses.masking.ratios = (0.0, 0.25)
    stored = json.loads(json.dumps(experiment.to_dict(config)))
    back = experiment.from_dict(stored)
    self.assertEqual(back.model.orthogonality_ramp, ((500, 1e-3), (5000, 1e-2)))
    self.assertEqual(back, config)

  def test_kinds_are_written(self):
    data = experiment.to_dict(tiny_study.get_config())
    self.assertEqual(data["task"]["kind"], "surrogate")
    self.assertEqual(data["model"]["kind"], "spacing")
    self.assertEqual(data["study"], "zeros")

  def test_absent_fields_take_their_defaults(self):
    # A run of an earlier version, before a field was added.
    data = experiment.to_dict(tiny_study.get_config())
    del data["fit"]["optimizer"]["beta2"]
    back = experiment.from_dict(data)
    self.assertEqual(back.fit.optimizer.beta2, optimizer.Config().beta2)


class FromDictTest(parameterized.TestCase):
  @parameterized.parameters(
    (("study",), "poems", "study='poems' is not one of zeros"),
    (("task", "kind"), "gaps", "task.kind='gaps' is not one of addition, binned, "),
    (("model", "kind"), "rnn", "model.kind='rnn' is not one of binned, enc"),
    (("model",), {}, "model.kind=None is not one of binned, enc"),
    (("task",), 3, "task.kind=None is not one of addition, binned, "),
    (("fit", "epochs"), 3, "Unknown field fit.epochs; valid: steps, batch_s"),
    (
      ("fit", "optimizer", "momentum"),
      0.9,
      "Unknown field fit.optimizer.momentum; valid: rate, schedule, ",
    ),
    (("fit", "optimizer"), 3, "fit.optimizer must be a mapping, got 3"),
    (("model", "trunk", "depth"), 2, "Unknown field model.trunk.depth; valid"),
    (("analyses", "fft"), {}, "Unknown field analyses.fft; valid: parameters"),
    (("model", "memory"), "both", "memory='both' is not one of none, prefix"),
    (("analyses", "parameters"), "mean", "parameters='mean' is not one of b"),
    (("model", "trunk", "dtype"), "int8", "dtype='int8' is not one of float32, bfloat16"),
    (("fit", "seeds"), 0, "fit.seeds=0 must be at least 1"),
    (("fit", "seeds"), "two", "fit.seeds='two' is not of type int"),
    (("fit", "optimizer", "rate"), [1], r"fit.optimizer.rate=\(1,\) is not of type float"),
    (("model", "window"), 12.5, "model.window=12.5 is not of type int"),
    (("fit", "seeds"), True, "fit.seeds=True is not of type int"),
    (("model", "trunk", "bias"), 1, "model.trunk.bias=1 is not of type bool"),
    (("analyses", "masking", "ratios"), 0.5, "masking.ratios=0.5 is not of type tuple"),
    (("model", "slot_ids"), None, "model.slot_ids=None is not one of fixed, off"),
  )
  def test_what_is_wrong_is_named(self, path, value, message):
    data = json.loads(json.dumps(experiment.to_dict(tiny_study.get_config())))
    place = data
    for name in path[:-1]:
      place = place[name]
    place[path[-1]] = value
    with self.assertRaisesRegex(ValueError, message):
      experiment.from_dict(data)

  @parameterized.parameters([[]], "zeros", 3, None)
  def test_what_is_no_mapping_is_refused(self, data):
    with self.assertRaisesRegex(ValueError, "study=None is not one of zeros"):
      experiment.from_dict(data)

  def test_whole_numbers_are_numbers(self):
    data = experiment.to_dict(tiny_study.get_config())
    data["fit"]["optimizer"]["rate"] = 1
    self.assertEqual(experiment.from_dict(data).fit.optimizer.rate, 1)


class CheckTest(absltest.TestCase):
  def test_fields_set_afterwards_are_validated(self):
    config = tiny_study.get_config()
    config.model.trunk.positions = "wavy"
    with self.assertRaisesRegex(ValueError, "positions='wavy' is not one of l"):
      experiment.check(config)
    config = tiny_study.get_config()
    config.model.auxiliary = "mean"
    with self.assertRaisesRegex(ValueError, "needs memory='postfix'"):
      experiment.check(config)

  def test_windows_must_agree(self):
    config = tiny_study.get_config()
    config.task.window = 12
    with self.assertRaisesRegex(ValueError, "task.window=12 and model.window=16 must agree"):
      experiment.check(config)

  def test_what_is_right_comes_back_as_it_was(self):
    config = tiny_study.get_config("postfix")
    checked = experiment.check(config)
    self.assertEqual(checked, config)
    self.assertIsNot(checked.model, config.model)

  def test_analysis_settings(self):
    settings = tiny_study.tiny_settings()
    settings.symbolic.backend = "gplearn"
    with self.assertRaisesRegex(ValueError, "backend='gplearn' is not one of "):
      experiment.validated(settings)


class DifferenceTest(parameterized.TestCase):
  @parameterized.parameters(
    ("fit.seeds", 4, "fit.seeds: 2 there, 4 here"),
    ("task.count", 5000, "task.count: 4000 there, 5000 here"),
    ("model.trunk.width", 16, "model.trunk.width: 8 there, 16 here"),
    ("model.memory", "prefix", "model.memory: 'none' there, 'prefix' here"),
    ("fit.optimizer.rate", 0.1, "fit.optimizer.rate: 0.01 there, 0.1 here"),
  )
  def test_names_the_field(self, name, value, expected):
    old, new = tiny_study.get_config(), tiny_study.get_config()
    holder = new
    *parents, last = name.split(".")
    for parent in parents:
      holder = getattr(holder, parent)
    setattr(holder, last, value)
    self.assertEqual(experiment.difference(old, new), expected)

  def test_names_the_first_of_several(self):
    old, new = tiny_study.get_config(), tiny_study.get_config()
    new.fit.steps, new.task.seed = 30, 5
    self.assertEqual(experiment.difference(old, new), "task.seed: 0 there, 5 here")

  def test_another_kind_of_task(self):
    old = tiny_study.get_config()
    new = dataclasses.replace(old, task=one.config("zeros_published:e0").task)
    self.assertEqual(experiment.difference(old, new), "task.kind: 'surrogate' there, 'zeros' here")

  def test_analysis_settings_do_not_count(self):
    old, new = tiny_study.get_config(), tiny_study.get_config()
    new.analyses.parameters = "last"
    new.analyses.masking.windows = 3
    new.analyses.masking.ratios = (0.0,)
    self.assertEqual(experiment.difference(old, new), "")

  def test_nothing_differs_after_json(self):
    config = tiny_study.get_config("postfix")
    stored = json.loads(json.dumps(experiment.to_dict(config)))
    back = experiment.from_dict(stored)
    self.assertEqual(experiment.difference(back, config), "")


if __name__ == "__main__":
  absltest.main()
