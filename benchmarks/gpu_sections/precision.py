"""How far float32, TF32 and bfloat16 are from float64: losses and gradients of a step; the reference program's outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gpu_sections.common import COUNTS_WEIGHT, Setup, compile_all, drawn_batches, main_training_step, record, relative
from gpu_sections.plain import LayerForms, losses_of, parameters_of

HEADS = ("logits", "logcounts")


def step(setup: Setup) -> None:
    """One step on drawn data: the program's losses and gradients against the same model in float64, by other code."""
    import jax

    batch = drawn_batches(2 if setup.trial else 16, 1)[0]
    training_step, _, _ = main_training_step(setup, "float32")
    expected = _float64(training_step.model, batch)
    training_steps = {}

    def jobs():
        for precision in ("float32", "tf32", "bfloat16"):
            other = training_steps[precision] = main_training_step(setup, precision)[0]
            other.model.set_weights(training_step.model.get_weights())
            other._take()
            yield (
                precision,
                (
                    other._compiled_weighted,
                    (other._trained, other._rest, np.float32(1), *other._put(batch.codes, batch.profiles)),
                ),
            )

    for precision, program in compile_all(jobs()).items():
        other = training_steps[precision]
        outputs = program(other._trained, other._rest, np.float32(1), *other._put(batch.codes, batch.profiles))
        losses, gradients = np.asarray(outputs[0]), [np.asarray(gradient) for gradient in outputs[1:]]
        whole = np.linalg.norm(np.concatenate([gradient.ravel() for gradient in expected[1]]))
        errors = [
            relative(one, two) if np.linalg.norm(two) > 1e-6 * whole else None  # the profile head's bias has none
            for one, two in zip(gradients, expected[1], strict=True)
        ]
        record(
            setup,
            "precision",
            what="step",
            precision=precision,
            device=jax.devices()[0].device_kind,
            loss_errors=[abs(float(a) / float(b) - 1) for a, b in zip(losses, expected[0], strict=True)],
            gradient_error=relative(
                np.concatenate([g.ravel() for g in gradients]), np.concatenate([g.ravel() for g in expected[1]])
            ),
            gradient_errors={
                variable.path.removeprefix("model_wo_bias/"): error
                for variable, error in zip(other.model.trainable_variables, errors, strict=True)
            },
        )


def _float64(model: Any, batch: Any) -> tuple[np.ndarray, list[np.ndarray]]:
    """Losses and gradients by sums of products in float64."""
    import jax

    with jax.enable_x64(True):
        main, bias = ([np.asarray(array, np.float64) for array in part] for part in parameters_of(model))
        forms = LayerForms(dilated="side by side, kernel by product", dtype="float64")
        with jax.default_matmul_precision("highest"):
            run = jax.jit(jax.value_and_grad(lambda *values: losses_of(forms, *values, COUNTS_WEIGHT), has_aux=True))
            (_, losses), gradients = run(main, bias, batch.codes, batch.profiles.astype(np.float64))
            return np.asarray(losses), [np.asarray(gradient) for gradient in gradients]


def golden(setup: Setup) -> None:
    """Outputs and contributions of the reference program's small models."""
    if not setup.golden:
        return
    from chrombpnet_core.models import Predictor, load_model
    from chrombpnet_core.training import set_precision

    folder = Path(setup.golden)
    with np.load(folder / "forward.npz") as file, np.load(folder / "forward_float64.npz") as exact:
        sequences, expected = file["seqs"], {name: exact[name] for name in exact.files}
        float32 = {name: file[name] for name in file.files}
    codes = np.where(sequences.any(axis=-1), sequences.argmax(axis=-1), 4).astype(np.uint8)
    for precision in ("float32", "tf32"):
        set_precision(precision)
        for name in ("bias", "chrombpnet_nobias"):
            outputs = Predictor(load_model(folder / "models" / f"{name}.h5"), 64)(codes)
            row = {}
            for head, values in zip(HEADS, outputs, strict=True):
                wanted = expected[f"{name}_{head}"].reshape(values.shape)
                row[f"{head}_most_apart"] = float(np.abs(values - wanted).max())
                row[f"{head}_reference_on_cpu_apart"] = float(
                    np.abs(float32[f"{name}_{head}"].reshape(values.shape) - wanted).max()
                )
            record(setup, "precision", what="forward", precision=precision, model=name, **row)
        _explained(setup, folder, precision)


def _explained(setup: Setup, folder: Path, precision: str) -> None:
    """Contributions against the reference's."""
    from chrombpnet_core.interpret import HEADS as EXPLAINED
    from chrombpnet_core.interpret import Explainer
    from chrombpnet_core.models import load_model

    number = 2 if setup.trial else 8
    with np.load(folder / "deepshap.npz") as file:
        sequences, references = file["seqs"][:number], file["references"][:number]
        expected = {head: file[f"chrombpnet_nobias_{head}_hyp"][:number] for head in EXPLAINED}
    codes, shuffled = (
        np.where(one_hot.any(axis=-1), one_hot.argmax(axis=-1), 4).astype(np.uint8) for one_hot in (sequences, references)
    )
    scores = Explainer(load_model(folder / "models" / "chrombpnet_nobias.h5"))(codes, shuffled)
    errors = {head: relative(scores[head], expected[head]) for head in EXPLAINED}
    correlations = {head: float(np.corrcoef(scores[head].ravel(), expected[head].ravel())[0, 1]) for head in EXPLAINED}
    record(setup, "precision", what="contributions", precision=precision, errors=errors, pearson=correlations)


def loss(setup: Setup) -> None:
    """The profile loss and its gradient against the reference program's."""
    if not setup.golden:
        return
    import jax

    from chrombpnet_core.models import multinomial_nll

    with np.load(Path(setup.golden) / "loss.npz") as file:
        counts, logits, expected, slope = (
            file[name] for name in ("counts", "logits", "mnll_per_example", "grad_logits_of_batch_mnll")
        )
    values, back = jax.vjp(lambda x: multinomial_nll(counts.astype(np.float32), x), logits)
    record(
        setup,
        "precision",
        what="profile loss",
        error=relative(values, expected),
        gradient_error=relative(back(np.full(len(counts), 1 / len(counts), np.float32))[0], slope),
    )


def measure(setup: Setup) -> None:
    """All of them."""
    loss(setup)
    step(setup)
    golden(setup)
