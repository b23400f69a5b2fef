"""Decisions, Dice in its meanings, intervals, baselines. Importing it brings no torch."""

from tinyseg.evaluation.baselines import baselines
from tinyseg.evaluation.decisions import Predictor, decide, probabilities
from tinyseg.evaluation.dice import ImageCounts, dice, iou
from tinyseg.evaluation.evaluate import Evaluation, count_images, evaluate
from tinyseg.evaluation.network import network_predictor
from tinyseg.evaluation.run import evaluate_dataset, evaluate_run
from tinyseg.evaluation.scores import difference, headline, read_table, score, write_table

__all__ = [
    "Evaluation",
    "ImageCounts",
    "Predictor",
    "baselines",
    "count_images",
    "decide",
    "dice",
    "difference",
    "evaluate",
    "evaluate_dataset",
    "evaluate_run",
    "headline",
    "iou",
    "network_predictor",
    "probabilities",
    "read_table",
    "score",
    "write_table",
]
