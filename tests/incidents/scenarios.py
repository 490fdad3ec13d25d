"""All files of scenarios; each enters what it has."""

from . import loops as loops
