"""The report of a run or of several: one HTML file that needs nothing else."""

from relational_rnn.analysis.report.agents import AgentPage, ShownEpisode, size_of, write_agents_report
from relational_rnn.analysis.report.data import NOTHING, Answered, Looked, Watched
from relational_rnn.analysis.report.page import RunPage, check_one_task, report_html, write_report
from relational_rnn.analysis.report.static import write_page

__all__ = [
    "NOTHING",
    "AgentPage",
    "Answered",
    "Looked",
    "RunPage",
    "ShownEpisode",
    "Watched",
    "check_one_task",
    "report_html",
    "size_of",
    "write_agents_report",
    "write_page",
    "write_report",
]
