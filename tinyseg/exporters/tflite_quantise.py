"""TFLite files in fewer bits, through ai-edge-quantizer."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyseg.runs.records import Precision

if TYPE_CHECKING:
    from ai_edge_quantizer.recipe_manager import RecipeManager

_THREADS = 2
_WEIGHTED = ("CONV_2D", "CONV_2D_TRANSPOSE", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def quantise(
    path: Path,
    precision: Precision,
    calibration: NDArray[np.float32] | None,
    *,
    integer_ends: bool = False,
) -> None:
    """Rewrites a float32 file in another precision.

    - ``fp16``: weights are float16, and made float32 before they are used.
    - ``int8-weights``: the same with 8 bits and a scale for every channel.
    - ``int8-dynamic``: the runtime also rounds what goes into convolutions and linear layers.
    - ``int8``: these run in whole numbers with ranges from calibration; all else is float32.
    - ``int8-full``: so does every operator that can.

    Args:
        path: of a file whose tensors have names of their own.
        precision: any but fp32.
        calibration: inputs as the file takes them, (images, ...); needed where ranges are.
        integer_ends: of ``int8-full``: input and output are int8, too.
    """
    from ai_edge_quantizer.quantizer import Quantizer

    recipe = _recipe(precision, integer_ends=integer_ends)
    ranges = None
    if recipe.need_calibration():
        assert calibration is not None
        ranges = _ranges(path, recipe, calibration)
    result = Quantizer(str(path), recipe.get_quantization_recipe()).quantize(
        ranges, enable_progress_bar=False, enable_progress_report=False
    )
    assert result.quantized_model is not None
    path.write_bytes(result.quantized_model)


def _recipe(precision: Precision, *, integer_ends: bool) -> "RecipeManager":
    from ai_edge_quantizer import algorithm_manager, recipe_manager
    from ai_edge_quantizer.qtyping import (
        ComputePrecision,
        OpQuantizationConfig,
        TensorDataType,
        TensorQuantizationConfig,
        TFLOperationName,
    )

    every, recipe = TFLOperationName.ALL_SUPPORTED, recipe_manager.RecipeManager()
    names = algorithm_manager.AlgorithmName
    if precision == "fp16":
        halves = TensorQuantizationConfig(num_bits=16, dtype=TensorDataType.FLOAT)
        config = OpQuantizationConfig(
            weight_tensor_config=halves,
            compute_precision=ComputePrecision.FLOAT,
            explicit_dequantize=True,
        )
        recipe.add_quantization_config(".*", every, config, names.FLOAT_CASTING)
    elif precision == "int8-weights":
        recipe.add_weight_only_config(".*", every, 8)
    elif precision == "int8-dynamic":
        # Not every operator: LiteRT makes NaN of a product of two tensors that both hold int8.
        for name in _WEIGHTED:
            recipe.add_dynamic_config(".*", TFLOperationName(name), 8)
    elif precision == "int8":
        for name in _WEIGHTED:
            recipe.add_static_config(".*", TFLOperationName(name), 8, 8)
    else:
        recipe.add_static_config(".*", every, 8, 8)
        if not integer_ends:
            for end in (TFLOperationName.INPUT, TFLOperationName.OUTPUT):
                recipe.add_quantization_config(".*", end, None, names.NO_QUANTIZE)
    return recipe


def _ranges(path: Path, recipe: "RecipeManager", calibration: NDArray[np.float32]) -> Any:
    """The smallest and largest value of every tensor on any picture.

    The library's own moving average forgets what is rare: of pictures without a tumour and a few
    with one it left no range for the logits of tumours, which all came out as nought.
    """
    from ai_edge_quantizer.calibrator import Calibrator
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    calibrator = Calibrator(str(path), num_threads=_THREADS, qsv_update_func=min_max_update)
    calibrator.calibrate(_signature_inputs(path, calibration), recipe)
    return calibrator.get_model_qsvs()


def _signature_inputs(
    path: Path, calibration: NDArray[np.float32]
) -> dict[str, Iterable[dict[str, Any]]]:
    """Inputs one by one, by the names in the file's only signature."""
    from ai_edge_litert.interpreter import Interpreter

    ((key, ends),) = Interpreter(model_path=str(path)).get_signature_list().items()
    return {key: [{ends["inputs"][0]: each[None]} for each in calibration]}
