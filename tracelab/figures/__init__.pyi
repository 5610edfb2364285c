# What can be drawn; each room is imported when it is first used.
from .charts.audit import plot_audit as plot_audit
from .charts.compare import plot_compare as plot_compare
from .charts.critical_path_profile import plot_critical_path_profile as plot_critical_path_profile
from .charts.error_origins import plot_error_origins as plot_error_origins
from .charts.error_rates import plot_error_rates as plot_error_rates
from .charts.flamegraph import plot_flamegraph as plot_flamegraph
from .charts.gantt import plot_gantt as plot_gantt
from .charts.gaps import plot_gaps as plot_gaps
from .charts.latency_histogram import plot_latency_histogram as plot_latency_histogram
from .charts.latency_percentiles import plot_latency_percentiles as plot_latency_percentiles
from .charts.outliers import plot_outliers as plot_outliers
from .charts.repeated_calls import plot_repeated_calls as plot_repeated_calls
from .charts.root_causes import plot_root_causes as plot_root_causes
from .charts.sampling_report import plot_sampling_report as plot_sampling_report
from .charts.service_graph import plot_service_graph as plot_service_graph
from .charts.trace_diff import plot_trace_diff as plot_trace_diff
