"""What a badge is, and everything that can be done to badges.

From the values to what a reader calls: ``badge``, ``changes`` (what is to happen to each badge, and what a portal
would refuse of it), ``activities`` (who holds a badge, and how it is released), ``evidence`` (what the portal's
answers mean), ``files`` (badges in tables and files), ``journal_store`` (what is remembered), ``apply`` (the one
write path), ``plan``, ``journal`` (``b24.journal``), ``methods`` (``b24.badges``).
"""
