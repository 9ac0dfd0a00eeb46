"""NWB files: what they hold, how it becomes a session dataset, and how results become NWB again."""
