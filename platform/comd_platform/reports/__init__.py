"""Every aggregate once, as SQL over the tables and views: what the CLI and the dashboard show.

A report is a function of a session that returns frozen dataclasses, one a row; a module is a topic.
None writes, and none needs more than what a psql user may read. `difficulty`, `planning` and `judge`
are pure: sums over the counts that `cells` and `orders` read.
"""
