"""Decisions, Dice in its meanings, intervals, baselines. Importing it brings no torch."""

from tinyseg.evaluation.baselines import baselines
from tinyseg.evaluation.chosen import Choice, Chosen, choose_pictures
from tinyseg.evaluation.classify import classify_pictures, write_classified
from tinyseg.evaluation.colours import class_colours
from tinyseg.evaluation.decisions import Predictor, decide, probabilities
from tinyseg.evaluation.dice import ImageCounts, dice, iou
from tinyseg.evaluation.evaluate import Evaluation, count_images, evaluate
from tinyseg.evaluation.network import network_predictor
from tinyseg.evaluation.overlays import draw_overlay
from tinyseg.evaluation.picture_files import PictureFile, find_pictures, list_pictures
from tinyseg.evaluation.predict import predict_pictures
from tinyseg.evaluation.recognition import ImageLabels, rank_labels
from tinyseg.evaluation.run import evaluate_dataset, evaluate_run, keep_evaluation
from tinyseg.evaluation.scores import difference, headline, mean, score
from tinyseg.evaluation.tables import Table, Tally, make_table, read_table, tally, write_table

__all__ = [
    "Choice",
    "Chosen",
    "Evaluation",
    "ImageCounts",
    "ImageLabels",
    "PictureFile",
    "Predictor",
    "Table",
    "Tally",
    "baselines",
    "choose_pictures",
    "class_colours",
    "classify_pictures",
    "count_images",
    "decide",
    "dice",
    "difference",
    "draw_overlay",
    "evaluate",
    "evaluate_dataset",
    "evaluate_run",
    "find_pictures",
    "headline",
    "iou",
    "keep_evaluation",
    "list_pictures",
    "make_table",
    "mean",
    "network_predictor",
    "predict_pictures",
    "probabilities",
    "rank_labels",
    "read_table",
    "score",
    "tally",
    "write_classified",
    "write_table",
]
