"""Many serving configurations at once, from a table: one bad row never harms the others."""

from planner.predict.files import STANDARD_OUTPUT, predict_file
from planner.predict.table import ADDED_COLUMNS, answer_rows, predict_table

__all__ = ["ADDED_COLUMNS", "STANDARD_OUTPUT", "answer_rows", "predict_file", "predict_table"]
