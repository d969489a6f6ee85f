"""What a badge is, and everything that can be done to badges.

From the values to what a reader calls: ``badge``, ``checks``, ``files`` (badges and where they come from),
``wire`` (the four methods as requests and answers), ``changes`` (what is to happen to each badge),
``journal`` (what is remembered), ``lost``, ``sending``, ``bulk`` (how changes are sent, and found again
when an answer is lost), ``holders``, ``plan``, ``history``, ``methods`` (``b24.badges``, ``b24.journal``).
"""
