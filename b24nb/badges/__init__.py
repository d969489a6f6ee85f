"""What a badge is, and everything that can be done to badges.

``badge`` (the values) < ``checks``, ``files``, ``changes`` (what is wanted, before anything is sent)
< ``journal`` (what is remembered) < ``lost``, ``apply`` (how it is sent) < ``plan``, ``holders``,
``history``, ``methods`` (what a reader calls).
"""
