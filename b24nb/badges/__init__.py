"""What a badge is, and everything that can be done to badges.

The modules, from the basic values up to the public methods: ``badge``; ``changes`` (steps, and which badges a
portal would refuse); ``activities`` (which activities hold a badge, and how to release it); ``evidence`` (what the
portal's answers prove); ``files`` (badges in tables and files); ``journal_store`` (the SQLite file of the journal);
``apply`` (the one write path); ``bulk`` (runs of many steps); ``plan``; ``journal`` (``b24.journal``); ``methods``
(``b24.badges``).
"""
