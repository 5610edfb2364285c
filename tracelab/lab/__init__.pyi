from .dumps import Dump as Dump
from .dumps import check as check
from .dumps import dump_named as dump_named
from .notebooks import Opened as Opened
from .notebooks import notebook_about as notebook_about
from .samples import sample_notebooks as sample_notebooks
from .server import serve as serve
