"""What surrounds a runner: pages, pings, the service manager, the fallback."""
