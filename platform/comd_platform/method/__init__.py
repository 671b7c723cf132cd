"""The paper as pure functions: no database, no model, no clock.

Every public function names its equation or section; `docs/method.md` is the page on this room.
"""
