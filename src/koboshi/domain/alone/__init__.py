"""Servers that fail alone: on a host that lives, or that was gone for too short a time to be missed.

Nova stops a server by itself when it finds its guest gone, and starts none again. A host that reboots
more quickly than its silence can be confirmed leaves all of its servers like that, without a word.
"""
