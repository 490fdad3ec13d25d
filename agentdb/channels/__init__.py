"""Carries notifications to their receivers, over one channel or another."""

from .channel import Channel, Notification, Outcome, Refused
from .registry import Channels

__all__ = ["Channel", "Channels", "Notification", "Outcome", "Refused"]
