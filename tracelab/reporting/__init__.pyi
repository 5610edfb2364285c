# What the room answers: imported when it is first used.
from .finding import findings as findings
from .kinds import request_kinds as request_kinds
from .writing import write_report as write_report
