"""Contributions, predictions and variants of the full-size model: regions and variants a second."""

from __future__ import annotations

import time

import numpy as np

from gpu_sections.common import Setup, drawn_batches, main_model, out_of_memory, record, step_seconds, use_compile_cache

EXPLAINED = (16, 4, 8, 32)
PREDICTED = (256, 64, 1024)


def contributions(setup: Setup) -> None:
    """DeepSHAP of both heads in batches of several sizes."""
    _contributions(setup, ("tf32", "bfloat16"), EXPLAINED)


def chosen_tf32(setup: Setup) -> None:
    """In the batches that the program takes, in TF32."""
    _contributions(setup, ("tf32",), EXPLAINED[:1])


def chosen_bfloat16(setup: Setup) -> None:
    """In the batches that the program takes, in bfloat16, beside TF32."""
    _contributions(setup, ("tf32", "bfloat16"), EXPLAINED[:1])


def _contributions(setup: Setup, precisions: tuple[str, ...], sizes: tuple[int, ...]) -> None:
    """20 shuffles of each region."""
    import keras

    from chrombpnet_core.devices import find_device
    from chrombpnet_core.genome import dinucleotide_shuffles
    from chrombpnet_core.interpret import HEADS, Explainer
    from chrombpnet_core.models import ACCESSIBILITY_PREFIX, Architecture, body_dtype, bpnet
    from chrombpnet_core.training import set_precision

    use_compile_cache(setup)
    device, first_of_size = find_device(), {}
    for precision in precisions:
        set_precision(precision)
        keras.utils.set_random_seed(1)
        architecture = Architecture(setup.filters, setup.layers)
        model = bpnet(architecture, ACCESSIBILITY_PREFIX, "model_wo_bias", body_dtype(precision))
        explainer = Explainer(model, device=device)
        for size in (2,) if setup.trial else sizes:
            if setup.left < 12:
                return
            batches = [(batch.codes, dinucleotide_shuffles(batch.codes, 20, 1)) for batch in drawn_batches(size)]
            row = {"precision": precision, "regions": size, "chosen_by_the_program": explainer.batch.size}
            try:
                begun = time.perf_counter()
                scores = explainer(*batches[0])
                row["first_call_seconds"] = time.perf_counter() - begun
                before = first_of_size.setdefault(size, scores)
                row["pearson_with_tf32"] = {
                    head: float(np.corrcoef(scores[head].ravel(), before[head].ravel())[0, 1]) for head in HEADS
                }
                seconds = step_seconds(lambda pair, explainer=explainer: explainer(*pair)["profile"], batches, setup.seconds)
                shuffling = step_seconds(lambda pair: dinucleotide_shuffles(pair[0], 20, 2), batches, 0.5)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                record(setup, "contributions", **row, error="out of memory")
                continue
            record(
                setup,
                "contributions",
                **row,
                step_ms=1e3 * seconds,
                regions_a_second=size / seconds,
                shuffling_ms=1e3 * shuffling,
                with_shuffling_a_second=size / (seconds + shuffling),
            )


def prediction(setup: Setup) -> None:
    """The whole model in batches of several sizes."""
    _prediction(setup, ("tf32", "bfloat16"), PREDICTED)


def prediction_tf32(setup: Setup) -> None:
    """In batches of one size, in TF32."""
    _prediction(setup, ("tf32",), PREDICTED[:1])


def prediction_bfloat16(setup: Setup) -> None:
    """In batches of one size, in bfloat16."""
    _prediction(setup, ("bfloat16",), PREDICTED[:1])


def _prediction(setup: Setup, precisions: tuple[str, ...], sizes: tuple[int, ...]) -> None:
    """As the program predicts, with bases as bytes, and variants."""
    import jax

    from chrombpnet_core.models import Predictor, accessibility_part
    from gpu_sections.plain import one_hot

    use_compile_cache(setup)
    for precision in precisions:
        model, forward, _ = main_model(setup, precision)
        state = [
            [jax.numpy.array(variable.value) for variable in variables]  # Keras gives its own away
            for variables in (model.trainable_variables, model.non_trainable_variables)
        ]

        @jax.jit
        def from_bytes(trained, rest, codes, model=model):
            (logits, counts), _ = model.stateless_call(trained, rest, one_hot(codes, jax.numpy.float32), training=False)
            return logits, counts

        for size in sizes:
            size = 8 if setup.trial else size
            if setup.left < 12:
                return
            codes = [batch.codes for batch in drawn_batches(size)]
            predict = Predictor(model, size)
            ways = {
                "one-hot on the host, as the program does": lambda part, predict=predict: predict(part)[0],
                "one-hot on the device": lambda part, run=from_bytes, state=state: run(*state, part)[0],
            }
            for way, work in ways.items():
                seconds = step_seconds(work, codes, setup.seconds)
                record(
                    setup,
                    "prediction",
                    precision=precision,
                    batch=size,
                    way=way,
                    step_ms=1e3 * seconds,
                    regions_a_second=size / seconds,
                    teraflops=size / seconds * forward / 1e12,
                )
        if setup.left > 25:
            _variants(setup, precision, accessibility_part(model))


def _variants(setup: Setup, precision: str, model) -> None:
    """Both strands of both alleles, without reading a file."""
    from chrombpnet_core.devices import find_device
    from chrombpnet_core.models import BothStrandsPredictor
    from chrombpnet_core.variants import VARIANTS_AT_ONCE

    predict = BothStrandsPredictor(model, find_device(), at_once=8 if setup.trial else 0)
    number = 4 if setup.trial else VARIANTS_AT_ONCE
    codes = [np.concatenate([batch.codes, batch.codes]) for batch in drawn_batches(number)]
    seconds = step_seconds(lambda both: predict(both)[0], codes, setup.seconds)
    record(
        setup,
        "variants",
        precision=precision,
        variants=number,
        sequences_at_once=2 * predict.batch.size,
        variants_a_second=number / seconds,
    )
