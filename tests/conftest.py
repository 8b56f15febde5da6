"""Property tests draw the same examples every time, and may take as long as a busy machine makes them."""

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
