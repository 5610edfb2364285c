# What the gate is asked by.
from .expecting import ExpectationError as ExpectationError
from .expecting import expect as expect
from .judging import check as check
