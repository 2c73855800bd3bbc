"""What was reported of the networks' accuracy: arithmetic spec, 1.6 and 3."""

from primelens.lens.numbers import Reported
from primelens.tasks import text

EPOCH = 141  # steps of 128 through 18,000 prompts
_NEVER = "not reported"
# Squared errors of answers / 2000 in epochs 1..10: of train, with dropout, then
# of select, without.
_HISTORY = {
  "sum": (
    0.08959,
    0.003159,
    0.00197,
    0.00145,
    0.001135,
    0.0009112,
    0.0007868,
    0.0006496,
    0.0006078,
    0.0005245,
    0.001126,
    0.000332,
    0.0003275,
    0.0002181,
    0.0004182,
    0.0003294,
    0.0004269,
    0.0002234,
    0.0002523,
    0.0002799,
  ),
  "modk": (
    0.1007,
    0.001848,
    0.001081,
    0.0007481,
    0.0005786,
    0.0004623,
    0.0004044,
    0.0003742,
    0.0003675,
    0.0003524,
    0.0003467,
    0.0002283,
    0.0001995,
    0.0002271,
    0.0001946,
    0.0002828,
    0.000295,
    0.0002428,
    0.0005249,
    0.0002058,
  ),
}


def as_published(run) -> bool:
  """Returns whether a run has the source's prompts and one of its networks of
  two layers, so that its numbers belong beside the reported ones."""
  task, trunk = run.experiment.task, run.experiment.model.trunk
  width = 256 if task.question == "valid" else 128
  sizes = (trunk.layers, trunk.width, trunk.heads, trunk.hidden)
  plain = text.Config(question=task.question)
  return task == plain and sizes == (2, width, 4, 256)


def history(question: str) -> tuple[dict, ...]:
  """Returns the published losses, a record per epoch; none for `valid`, whose
  losses were not kept."""
  loss_R = _HISTORY.get(question, ())
  epochs = len(loss_R) // 2
  return tuple(
    {"step": (i + 1) * EPOCH, "train": train, "select": select}
    for i, (train, select) in enumerate(zip(loss_R[:epochs], loss_R[epochs:], strict=True))
  )


def _losses(question, part, rows, mse, scaled, constant, constant_scaled, skill):
  """Returns a row of table 1.6: every number with half its last digit."""
  numbers = {
    "mse": ("squared error", *mse),
    "scaled_mse": ("squared error of answers / 2000", *scaled),
    "constant_mse": ("squared error of the train mean", *constant),
    "constant_scaled_mse": ("the same of answers / 2000", *constant_scaled),
    "skill": ("1 - squared error / that of the train mean", *skill),
  }
  return {
    f"{question}_{part}_{name}": Reported(
      "1.6", f"{question}, {words}, {rows} select rows", _NEVER, value, half
    )
    for name, (words, value, half) in numbers.items()
  }


def _value(item, words, value, half, source=_NEVER, remark="") -> Reported:
  return Reported(item, words, source, value, half, remark)


REPORTED = {
  **_losses(
    "sum",
    "select",
    2000,
    (872.31, 5e-3),
    (2.18077e-4, 5e-10),
    (170196.2, 0.05),
    (0.0425490, 5e-8),
    (0.99487, 5e-6),
  ),
  **_losses(
    "sum",
    "select_1000",
    1000,
    (842.95, 5e-3),
    (2.10737e-4, 5e-10),
    (166450.8, 0.05),
    (0.0416127, 5e-8),
    (0.99494, 5e-6),
  ),
  "sum_select_bias": _value("1.6", "sum, mean error", 9.3, 0.05),
  "sum_select_mae": _value("1.6", "sum, mean absolute error", 21.3, 0.05),
  "sum_select_rmse": _value("1.6", "sum, root of squared error", 29.5, 0.05),
  "sum_select_exact": _value("1.6", "sum, share exact after rounding", 0.013, 5e-4),
  "sum_best_scaled_mse": _value(
    "3", "sum, lowest select error of the epochs / 2000^2", 2.181e-4, 5e-8, "0.0002181, epoch 4"
  ),
  **_losses(
    "modk",
    "select",
    2000,
    (778.50, 5e-3),
    (1.94626e-4, 5e-10),
    (764.83, 5e-3),
    (1.91207e-4, 5e-10),
    (-0.0179, 5e-5),
  ),
  **_losses(
    "modk",
    "select_1000",
    1000,
    (760.50, 5e-3),
    (1.90125e-4, 5e-10),
    (748.57, 5e-3),
    (1.87143e-4, 5e-10),
    (-0.0159, 5e-5),
  ),
  "modk_select_answer_mean": _value("1.6", "modk, mean answer", 44.6, 0.05),
  "modk_select_answer_deviation": _value("1.6", "modk, deviation of the answers", 4.6, 0.05),
  "modk_select_correlation": _value("1.6", "modk, correlation with the residue", 0.049, 5e-4),
  "modk_train_correlation": _value(
    "1.6", "modk, the same on train rows", 0.018, 0.02, _NEVER, "ours on the first 2000 train rows"
  ),
  "modk_train_scaled_mse": _value(
    "1.6",
    "modk, squared error on train rows / 2000^2",
    2.018e-4,
    5e-6,
    _NEVER,
    "ours on the first 2000 train rows",
  ),
  "modk_train_constant_scaled_mse": _value(
    "1.6",
    "modk, that of the train mean",
    1.952e-4,
    5e-6,
    _NEVER,
    "ours on the first 2000 train rows",
  ),
  "modk_best_scaled_mse": _value(
    "3", "modk, lowest select error of the epochs / 2000^2", 1.946e-4, 5e-8, "0.0001946, epoch 5"
  ),
  "valid_select_accuracy": _value(
    "3", "valid, highest select accuracy of the epochs", None, 0.005, "0.5290, epoch 8"
  ),
  "valid_select_majority_accuracy": _value(
    "1.2", "valid, share of the more frequent answer", 0.5195, 5e-5
  ),
}
