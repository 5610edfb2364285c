# What can be drawn; each room is imported when it is first used.
from .coverage import plot_gaps as plot_gaps
from .distributions import plot_latency_histogram as plot_latency_histogram
from .flame import plot_flamegraph as plot_flamegraph
from .gantt import plot_gantt as plot_gantt
from .graph import plot_service_graph as plot_service_graph
from .latency import plot_latency_percentiles as plot_latency_percentiles
from .origins import plot_error_origins as plot_error_origins
from .paths import plot_critical_path_profile as plot_critical_path_profile
from .rates import plot_error_rates as plot_error_rates
from .repetition import plot_repeated_calls as plot_repeated_calls
from .unusual import plot_outliers as plot_outliers
