# What makes tables: imported when it is first used.
from .looks import SCRIPT as SCRIPT
from .looks import STYLE as STYLE
from .showing import Shown as Shown
from .showing import show as show
from .showing import shown as shown
