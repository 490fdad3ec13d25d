"""All files of scenarios; each enters what it has."""

from . import access as access
from . import changes as changes
from . import claims as claims
from . import fleet as fleet
from . import locks as locks
from . import loops as loops
from . import more as more
from . import recorded as recorded
from . import ticks as ticks
from . import tokens as tokens
from . import tools as tools
from . import waiting as waiting
from . import writes as writes
