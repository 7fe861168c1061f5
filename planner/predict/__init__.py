"""Many configurations at once, from a table of serving or of training: one bad row never harms the
others."""

from planner.predict.files import STANDARD_OUTPUT, predict_file
from planner.predict.table import ADDED_COLUMNS, added_columns, answer_rows, predict_table
from planner.predict.training import MEMORY_COLUMNS, SPEED_COLUMNS
from planner.predict.training_rows import TRAINING_COLUMNS

__all__ = [
    "ADDED_COLUMNS",
    "MEMORY_COLUMNS",
    "SPEED_COLUMNS",
    "STANDARD_OUTPUT",
    "TRAINING_COLUMNS",
    "added_columns",
    "answer_rows",
    "predict_file",
    "predict_table",
]
