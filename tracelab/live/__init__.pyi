from .capturing import Capture as Capture
from .capturing import capture as capture
