"""Places in the tally of a library's reads, int64 ``(TALLY,)``, which the compiled loops fill; see :mod:`library_tally`."""

LONGEST_FRAGMENT = 1000  # bp: fragments are counted by length up to here
LONGER, JUDGED, DUPLICATES, TALLY = 1001, 1002, 1003, 1004
