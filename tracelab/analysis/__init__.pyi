# What the rooms of analysis answer; each room is imported when it is first used.
from .calls.critical_services import critical_services as critical_services
from .calls.networkx_graph import to_networkx as to_networkx
from .calls.repeated_calls import repeated_calls as repeated_calls
from .calls.service_graph import service_graph as service_graph
from .critical_paths.paths import critical_path as critical_path
from .critical_paths.profile import critical_path_profile as critical_path_profile
from .errors.origins import error_origins as error_origins
from .errors.outcomes import outcomes as outcomes
from .errors.rates import error_rates as error_rates
from .latency.gaps import gaps as gaps
from .latency.histogram import latency_histogram as latency_histogram
from .latency.outliers import outliers as outliers
from .latency.percentiles import latency_percentiles as latency_percentiles
from .latency.percentiles import trace_latency_percentiles as trace_latency_percentiles
from .latency.self_time import with_self_time as with_self_time
from .traces import trace_summary as trace_summary
