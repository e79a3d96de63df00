"""Where the server and its children on one machine meet: socket addresses, process identity, spooled results.

Used from both sides (`worker`, `executors`); imports `core` only.
"""
