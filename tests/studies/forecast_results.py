"""Results of rollouts and calibration written by hand, of our choice."""

import numpy as np
from primelens.studies.zeros import calibration, claims_forecasts, forecasts, rollout
from zeros_results import anchors

DRAWN, FIRST = claims_forecasts.DRAWN, claims_forecasts.FIRST
ADAPTIVE = claims_forecasts.ADAPTIVE


def bounded(key: str, value: float, width: float = 0.02) -> dict:
  return {key: value, f"{key}_low": value - width, f"{key}_high": value + width}


def _errors(model: float, adaptive: float) -> dict[str, float]:
  return {
    "model (e0)": model,
    "model, single draws": model + 0.1,
    "untrained network": 0.31,
    "constant 1": 0.358,
    "AR(3), published coefficients": 0.313,
    ADAPTIVE: adaptive,
  }


def rolled(adaptive=0.137, model=0.2, slope=-0.01, level=0.33, seeds=2):
  """Rollouts; `level` is what the constant errs by at every step."""
  errors = _errors(model, adaptive)
  horizon_R = np.array([1, 10, 100])
  error_ExR = np.repeat(np.array(list(errors.values()))[:, None], 3, axis=1)
  steps = np.full((len(errors), 120), level)
  return rollout.Result(
    table=tuple(
      {"name": name, "slope": slope}
      | bounded("error", value)
      | bounded("model_minus", model - value)
      | bounded("step", level, 0.001)
      for name, value in errors.items()
    ),
    protocols=tuple(
      {"protocol": protocol, "predictor": name, "rows": 100}
      | {"context": 128, "horizon": 100}
      | bounded("error", value)
      for protocol in (FIRST, DRAWN)
      for name, value in errors.items()
    ),
    horizon_R=horizon_R,
    error_ExR=error_ExR,
    error_low_ExR=error_ExR - 0.02,
    error_high_ExR=error_ExR + 0.02,
    model_minus_ExR=model - error_ExR,
    model_minus_low_ExR=model - error_ExR - 0.01,
    model_minus_high_ExR=model - error_ExR + 0.01,
    step_ExQ=steps,
    spread_SxR=np.tile([0.1, 0.15, 0.2], (seeds, 1)),
    truth_spread_R=np.array([0.4, 0.5, 0.45]),
    at=100,
    starts=40,
    context=256,
    draws=8,
  )


def _densities(names, pit) -> tuple[dict, ...]:
  return tuple(
    {"name": name, "targets": 1000, "crps_as_published": 0.09, "ks": 0.04}
    | {"ks_ideal": 0.043, "interval_width": 0.5, "mse": 0.07}
    | {"variance_of_means": 0.1, "mean_variance": 0.06, "data_variance": 0.166}
    | bounded("nll_nats", -0.5)
    | bounded("crps", 0.0532 if name == ADAPTIVE else 0.1588)
    | bounded("pit_mean", pit[0])
    | bounded("pit_std", pit[1])
    | bounded("bias", 0.01)
    for name in names
  )


def calibrated(short=0.084, whole=0.6, constant=0.9, width=1.3, pit=(0.49, 0.28), luck=0.0):
  """Calibration; `luck` is what 20 evaluations gain, 1 for no slots."""
  names = ("model (e0)", "constant Gaussian", ADAPTIVE)
  table = _densities(names, pit)
  half = "halves of rows, as published"
  cases = [(n, w) for n in names for w in ("select to test", "halves of test")]
  cases += [(forecasts.SHORT, half)]
  cases += [("whole window, otherwise as published", half)]
  raw = {forecasts.SHORT: short, cases[-1][0]: whole}
  conformal = tuple(
    {"predictor": name, "way": way, "alpha": 0.1, "adjustment": 0.1}
    | {"raw_width": 0.5, "targets": 400}
    | {"width": width if name == "constant Gaussian" else 0.8, "context": 128}
    | bounded("raw_coverage", raw.get(name, 0.6))
    | bounded("coverage", constant if name == "constant Gaussian" else 0.9)
    for name, way in cases
  )
  # Two orders of which 20 evaluations surely find the better one.
  golden = np.array([[0.19, 0.2 + luck, 0.2 - luck]])
  levels = np.array([0.2, 0.5, 0.8])
  coverage = np.tile(0.9 * levels, (len(names), 1))
  return calibration.Result(
    table=table,
    conformal=conformal,
    golden_nll_SxR=golden[:, : 0 if luck == 1 else 3],
    golden_change_S=np.array([0.01]),
    golden_low_S=np.array([0.005]),
    golden_high_S=np.array([0.015]),
    golden_windows=640,
    level_V=levels,
    coverage_ExV=coverage,
    coverage_low_ExV=coverage - 0.01,
    coverage_high_ExV=coverage + 0.01,
    density_ExP=np.ones((len(names), 4)),
    log_scale_S=np.array([0.1]),
    shift_S=np.array([-0.01]),
    samples=1000,
    short_window=128,
  )


def runs(data) -> dict[str, dict]:
  """Returns runs that decide every claim: postfix, none and a memory bank."""
  return {
    f"forecast {memory}": {
      "anchors": anchors(memory, data=data),
      "rollout": rolled(),
      "calibration": calibrated(),
    }
    for memory in ("postfix", "none", "bank")
  }
